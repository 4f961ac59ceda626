"""Three public collections of handwritten digits, from their own files to class folders.

What reads a file raises InputError where it is missing or not as expected.
"""

import gzip
import hashlib
import itertools
import math
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from cda_jax.data.arrays import read_npz
from cda_jax.errors import InputError
from cda_jax.prepare.readers.label_files import first_file, numbered_lines
from cda_jax.runtime.files import making

MNIST_PARTS = ('t10k', 'train')
OPTDIGITS_TRAIN = ('tra', 'cv', 'wdep')
# These collections do not say which pictures other writers made, so a hash splits them.
HASHED_SITES = ('mnist', 'semeion')
_SEMEION_SIDE, _OPTDIGITS_SIDE = 16, 32  # pixels
_MAX_BYTES = 2**28  # the largest of the files has 47 MB


class Collection(NamedTuple):
    """The pictures of one collection, in white on black."""

    name: str  # of its folder
    images: np.ndarray  # uint8[N, H, W]
    labels: np.ndarray  # [N], integers of 0..9
    test: np.ndarray  # bool[N], whether a picture is in the test split


def read_mnist(folder: Path, part: str = 't10k', num_images: int | None = None) -> Collection:
    """Reads the idx files of MNIST (LeCun et al., 1998); a fifth is split off for testing.

    They are PART-images-idx3-ubyte and PART-labels-idx1-ubyte, plain or `.gz`, perhaps with a dot
    before `idx`. Of 't10k', the 10,000 pictures of the test set, or 'train', the 60,000 others, the
    first `num_images` are taken, or all.
    """
    images_file = _idx_file(folder, f'{part}-images', 'idx3-ubyte')
    images = _read_idx(images_file, num_axes=3)
    labels = _read_idx(_idx_file(folder, f'{part}-labels', 'idx1-ubyte'), num_axes=1)
    if num_images is not None and not 1 <= num_images <= len(images):
        raise InputError(
            f'{images_file}: expected to take 1 to {len(images):,} pictures, found {num_images:,}'
        )
    return _checked('mnist', images_file, images[:num_images], labels[:num_images])


def read_semeion(path: Path) -> Collection:
    """Reads `semeion.data` of UCI (Buscema, 1998); a fifth is split off for testing.

    It has a line per picture with 16 x 16 pixels and 10 columns, one of which is 1.
    """
    num_pixels = _SEMEION_SIDE**2
    rows = []
    for number, line in numbered_lines(path):
        fields = line.split()
        try:
            row = np.array(fields, float)  # pixels are 1.0000
        except ValueError:
            row = np.full(1, np.nan)
        is_binary = len(row) == num_pixels + 10 and np.isin(row, (0, 1)).all()
        if not is_binary or row[num_pixels:].sum() != 1:
            raise InputError(
                f'{path}, line {number}: expected {num_pixels} pixels and 10 columns for the '
                f'digit, all 0 or 1 and a single 1 in the last 10, found {len(fields)} fields, '
                f'{line[:40]!r}'
            )
        rows.append(row.astype(np.uint8))
    if not rows:
        raise InputError(f'{path}: expected a line per picture, found none')
    table = np.stack(rows)
    images = 255 * table[:, :num_pixels].reshape(-1, _SEMEION_SIDE, _SEMEION_SIDE)
    return _checked('semeion', path, images, table[:, num_pixels:].argmax(axis=1))


def read_optdigits(folder: Path, train: Sequence[str] = OPTDIGITS_TRAIN) -> Collection:
    """Reads UCI's optdigits (Alpaydin and Kaynak, 1998), `optdigits-orig.PART`, unpacked.

    The parts to train on are some of 'tra', 'cv' and 'wdep'; the test split is 'windep', by other
    writers.
    """
    if not train or len(set(train) & set(OPTDIGITS_TRAIN)) != len(train):
        raise InputError(
            f'optdigits: expected one or several of {", ".join(OPTDIGITS_TRAIN)} to train on, '
            f'found {", ".join(train)!r}'
        )
    parts = [_read_bitmaps(folder / f'optdigits-orig.{part}') for part in (*train, 'windep')]
    images, labels = map(np.concatenate, zip(*parts, strict=True))
    num_train = len(labels) - len(parts[-1][1])
    return _checked('optdigits', folder, images, labels, np.arange(len(labels)) >= num_train)


def read_archive(path: Path) -> list[Collection]:
    """Reads collections from one NumPy archive, in the order of their names.

    For each it holds NAME_image, uint8[N, H, W], NAME_label, [N], and NAME_test, bool[N]; mnist and
    semeion need no NAME_test, because a hash splits them.
    """
    arrays = read_npz(path, max_bytes=2**30)

    def array(name: str, dtype: type, num_axes: int) -> np.ndarray:
        if name not in arrays:
            held = ', '.join(sorted(arrays))[:200]
            raise InputError(f'{path}: expected an array {name}, found {held}')
        found = arrays[name]
        if not np.issubdtype(found.dtype, dtype) or found.ndim != num_axes:
            raise InputError(
                f'{path}: expected {name} to be {dtype.__name__} in {num_axes} axes, '
                f'found {found.dtype} in {found.ndim}'
            )
        return found

    names = sorted(name.removesuffix('_image') for name in arrays if name.endswith('_image'))
    if not names:
        found = ', '.join(arrays)[:200]
        raise InputError(f'{path}: expected arrays named SITE_image, found {found}')
    collections = []
    for name in names:
        if not re.fullmatch('[A-Za-z0-9_-]+', name):
            raise InputError(
                f'{path}: expected letters, digits, _ and - in a site name, found {name[:80]!r}'
            )
        images, labels = array(f'{name}_image', np.uint8, 3), array(f'{name}_label', np.integer, 1)
        test = None if name in HASHED_SITES else array(f'{name}_test', np.bool_, 1)
        collections.append(_checked(name, path, images, labels, test))
    return collections


