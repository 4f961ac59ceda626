"""One prepared example as bytes, and files of them."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import msgpack
import numpy as np
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter

from cda_jax.data.jpeg_header import jpeg_shape
from cda_jax.errors import InputError

Encoding = Literal['jpeg', 'raw']

# The name of a file need not be valid UTF-8; Python marks such bytes, and so they survive.
_UNICODE_ERRORS = 'surrogateescape'

_PIXEL_HASH_BYTES = 16

# Of a list or dictionary in a record: more than it has, so that another kind of record is named.
_MAX_ITEMS = 16

# Pixels as they are stored, whatever EXIF data say.
_JPEG_FLAGS = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION


class Record(NamedTuple):
    """A prepared example.

    Attributes:
        image: uint8[side, side, 3], RGB; read-only where it comes from a raw record.
        label: Index into the dataset's class names.
        id: Name of the row the example came from.
        photo_hash: `hash_photo` of its photo: what to split by, so that no photo is torn apart.
        pixel_hash: `hash_pixels` of the crop before it was encoded.
    """

    image: np.ndarray
    label: int
    id: str
    photo_hash: int
    pixel_hash: bytes


def hash_photo(photo: str) -> int:
    """Hashes a photo's name, the same on every machine and in every version.

    Args:
        photo: The name.

    Returns:
        The first 8 bytes of its SHA-256 as a big-endian unsigned integer.
    """
    digest = hashlib.sha256(photo.encode('utf-8', _UNICODE_ERRORS)).digest()
    return int.from_bytes(digest[:8], 'big')


def hash_pixels(image: np.ndarray) -> bytes:
    """Hashes a crop's pixels; equal crops have equal hashes.

    Args:
        image: uint8[side, side, 3].

    Returns:
        The first 16 bytes of the SHA-256 of the pixels in row order.
    """
    return hashlib.sha256(np.ascontiguousarray(image)).digest()[:_PIXEL_HASH_BYTES]


def encode_record(record: Record, *, encoding: Encoding = 'jpeg', quality: int = 95) -> bytes:
    """Turns a prepared example into bytes.

    Args:
        record: The example.
        encoding: 'jpeg', or 'raw' for the pixels themselves.
        quality: JPEG quality from 1 to 100; without effect on raw pixels.

    Returns:
        A msgpack dictionary with the fields of `Record`, where the image is bytes.
    """
    fields = record._asdict()
    fields['image'] = (
        record.image.tobytes() if encoding == 'raw' else _to_jpeg(record.image, quality)
    )
    return msgpack.packb(fields, unicode_errors=_UNICODE_ERRORS)


def _to_jpeg(image: np.ndarray, quality: int) -> bytes:
    blue_first = np.ascontiguousarray(image[..., ::-1])
    return cv2.imencode('.jpg', blue_first, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def decode_record(data: bytes, *, image_size: int, encoding: Encoding) -> Record:
    """Turns the bytes of `encode_record` back into an example.

    Args:
        data: The record.
        image_size: Side of the image in pixels, as the manifest says.
        encoding: How the image is kept, as the manifest says.

    Returns:
        The example.

    Raises:
        ValueError: If the bytes are no such record; the message says what is wrong.
    """
    try:
        # Lists take their declared length before they are filled, and may be nested.
        fields = msgpack.unpackb(
            data,
            unicode_errors=_UNICODE_ERRORS,
            max_array_len=_MAX_ITEMS,
            max_map_len=_MAX_ITEMS,
            max_ext_len=0,
        )
    except ValueError as error:
        raise ValueError(f'not a record: {error}') from error
    if not isinstance(fields, dict) or fields.keys() != _FIELD_TYPES.keys():
        raise ValueError(f'not a record: expected a dictionary of {", ".join(_FIELD_TYPES)}')
    for name, kind in _FIELD_TYPES.items():
        if type(fields[name]) is not kind:
            found = type(fields[name]).__name__
            raise ValueError(f'record field {name}: expected {kind.__name__}, found {found}')
    if fields['photo_hash'] < 0 or len(fields['pixel_hash']) != _PIXEL_HASH_BYTES:
        raise ValueError(
            f'record fields photo_hash, pixel_hash: expected a number from 0 and '
            f'{_PIXEL_HASH_BYTES} bytes, found {fields["photo_hash"]} and '
            f'{len(fields["pixel_hash"])} bytes'
        )
    fields['image'] = _to_pixels(fields['image'], image_size, encoding)
    return Record(**fields)


_FIELD_TYPES = {'image': bytes, 'label': int, 'id': str, 'photo_hash': int, 'pixel_hash': bytes}


def _to_pixels(data: bytes, side: int, encoding: Encoding) -> np.ndarray:
    shape = side, side, 3
    if encoding == 'raw':
        if len(data) != side * side * 3:
            raise ValueError(f'record field image: {len(data)} bytes are not {shape} raw pixels')
        return np.frombuffer(data, np.uint8).reshape(shape)
    if not data:
        raise ValueError('record field image: empty')
    declared = jpeg_shape(data)
    if declared not in (None, shape):  # Asked before the decoder takes memory for it.
        raise ValueError(f'record field image: expected {shape} pixels, found {declared}')
    image = None
    if declared is not None:
        with contextlib.suppress(cv2.error):  # Some damage makes it raise, the rest gives None.
            image = cv2.imdecode(np.frombuffer(data, np.uint8), _JPEG_FLAGS)
    if image is None or image.shape != shape:
        raise ValueError('record field image: not a readable JPEG')
    return image


@contextlib.contextmanager
def record_file(path: Path) -> Iterator[Callable[[bytes], None]]:
    """Opens a file for records; equal records give equal bytes.

    Args:
        path: Where to; an existing file is replaced.

    Yields:
        The function that appends an encoded record.
    """
    # Random access reads a whole group for one record.
    writer = ArrayRecordWriter(str(path), 'group_size:1')
    try:
        yield writer.write
    finally:
        writer.close()


def count_records(path: Path) -> int:
    """Counts the records of a file by its footer; none of them is read.

    Args:
        path: A file that `record_file` wrote.

    Returns:
        Their number.

    Raises:
        InputError: If it is no such file.
    """
    try:
        reader = ArrayRecordReader(str(path))
        try:
            return reader.num_records()
        finally:
            reader.close()
    except (RuntimeError, ValueError) as error:  # Of C++, and some have several lines.
        reason = ' '.join(str(error).split())
        raise InputError(f'{path}: damaged or not a shard: {reason}') from error
