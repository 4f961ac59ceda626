"""One prepared example as bytes, and files of them."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import cv2
import msgspec
import numpy as np
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter

from cda_jax.errors import InputError

Encoding = Literal['jpeg', 'raw']

# The label of a training example whose class nobody has said.
UNLABELLED = -1

# Pixels as they are stored, whatever EXIF data say.
_JPEG_FLAGS = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION


class Record(NamedTuple):
    """A prepared example."""

    image: np.ndarray  # uint8[side, side, 3], RGB; read-only where it comes from a raw record
    label: int  # index into the dataset's class names, or UNLABELLED
    id: str  # name of the row that the example came from
    photo_hash: int  # `hash_photo` of its photo; splits go by it, so that no photo is torn apart
    pixel_hash: bytes  # `hash_pixels` of the crop before it was encoded
    votes: tuple[float, ...] | None = None  # of annotators, by class, where they are known


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A record as msgpack; the image is a JPEG file or its pixels."""

    image: bytes
    label: int
    id: str
    photo_hash: Annotated[int, msgspec.Meta(ge=0)]
    pixel_hash: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
    votes: tuple[float, ...] | None = None  # left out where there are none


_decoder = msgspec.msgpack.Decoder(_Stored)


def hash_photo(photo: str) -> int:
    """The first 8 bytes of the SHA-256 of a photo's name as a big-endian unsigned integer."""
    # A file's name need not be valid UTF-8; Python marks such bytes.
    digest = hashlib.sha256(photo.encode('utf-8', 'surrogateescape')).digest()
    return int.from_bytes(digest[:8], 'big')


def hash_pixels(image: np.ndarray) -> bytes:
    """The first 16 bytes of the SHA-256 of a crop's pixels in row order."""
    return hashlib.sha256(np.ascontiguousarray(image)).digest()[:16]


def encode_record(record: Record, *, encoding: Encoding = 'jpeg', quality: int = 95) -> bytes:
    """Turns a prepared example into bytes; `quality` is that of the JPEG, from 1 to 100."""
    image = record.image
    if encoding == 'jpeg':
        blue_first = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        image = cv2.imencode('.jpg', blue_first, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return msgspec.msgpack.encode(_Stored(image.tobytes(), *record[1:]))


def decode_record(data: bytes, *, image_size: int, encoding: Encoding) -> Record:
    """Turns the bytes of `encode_record` back into an example; raises ValueError for any others."""
    try:
        stored = _decoder.decode(data)
    except ValueError as error:  # msgspec's own errors, and those of invalid UTF-8
        raise ValueError(f'not a record: {error}') from error
    image = _to_pixels(stored.image, image_size, encoding)
    return Record(image, *msgspec.structs.astuple(stored)[1:])


def _to_pixels(data: bytes, side: int, encoding: Encoding) -> np.ndarray:
    shape = side, side, 3
    if encoding == 'raw':
        if len(data) != side * side * 3:
            raise ValueError(f'record field image: {len(data)} bytes are not {shape} raw pixels')
        return np.frombuffer(data, np.uint8).reshape(shape)
    image = None
    # Some versions of OpenCV fill the missing part of a cut JPEG with grey and say nothing.
    if data.endswith(b'\xff\xd9'):  # the marker that ends a JPEG
        with contextlib.suppress(cv2.error):  # raised for some damage; otherwise it gives None
            image = cv2.imdecode(np.frombuffer(data, np.uint8), _JPEG_FLAGS)
    if image is None:
        raise ValueError('record field image: not a readable JPEG')
    if image.shape != shape:
        raise ValueError(f'record field image: expected {shape} pixels, found {image.shape}')
    return image


@contextlib.contextmanager
def record_file(path: Path) -> Iterator[Callable[[bytes], None]]:
    """Opens a file and yields what appends a record to it; equal records give equal files."""
    # To read one record, random access reads its whole group.
    with contextlib.closing(ArrayRecordWriter(str(path), 'group_size:1')) as writer:
        yield writer.write


def count_records(path: Path) -> int:
    """Reads the number of records from a file's footer; raises InputError if it is no shard."""
    try:
        with contextlib.closing(ArrayRecordReader(str(path))) as reader:
            return reader.num_records()
    except (RuntimeError, ValueError) as error:
        reason = ' '.join(str(error).split())  # messages from C++ may have several lines
        raise InputError(f'{path}: damaged or not a shard: {reason}') from error
