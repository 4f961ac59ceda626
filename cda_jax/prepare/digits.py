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
    if num_images is not None:
        expected = f'--mnist_images of 1 to {len(images):,}, the number of its pictures'
        _expect(1 <= num_images <= len(images), images_file, expected, f'{num_images:,}')
    return _checked('mnist', images_file, images[:num_images], labels[:num_images])


def read_semeion(path: Path) -> Collection:
    """Reads `semeion.data` of UCI (Buscema, 1998); a fifth is split off for testing.

    It has a line per picture with 16 x 16 pixels and 10 columns, one of which is 1.
    """
    rows = []
    expected = '256 pixels and 10 columns for the digit, all 0 or 1, with a single 1 in the columns'
    for number, line in numbered_lines(path):
        fields = re.sub(r'\.0*(?=\s|$)', '', line).split()  # pixels are 1.0000
        is_good = len(fields) == 266 and set(fields) <= {'0', '1'} and fields[256:].count('1') == 1
        found = f'{len(fields)} fields, {line[:40]!r}'
        _expect(is_good, f'{path}, line {number}', expected, found)
        rows.append(fields)
    table = np.array(rows, np.uint8).reshape(-1, 266)
    images = 255 * table[:, :256].reshape(-1, 16, 16)
    return _checked('semeion', path, images, table[:, 256:].argmax(axis=1))


def read_optdigits(folder: Path, train: Sequence[str] = OPTDIGITS_TRAIN) -> Collection:
    """Reads UCI's optdigits (Alpaydin and Kaynak, 1998), `optdigits-orig.PART`, unpacked.

    The parts to train on are some of 'tra', 'cv' and 'wdep'; the test split is 'windep', by other
    writers.
    """
    is_good = train and len(set(train) & set(OPTDIGITS_TRAIN)) == len(train)
    expected = f'one or several of {", ".join(OPTDIGITS_TRAIN)} to train on'
    _expect(is_good, 'optdigits', expected, repr(', '.join(train)))
    parts = [_read_bitmaps(folder / f'optdigits-orig.{part}') for part in (*train, 'windep')]
    images, labels = map(np.concatenate, zip(*parts, strict=True))
    test = np.arange(len(labels)) >= len(labels) - len(parts[-1][1])
    return _checked('optdigits', folder, images, labels, test)


def read_archive(path: Path) -> list[Collection]:
    """Reads collections from one NumPy archive, in the order of their names.

    For each it holds NAME_image, uint8[N, H, W], NAME_label, [N], and NAME_test, bool[N]; mnist and
    semeion need no NAME_test, because a hash splits them.
    """
    arrays = read_npz(path, max_bytes=2**30)
    held = ', '.join(sorted(arrays))[:200]

    def array(name: str, dtype: type, num_axes: int) -> np.ndarray:
        _expect(name in arrays, path, f'an array {name}', held)
        found = arrays[name]
        is_good = np.issubdtype(found.dtype, dtype) and found.ndim == num_axes
        expected = f'{name} to be {dtype.__name__} in {num_axes} axes'
        _expect(is_good, path, expected, f'{found.dtype} in {found.ndim}')
        return found

    names = sorted(name.removesuffix('_image') for name in arrays if name.endswith('_image'))
    _expect(names, path, 'arrays named SITE_image', held)
    collections = []
    for name in names:
        is_name = re.fullmatch('[A-Za-z0-9_-]+', name)
        _expect(is_name, path, 'letters, digits, _ and - in a site name', repr(name[:80]))
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
    test = hashed_test(name, len(labels)) if test is None else test
    count, strange = f'{len(labels):,}', np.setdiff1d(labels, range(10))
    expected = f'a picture for each of {count} labels of {name}'
    _expect(len(images) == len(labels), source, expected, f'{len(images):,}')
    _expect(not len(strange), source, f'labels of 0..9 for {name}', f'{strange[:9].tolist()}')
    _expect(len(test) == len(labels), source, f'{count} test flags for {name}', f'{len(test):,}')
    drawn = f'{count}, {test.sum():,} of them for the test split'
    _expect(test.any() and not test.all(), source, f'pictures of {name} for both splits', drawn)
    return Collection(name, images, labels, test)


def _expect(is_good: object, where: object, expected: str, found: str) -> None:
    if not is_good:
        raise InputError(f'{where}: expected {expected}, found {found}')


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
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f'{path}: cannot be read as a whole ({error})') from error
    _expect(len(data) <= _MAX_BYTES, path, f'at most {_MAX_BYTES:,} bytes', 'more')
    magic, start = bytes((0, 0, 8, num_axes)), 4 + 4 * num_axes  # 8: unsigned bytes
    is_good = data[:4] == magic and len(data) >= start
    expected = f'an idx file of bytes in {num_axes} axes, which begins with {magic.hex(" ")}'
    _expect(is_good, path, expected, data[:4].hex(' '))
    shape = np.frombuffer(data, '>u4', num_axes, offset=4).tolist()
    size = start + math.prod(shape)
    _expect(len(data) == size, path, f'{size:,} bytes, as its header says', f'{len(data):,}')
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _read_bitmaps(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """uint8[N, 32, 32] and uint8[N]; a header, then 32 lines of 32 characters and a label each."""
    if not path.is_file():
        raise InputError(f'{path}: no such file; expected it there, unpacked from {path.name}.Z')
    header, blocks = [], []
    for number, line in numbered_lines(path):
        line = line.strip()
        if not blocks and not re.fullmatch('[01]{32}', line):
            header.append(line)
            continue
        pattern, expected = '[01]{32}', '32 characters of 0 and 1'
        if len(blocks) % 33 == 32:
            pattern, expected = '[0-9]', 'a digit'
        is_good = re.fullmatch(pattern, line)
        _expect(is_good, f'{path}, line {number}', expected, repr(line[:40]))
        blocks.append(line)
    total = re.search(r'^ntot\s*=\s*([0-9]{1,18})$', '\n'.join(header), re.MULTILINE)
    if total is None:
        raise InputError(f'{path}: expected a header with a line "ntot = NUMBER"')
    expected = f'{int(total[1]):,} bitmaps of 33 lines, as ntot in its header says'
    _expect(len(blocks) == 33 * int(total[1]), path, expected, f'{len(blocks):,} lines')
    text = np.frombuffer(''.join(blocks).encode(), np.uint8)
    table = (text - ord('0')).reshape(-1, 32**2 + 1)
    return 255 * table[:, :-1].reshape(-1, 32, 32), table[:, -1]