def hashed_test(name: str, num_rows: int) -> np.ndarray:
    """A test split that anyone can repeat: rows whose SHA-256('NAME:ROW') is a multiple of 5."""
    digests = (hashlib.sha256(f'{name}:{row}'.encode()).digest() for row in range(num_rows))
    return np.array([int.from_bytes(digest) % 5 == 0 for digest in digests], bool)


def write_folders(collections: Sequence[Collection], out: Path) -> None:
    """Writes OUT/NAME/{train,test}/DIGIT/ROW.png; until all is written, OUT is `<out>.partial`."""
    names = [collection.name for collection in collections]
    if len(set(names)) != len(names):
        raise InputError(f'expected each site once, found {", ".join(names)}')
    if out.exists():
        raise InputError(f'{out}: exists; give a folder that does not exist yet')
    with making(out, names) as partial:
        for name, images, labels, test in collections:
            # Folders are made even if they stay empty, so that all sites have the same classes.
            for split, digit in itertools.product(('train', 'test'), range(10)):
                (partial / name / split / str(digit)).mkdir(parents=True)
            for row, (image, label, is_test) in enumerate(zip(images, labels, test, strict=True)):
                folder = partial / name / ('test' if is_test else 'train') / str(label)
                png = cv2.imencode('.png', image)[1].tobytes()
                (folder / f'{row:05d}.png').write_bytes(png)


def _checked(
    name: str, source: Path, images: np.ndarray, labels: np.ndarray, test: np.ndarray | None = None
) -> Collection:
    if len(images) != len(labels):
        raise InputError(
            f'{source}: expected a picture for each of {len(labels):,} labels of {name}, '
            f'found {len(images):,}'
        )
    if labels.size and not 0 <= labels.min() <= labels.max() <= 9:
        raise InputError(
            f'{source}: expected labels of 0..9 for {name}, found {labels.min()}..{labels.max()}'
        )
    if test is None:
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
    return Collection(name, images, labels, test)


def _idx_file(folder: Path, name: str, kind: str) -> Path:
    names = [f'{name}{joint}{kind}{packed}' for joint in '-.' for packed in ('', '.gz')]
    path = first_file(folder / candidate for candidate in names)
    if path is None:
        raise InputError(f'{folder}: expected the file {names[0]} or {names[1]} in it')
    return path


def _read_idx(path: Path, num_axes: int) -> np.ndarray:
    try:
        with gzip.open(path) if path.suffix == '.gz' else path.open('rb') as file:
            data = file.read(_MAX_BYTES + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f'{path}: expected a whole gzip file ({error})') from error
    except OSError as error:
        raise InputError(f'{path}: cannot be read ({error.strerror})') from error
    if len(data) > _MAX_BYTES:
        raise InputError(f'{path}: expected at most {_MAX_BYTES:,} bytes, found more')
    magic = bytes((0, 0, 8, num_axes))  # 8: unsigned bytes
    start = 4 + 4 * num_axes
    if data[:4] != magic or len(data) < start:
        raise InputError(
            f'{path}: expected an idx file of bytes in {num_axes} axes, which begins with '
            f'{magic.hex(" ")}, found {data[:4].hex(" ")}'
        )
    shape = np.frombuffer(data, '>u4', num_axes, offset=4).tolist()
    if len(data) != start + math.prod(shape):
        raise InputError(
            f'{path}: expected {start + math.prod(shape):,} bytes, as its header says, '
            f'found {len(data):,}'
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _read_bitmaps(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """uint8[N, 32, 32] and uint8[N]; a header, then 32 lines of 32 characters and a label each."""
    if not path.is_file():
        raise InputError(f'{path}: no such file; expected it there, unpacked from {path.name}.Z')
    lines = numbered_lines(path)
    is_row = re.compile(rf'\s*[01]{{{_OPTDIGITS_SIDE}}}\s*').fullmatch
    first = next((i for i, (_, line) in enumerate(lines) if is_row(line)), len(lines))
    header = ''.join(f'{line.strip()}\n' for _, line in lines[:first])
    total = re.search(r'^ntot\s*=\s*([0-9]{1,18})$', header, re.MULTILINE)
    if total is None:
        raise InputError(f'{path}: expected a header with a line "ntot = NUMBER"')
    blocks = lines[first:]
    for i, (number, line) in enumerate(blocks):
        is_label = i % (_OPTDIGITS_SIDE + 1) == _OPTDIGITS_SIDE
        if not (re.fullmatch(r'\s*[0-9]\s*', line) if is_label else is_row(line)):
            expected = 'a digit' if is_label else f'{_OPTDIGITS_SIDE} characters of 0 and 1'
            raise InputError(f'{path}, line {number}: expected {expected}, found {line[:40]!r}')
    if len(blocks) != int(total[1]) * (_OPTDIGITS_SIDE + 1):
        raise InputError(
            f'{path}: expected {int(total[1]):,} bitmaps of {_OPTDIGITS_SIDE + 1} lines, as ntot '
            f'in its header says, found {len(blocks):,} lines'
        )
    text = ''.join(line.strip() for _, line in blocks)
    table = (np.frombuffer(text.encode(), np.uint8) - ord('0')).reshape(-1, _OPTDIGITS_SIDE**2 + 1)
    images = 255 * table[:, :-1].reshape(-1, _OPTDIGITS_SIDE, _OPTDIGITS_SIDE)
    return images, table[:, -1]
