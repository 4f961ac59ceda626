"""Handwritten digits of several collections as class folders."""

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from cda_jax.errors import InputError

# These collections set no pictures by other writers apart; they are split by a hash.
HASHED_SITES = ('mnist', 'semeion')


class Site(NamedTuple):
    """One collection.

    Attributes:
        name: Name of its folder.
        images: uint8[N, H, W], ink 255 on 0.
        labels: Integers of 0..9, [N].
        test: bool[N], whether a picture is in the test split.
    """

    name: str
    images: np.ndarray
    labels: np.ndarray
    test: np.ndarray


def make_site(
    name: str, source: Path, images: np.ndarray, labels: np.ndarray, test: np.ndarray | None = None
) -> Site:
    """Checks what a file said of a site and splits it.

    Args:
        name: The site's name.
        source: The file or folder, for messages.
        images: uint8[N, H, W].
        labels: Integers [N].
        test: bool[N]; not used for mnist and semeion, which are split by `hashed_test`.

    Returns:
        The site.

    Raises:
        InputError: The lengths differ, a label is not 0..9 or a split is empty.
    """
    if len(images) != len(labels):
        raise InputError(
            f'{source}: expected a picture for each of {len(labels):,} labels of {name}, '
            f'found {len(images):,}'
        )
    if labels.size and not (labels.min() >= 0 and labels.max() <= 9):
        raise InputError(
            f'{source}: expected labels of 0..9 for {name}, found {labels.min()}..{labels.max()}'
        )
    if name in HASHED_SITES:
        test = hashed_test(name, len(labels))
    if len(test) != len(labels):
        raise InputError(
            f'{source}: expected {len(labels):,} test flags for {name}, found {len(test):,}'
        )
    if test.all() or not test.any():
        raise InputError(
            f'{source}: expected pictures of {name} for both splits, found {len(labels):,}, '
            f'{test.sum():,} of them for the test split'
        )
    return Site(name, images, labels, test)


def hashed_test(site: str, num_rows: int) -> np.ndarray:
    """Draws a test split that anyone can draw again.

    Args:
        site: Name of the site.
        num_rows: Number of its rows.

    Returns:
        bool[num_rows]: True for about a fifth, those where the SHA-256 of 'SITE:ROW', rows from 0,
        is a multiple of 5. Further rows change nothing about the ones before.
    """
    digests = (hashlib.sha256(f'{site}:{row}'.encode()).digest() for row in range(num_rows))
    return np.array([int.from_bytes(digest) % 5 == 0 for digest in digests], bool)


def write_folders(sites: Sequence[Site], out: Path) -> None:
    """Writes OUT/SITE/{train,test}/DIGIT/ROW.png; `out` is complete wherever it exists.

    Args:
        sites: The sites, with different names.
        out: Folder to make. Until all is written it is called `<out>.partial`.

    Raises:
        InputError: Two sites have one name, `out` exists, or `<out>.partial` holds other things.
    """
    names = [site.name for site in sites]
    if len(set(names)) != len(names):
        raise InputError(f'expected each site once, found {", ".join(names)}')
    if out.exists():
        raise InputError(f'{out}: exists; give a folder that does not exist yet')
    partial = out.with_name(f'{out.name}.partial')
    if partial.exists():
        strange = sorted({path.name for path in partial.iterdir()} - set(names))
        if strange:
            raise InputError(f'{partial}: expected what a stopped run left, found {strange[0]}')
        shutil.rmtree(partial)
    for site in sites:
        _write_site(site, partial / site.name)
    os.replace(partial, out)


def _write_site(site: Site, folder: Path) -> None:
    for split, chosen in (('train', ~site.test), ('test', site.test)):
        for digit in range(10):
            # Also where it stays empty, so that all sites have the same classes.
            (folder / split / str(digit)).mkdir(parents=True)
        for row in chosen.nonzero()[0]:
            png = cv2.imencode('.png', site.images[row])[1]
            path = folder / split / str(site.labels[row]) / f'{row:05d}.png'
            path.write_bytes(png.tobytes())
