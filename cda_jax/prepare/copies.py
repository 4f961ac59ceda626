"""Finds copies of pictures: the same, mirrored, encoded anew, brightened or cropped a little.

A picture's descriptor is the low frequencies of its cosine transform without the brightness, the
high ones of which count more, since all faces share the low ones. Pairs with like descriptors are
laid over each other (Evangelidis and Psarakis, 2008, https://doi.org/10.1109/TPAMI.2008.113), and
are copies where they then correlate: different pictures of one person at one event do not.
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

# The least correlation of two copies that lie over each other. 500 real faces that were mirrored,
# encoded at quality 60, brightened by a tenth or cropped by 4 % reached 0.990 and more; of the 75
# million pairs of 12,265 faces, 29 did, all of them two versions of one photograph.
LIKENESS = 0.985

_SIDE = 48  # pixels of a picture as it is compared
_RIM = 1  # pixels off each side, in the second descriptor, which meets cropped pictures half-way
_FREQUENCIES = 12  # in each direction
# Descriptors of nearly all copies have 0.82 or more, and so do 2 in a million other pairs.
_ALIKE = 0.82
_CANDIDATES = 10  # pairs that are looked at for each picture, at most

_ROW, _COLUMN = np.indices((_FREQUENCIES, _FREQUENCIES), np.float32).reshape(2, -1)
_WEIGHT = np.hypot(_ROW, _COLUMN)
_MIRROR = 1 - 2 * (_COLUMN % 2)  # of a mirrored picture, the odd frequencies have the other sign
_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 1e-4)


class Looks(NamedTuple):
    """Pictures as they are compared."""

    small: np.ndarray  # uint8[N, 48, 48], in grey
    whole: np.ndarray  # float32[N, D], descriptors of length 1, or 0 where all is one colour
    inner: np.ndarray  # float32[N, D], the descriptors without the rim


def look_at(images: np.ndarray) -> Looks:
    """Prepares pictures, uint8[N, side, side, 3] in RGB, for comparison."""
    small = np.stack([_shrink(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), _SIDE) for image in images])
    return Looks(small, _describe(small), _describe(small[:, _RIM:-_RIM, _RIM:-_RIM]))


def find_copies(
    looks: Looks, others: Looks, likeness: float = LIKENESS
) -> Iterator[tuple[int, int, float]]:
    """Yields pairs that are copies of each other: places in both, and how they correlate."""
    alike = np.full((len(looks.small), len(others.small)), -1, np.float32)
    is_mirrored = np.zeros(alike.shape, bool)
    pairs = (looks.whole, others.whole), (looks.whole, others.inner), (looks.inner, others.whole)
    for mirror in (1, _MIRROR):
        for mine, theirs in pairs:
            found = (mine * mirror) @ theirs.T
            is_mirrored = np.where(found > alike, np.ndim(mirror) > 0, is_mirrored)
            np.maximum(alike, found, out=alike)
    for place, row in enumerate(alike):
        best = np.argsort(-row)[:_CANDIDATES] if row.max(initial=-1) >= _ALIKE else ()
        for other in (int(other) for other in best if row[other] >= _ALIKE):
            picture = looks.small[place]
            picture = picture[:, ::-1] if is_mirrored[place, other] else picture
            correlation = _correlate(picture, others.small[other])
            if correlation >= likeness:
                yield place, other, correlation


def _shrink(image: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)


def _describe(pictures: np.ndarray) -> np.ndarray:
    small = [_shrink(picture.astype(np.float32), 32) for picture in pictures]
    low = np.stack([cv2.dct(picture)[:_FREQUENCIES, :_FREQUENCIES].ravel() for picture in small])
    weighted = low * _WEIGHT
    return weighted / np.maximum(np.linalg.norm(weighted, axis=1, keepdims=True), 1)


def _correlate(picture: np.ndarray, other: np.ndarray) -> float:
    """The correlation of two small pictures, one of which is moved, scaled and sheared to fit."""
    rim = 3  # of the one, so that it finds all of itself in the other
    inner = np.ascontiguousarray(picture[rim:-rim, rim:-rim])
    motion = np.array([[1, 0, rim], [0, 1, rim]], np.float32)
    try:
        return cv2.findTransformECC(inner, other, motion, cv2.MOTION_AFFINE, _STOP, None, 3)[0]
    except cv2.error:  # it found no fit
        return 0.0
