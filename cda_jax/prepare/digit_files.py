"""The files in which three public collections of handwritten digits come."""

import gzip
import math
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cda_jax.data import npy
from cda_jax.errors import InputError
from cda_jax.prepare.digits import HASHED_SITES, Site, make_site
from cda_jax.prepare.readers.label_file import first_file, numbered_lines

MNIST_PARTS = ('t10k', 'train')
OPTDIGITS_TRAIN = ('tra', 'cv', 'wdep')
OPTDIGITS_TEST = 'windep'  # by other writers than the rest
_SEMEION_SIDE = 16  # pixels
_OPTDIGITS_SIDE = 32  # pixels
# The largest of the collections takes 47 MB.
_MAX_BYTES = 2**30


def read_mnist(folder: Path, part: str = 't10k', num_images: int | None = None) -> Site:
    """Reads the idx files of MNIST (LeCun et al., 1998).

    Args:
        folder: Holds PART-images-idx3-ubyte and PART-labels-idx1-ubyte, plain or `.gz`; a dot may
            stand before `idx`.
        part: 't10k', the 10,000 pictures of the test set, or 'train', the 60,000 others.
        num_images: How many to take from the beginning; None takes all.

    Returns:
        The site mnist, a fifth of it in the test split by a hash.

    Raises:
        InputError: A file is missing, damaged or not what its name says, or there are fewer
            pictures than asked for.
    """
    if part not in MNIST_PARTS:
        raise InputError(f'mnist: expected the part {" or ".join(MNIST_PARTS)}, found {part!r}')
    images_file = _idx_file(folder, f'{part}-images', 'idx3-ubyte')
    images = _read_idx(images_file, num_axes=3)
    labels = _read_idx(_idx_file(folder, f'{part}-labels', 'idx1-ubyte'), num_axes=1)
    if num_images is not None and not 1 <= num_images <= len(images):
        raise InputError(
            f'{images_file}: expected to take 1 to {len(images):,} pictures, found {num_images:,}'
        )
    return make_site('mnist', images_file, images[:num_images], labels[:num_images])


def read_semeion(path: Path) -> Site:
    """Reads `semeion.data` of the UCI repository (Buscema, 1998).

    Args:
        path: The file: a line per picture with 16 x 16 pixels and 10 columns, one of them 1.

    Returns:
        The site semeion, a fifth of it in the test split by a hash.

    Raises:
        InputError: The file cannot be read or a line is not as expected.
    """
    num_pixels = _SEMEION_SIDE**2
    rows = []
    for number, line in numbered_lines(path):
        row = _zeros_and_ones(line.split())
        if row is None or len(row) != num_pixels + 10 or row[num_pixels:].sum() != 1:
            raise InputError(
                f'{path}, line {number}: expected {num_pixels} pixels and 10 columns for the '
                f'digit, all 0 or 1 and a single 1 in the last 10, found {len(line.split())} '
                f'fields, {line[:40]!r}'
            )
        rows.append(row)
    if not rows:
        raise InputError(f'{path}: expected a line per picture, found none')
    table = np.stack(rows)
    images = 255 * table[:, :num_pixels].reshape(-1, _SEMEION_SIDE, _SEMEION_SIDE)
    return make_site('semeion', path, images, table[:, num_pixels:].argmax(axis=1))


def read_optdigits(folder: Path, train: Sequence[str] = OPTDIGITS_TRAIN) -> Site:
    """Reads UCI's optical recognition of handwritten digits (Alpaydin and Kaynak, 1998).

    Args:
        folder: Holds `optdigits-orig.tra`, `.cv`, `.wdep` and `.windep`, unpacked.
        train: Which of 'tra', 'cv' and 'wdep' make the training split.

    Returns:
        The site optdigits. The test split is windep, whose writers are not in the others.

    Raises:
        InputError: A file is missing, short or otherwise not as expected, or `train` names none of
            the three or another one.
    """
    unknown = [part for part in train if part not in OPTDIGITS_TRAIN]
    if unknown or not train or len(set(train)) != len(train):
        raise InputError(
            f'optdigits: expected one or several of {", ".join(OPTDIGITS_TRAIN)} to train on, '
            f'found {", ".join(train)!r}'
        )
    parts = [_read_bitmaps(folder / f'optdigits-orig.{part}') for part in (*train, OPTDIGITS_TEST)]
    images, labels = map(np.concatenate, zip(*parts, strict=True))
    num_test = len(parts[-1][1])
    return make_site('optdigits', folder, images, labels, np.arange(len(labels))[::-1] < num_test)


def read_npz(path: Path) -> list[Site]:
    """Reads collections from one NumPy archive.

    Args:
        path: Holds for each site SITE_image, uint8[N, H, W], and SITE_label, [N]; and SITE_test,
            bool[N], which mnist and semeion do without, as they are split by a hash.

    Returns:
        Its sites in the order of their names.

    Raises:
        InputError: The file cannot be read or lacks an array, or an array is not as expected.
    """
    arrays = _load_npz(path)
    names = sorted(name.removesuffix('_image') for name in arrays if name.endswith('_image'))
    if not names:
        raise InputError(
            f'{path}: expected arrays named SITE_image, found {", ".join(arrays)[:200]}'
        )
    return [_npz_site(path, name, arrays) for name in names]


