"""Makes four sites of real faces that differ, from a public collection that two people labelled.

git clone --depth=1 https://github.com/muxspace/facial_expressions muxspace
python tools/make_real_faces.py --root=muxspace --out=faces
python tools/prepare.py --dataset=sites --root=faces --out=data/faces --face_size=48

Sites a and b have the pictures of one annotator each, without contempt. Split off from them are t,
a quarter of a's as another collection would show them: grey, cropped tightly, histogram equalised;
and c, half of b's rare classes and a twelfth of the common ones. Hashes of the names decide, also
on the quarter of each site that is for testing.
"""

import hashlib
import shutil
from pathlib import Path

import cv2
import numpy as np
from absl import flags

from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Example
from cda_jax.prepare.readers import muxspace
from cda_jax.runtime.files import making
from cda_jax.runtime.program import run

_ROOT = flags.DEFINE_string('root', None, 'Folder of the collection.', required=True)
_ANNOTATORS = flags.DEFINE_list('annotators', '302,dwdii', 'Those of site a and of site b.')
_OUT = flags.DEFINE_string(
    'out', None, 'Folder to make, with SITE/{train,test}/CLASS/*.', required=True
)


def main() -> None:
    """Runs the tool."""
    if len(_ANNOTATORS.value) != 2:
        raise InputError(f'--annotators: expected two names, found {",".join(_ANNOTATORS.value)}')
    out = Path(_OUT.value)
    if out.exists():
        raise InputError(f'{out}: exists; give a folder that does not exist yet')
    with making(out, ['a', 'b', 'c', 't']) as partial:
        for site, annotator in zip('ab', _ANNOTATORS.value, strict=True):
            dataset = muxspace.read(Path(_ROOT.value), annotator)
            for row in dataset.rows:
                label = dataset.class_names[row.label] if isinstance(row, Example) else 'contempt'
                if label != 'contempt':
                    _copy(row.path, site, label, partial)


def _copy(path: Path, site: str, label: str, out: Path) -> None:
    """Copies a picture to its site, split and class."""
    if site == 'a' and _is_drawn(path, 't', 4):
        site = 't'
    if site == 'b' and _is_drawn(path, 'c', 12 if label in ('neutral', 'happiness') else 2):
        site = 'c'
    folder = out / site / ('test' if _is_drawn(path, 'test', 4) else 'train') / label
    folder.mkdir(parents=True, exist_ok=True)
    if site == 't':
        cv2.imwrite(str(folder / f'{path.stem}.png'), _cropped_tightly(path))
    else:
        shutil.copyfile(path, folder / path.name)


def _is_drawn(path: Path, what: str, one_in: int) -> bool:
    """Whether a picture is drawn by a hash of its name, as one in so many are."""
    digest = hashlib.sha256(f'{what}{path.name}'.encode()).digest()
    return int.from_bytes(digest) % one_in == 0


def _cropped_tightly(path: Path) -> np.ndarray:
    """uint8[32, 32], the middle 70 % of a picture, grey, with an equalised histogram."""
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise InputError(f'{path}: expected a picture')
    height, width = image.shape
    top, left = round(0.15 * height), round(0.15 * width)
    image = image[top : height - top, left : width - left]
    return cv2.equalizeHist(cv2.resize(image, (32, 32), interpolation=cv2.INTER_AREA))


if __name__ == '__main__':
    run(main)
