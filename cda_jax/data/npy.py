"""NumPy's files from any source: nothing is unpickled, and memory is bounded before it is taken."""

import io
import math
import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

# Those of plain arrays take 128 bytes. Longer ones could nest deeper than Python's parser stands.
_MAX_HEADER = 1024
_HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
# Those of np.savez and np.savez_compressed. The others unpack without a limit.
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What damage makes of an archive: wrong places to go to, wrong codes, sums and ends.
_ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    UnicodeDecodeError,
    zlib.error,
    OSError,
    EOFError,
    RuntimeError,
    OverflowError,
    struct.error,
)


def read_npy(path: Path, *, max_bytes: int) -> np.ndarray:
    """Reads an npy file.

    Args:
        path: The file.
        max_bytes: The most that its array may take.

    Returns:
        The array, read-only.

    Raises:
        OSError: The file cannot be read.
        ValueError: It holds no array, one of Python objects, or a larger one.
    """
    with path.open('rb') as file:
        return _read_array(file, os.fstat(file.fileno()).st_size, max_bytes)


def read_npz(path: Path, *, max_bytes: int) -> dict[str, np.ndarray]:
    """Reads an npz file.

    Args:
        path: The file.
        max_bytes: The most that its arrays together may take.

    Returns:
        The arrays by name, read-only.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is damaged or no npz file, or an array is as in `read_npy`.
    """
    with path.open('rb') as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return _read_members(archive, max_bytes)
        except _ARCHIVE_ERRORS as error:
            # Some quote the names of members, which damage may make long.
            raise ValueError(f'not a whole npz file ({str(error)[:200]})') from error


def _read_members(archive: zipfile.ZipFile, max_bytes: int) -> dict[str, np.ndarray]:
    arrays = {}
    for member in archive.infolist():
        name = member.filename.removesuffix('.npy')
        if len(name) > 100 or not name.isprintable():
            raise ValueError(f'{name[:40]!r}: expected a name')
        if member.compress_type not in _COMPRESSIONS:
            raise ValueError(f'{name}: compressed by other means than NumPy uses')
        with archive.open(member) as file:
            try:
                arrays[name] = _read_array(file, member.file_size, max_bytes)
            except ValueError as error:
                raise ValueError(f'{name}: {error}') from error
        max_bytes -= arrays[name].nbytes
    return arrays


def _read_array(file: BinaryIO, file_size: int, max_bytes: int) -> np.ndarray:
    start = file.read(_MAX_HEADER)
    shape, is_fortran, dtype, header_size = _parse_header(start)
    num_bytes = math.prod(shape) * dtype.itemsize
    if num_bytes > max_bytes:
        raise ValueError(f'an array of {num_bytes:,} bytes; at most {max_bytes:,} are expected')
    if header_size + num_bytes != file_size:
        raise ValueError(
            f'{file_size:,} bytes, but an array of {num_bytes:,} after a header of {header_size}'
        )
    data = start[header_size:] + file.read(num_bytes + header_size - len(start))
    if len(data) != num_bytes:
        raise ValueError(f'{len(data):,} bytes of an array of {num_bytes:,}')
    if dtype.kind == 'U':
        _check_characters(np.frombuffer(data, np.dtype('u4').newbyteorder(dtype.byteorder)))
    array = np.ndarray(math.prod(shape), dtype, data)
    return array.reshape(shape[::-1]).T if is_fortran else array.reshape(shape)


def _check_characters(codes: np.ndarray) -> None:
    # NumPy passes any number on to Python, which stops with an internal error.
    if np.any((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes <= 0xDFFF))):
        raise ValueError('an array of texts with codes that are no characters')


def _parse_header(start: bytes) -> tuple[tuple[int, ...], bool, np.dtype, int]:
    header = io.BytesIO(start)
    try:
        version = np.lib.format.read_magic(header)
        shape, is_fortran, dtype = _HEADER_READERS[version](header, _MAX_HEADER)
    except Exception as error:  # NumPy's parser raises almost anything on damaged headers.
        raise ValueError(f'not an npy file ({type(error).__name__} in its header)') from error
    if dtype.hasobject:
        raise ValueError('an array of Python objects, which would have to be unpickled')
    is_plain = not dtype.names and not dtype.subdtype and dtype.itemsize
    if not is_plain or any(not 0 <= size < 2**40 for size in shape):
        raise ValueError(f'not an array of numbers or texts (shape {shape}, {dtype})')
    return shape, is_fortran, dtype, header.tell()