def _idx_file(folder: Path, name: str, kind: str) -> Path:
    names = [f'{name}{joint}{kind}{packed}' for joint in '-.' for packed in ('', '.gz')]
    path = first_file(folder / candidate for candidate in names)
    if path is None:
        raise InputError(f'{folder}: expected the file {names[0]} or {names[1]} in it')
    return path


def _read_idx(path: Path, num_axes: int) -> np.ndarray:
    data = _unpacked(path)
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


def _unpacked(path: Path) -> bytes:
    try:
        with gzip.open(path) if path.suffix == '.gz' else path.open('rb') as file:
            data = _read_to_end(path, file)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f'{path}: expected a whole gzip file ({error})') from error
    except OSError as error:
        raise InputError(f'{path}: cannot be read ({error.strerror})') from error
    return data


def _read_to_end(path: Path, file: BinaryIO) -> bytes:
    # Piece by piece: to ask for the most at once would take the memory for it.
    pieces, size = [], 0
    while piece := file.read(2**20):
        pieces.append(piece)
        size += len(piece)
        if size > _MAX_BYTES:
            raise InputError(f'{path}: expected at most {_MAX_BYTES:,} bytes, found more')
    return b''.join(pieces)


def _zeros_and_ones(fields: list[str]) -> np.ndarray | None:
    """uint8[N], or None where a field is anything else; UCI's file has 1.0000 for pixels."""
    try:
        values = np.array(fields, float)
    except ValueError:
        return None
    return values.astype(np.uint8) if np.isin(values, (0, 1)).all() else None


def _read_bitmaps(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """uint8[N, 32, 32] and uint8[N]; a header, then 32 lines of 32 characters and a label each."""
    if not path.is_file():
        raise InputError(f'{path}: no such file; expected it there, unpacked from {path.name}.Z')
    lines = numbered_lines(path)
    first = next((i for i, (_, line) in enumerate(lines) if _is_bitmap_row(line)), len(lines))
    total = _total(path, [line for _, line in lines[:first]])
    blocks = lines[first:]
    for i, (number, line) in enumerate(blocks):
        is_label = i % (_OPTDIGITS_SIDE + 1) == _OPTDIGITS_SIDE
        if not (re.fullmatch('[0-9]', line.strip()) if is_label else _is_bitmap_row(line)):
            expected = 'a digit' if is_label else f'{_OPTDIGITS_SIDE} characters of 0 and 1'
            raise InputError(f'{path}, line {number}: expected {expected}, found {line[:40]!r}')
    if len(blocks) != total * (_OPTDIGITS_SIDE + 1):
        raise InputError(
            f'{path}: expected {total:,} bitmaps of {_OPTDIGITS_SIDE + 1} lines, as ntot in its '
            f'header says, found {len(blocks):,} lines'
        )
    text = ''.join(line.strip() for _, line in blocks)
    values = np.frombuffer(text.encode(), np.uint8) - ord('0')
    table = values.reshape(total, _OPTDIGITS_SIDE**2 + 1)
    images = 255 * table[:, :-1].reshape(-1, _OPTDIGITS_SIDE, _OPTDIGITS_SIDE)
    return images, table[:, -1]


def _is_bitmap_row(line: str) -> bool:
    return re.fullmatch(f'[01]{{{_OPTDIGITS_SIDE}}}', line.strip()) is not None


def _total(path: Path, header: list[str]) -> int:
    for line in header:
        match = re.fullmatch(r'ntot\s*=\s*([0-9]{1,18})', line.strip())
        if match:
            return int(match[1])
    raise InputError(f'{path}: expected a header with a line "ntot = NUMBER" before the bitmaps')


def _load_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        return npy.read_npz(path, max_bytes=_MAX_BYTES)
    except (OSError, ValueError) as error:
        raise InputError(f'{path}: expected a readable .npz file ({error})') from error


def _npz_site(path: Path, name: str, arrays: dict[str, np.ndarray]) -> Site:
    if not re.fullmatch('[A-Za-z0-9_-]+', name):
        raise InputError(
            f'{path}: expected letters, digits, _ and - in a site name, found {name!r}'
        )
    images = _array(path, arrays, f'{name}_image', np.uint8, num_axes=3)
    labels = _array(path, arrays, f'{name}_label', np.integer, num_axes=1)
    if name in HASHED_SITES:
        return make_site(name, path, images, labels)
    test = _array(path, arrays, f'{name}_test', np.bool_, num_axes=1)
    return make_site(name, path, images, labels, test)


def _array(
    path: Path, arrays: dict[str, np.ndarray], name: str, dtype: type, num_axes: int
) -> np.ndarray:
    array = arrays.get(name)
    if array is None:
        raise InputError(
            f'{path}: expected an array {name}, found {", ".join(sorted(arrays))[:200]}'
        )
    if not np.issubdtype(array.dtype, dtype) or array.ndim != num_axes:
        raise InputError(
            f'{path}: expected {name} to be {dtype.__name__} in {num_axes} axes, '
            f'found {array.dtype} in {array.ndim}'
        )
    return array
