"""The work on one shard: open its pictures, cut out the faces, write the records."""

import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cda_jax.data.manifest import Settings, SkippedRow
from cda_jax.data.records import Record, encode_record, hash_photo, hash_pixels, record_file
from cda_jax.data.typed_json import read_json, write_json
from cda_jax.prepare.crop import crop_face, decode
from cda_jax.prepare.dataset import Example
from cda_jax.prepare.spool import read_rows, rows_file

# More than the largest picture takes that is decoded, even where it is not compressed.
_MAX_FILE = 2**29


@dataclass(frozen=True, kw_only=True)
class Part:
    """What became of the rows of one shard. It is written last: where it is, the shard is complete.

    Attributes:
        num_bytes: Size of the shard's file; 0 where no row could be used and there is no file.
        ids: Of the records, in order; so are the following.
        labels: Of the records.
        photo_hashes: Of the records.
        pixel_hashes: Of the records, in hexadecimal.
        skipped: Rows that could not be used.
    """

    num_bytes: int
    ids: tuple[str, ...]
    labels: tuple[int, ...]
    photo_hashes: tuple[int, ...]
    pixel_hashes: tuple[str, ...]
    skipped: tuple[SkippedRow, ...]


def shard_file(out: Path, shard: str) -> Path:
    """Names the file of a shard."""
    return out / f'{shard}.array_record'


def part_file(scratch: Path, shard: str) -> Path:
    """Names the file that says what became of the rows of a shard."""
    return scratch / f'{shard}.json'


def is_complete(out: Path, scratch: Path, shard: str) -> bool:
    """Tells whether a shard needs no more work.

    Args:
        out: The dataset's folder.
        scratch: The folder for what is only needed while preparing.
        shard: The shard's name.

    Returns:
        Whether its part is there, and the file that the part speaks of.

    Raises:
        InputError: If the part is damaged.
    """
    path = part_file(scratch, shard)
    if not path.is_file():
        return False
    num_bytes = read_json(path, Part).num_bytes
    file = shard_file(out, shard)
    return num_bytes == 0 or (file.is_file() and file.stat().st_size == num_bytes)


def write_shard(shard: str, *, out: Path, scratch: Path, settings: Settings) -> None:
    """Writes a shard and its part from the rows spooled for it, and removes these.

    Args:
        shard: The shard's name.
        out: The dataset's folder.
        scratch: The folder with the rows, on the same file system.
        settings: The preparation's settings.
    """
    kept: list[tuple[str, int, int, str]] = []
    skipped: list[SkippedRow] = []
    temporary, file = scratch / f'{shard}.tmp', shard_file(out, shard)
    with record_file(temporary) as write:
        for row in _outcomes(read_rows(scratch, shard), settings):
            if isinstance(row, SkippedRow):
                skipped.append(row)
                continue
            write(encode_record(row, encoding=settings.encoding, quality=settings.quality))
            kept.append((row.id, row.label, row.photo_hash, row.pixel_hash.hex()))
    if kept:
        os.replace(temporary, file)
    else:
        temporary.unlink()
        file.unlink(missing_ok=True)  # Of an attempt when some of its pictures could be used.
    part = Part(
        num_bytes=file.stat().st_size if kept else 0,
        ids=tuple(row_id for row_id, _, _, _ in kept),
        labels=tuple(label for _, label, _, _ in kept),
        photo_hashes=tuple(photo_hash for _, _, photo_hash, _ in kept),
        pixel_hashes=tuple(pixel_hash for _, _, _, pixel_hash in kept),
        skipped=tuple(skipped),
    )
    write_json(part_file(scratch, shard), part, temporary=scratch / f'{shard}.json.tmp')
    rows_file(scratch, shard).unlink()


class _Fault(NamedTuple):
    """Why a picture gives no crop."""

    reason: str
    detail: str


def _outcomes(rows: Iterable[Example], settings: Settings) -> Iterator[Record | SkippedRow]:
    # Faces of one photo follow each other, so the photo is opened once.
    for source, faces in itertools.groupby(rows, lambda row: (row.path, row.data, row.box is None)):
        image = _load(*source)
        for row in faces:
            outcome = image if isinstance(image, _Fault) else _crop(row, image, settings)
            if isinstance(outcome, _Fault):
                yield SkippedRow(id=row.id, **outcome._asdict())
            else:
                yield Record(
                    image=outcome,
                    label=row.label,
                    id=row.id,
                    photo_hash=hash_photo(row.photo),
                    pixel_hash=hash_pixels(outcome),
                )


def _read(path: Path) -> bytes:
    # A pipe would be waited for without end; opened like this, it is found out.
    with open(path, 'rb', opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError('a pipe or device')
        if status.st_size > _MAX_FILE:
            raise ValueError(f'a file of {status.st_size:,} bytes')
        return file.read()


def _load(path: Path | None, data: bytes | None, is_whole: bool) -> np.ndarray | _Fault:
    try:
        return decode(_read(path) if data is None else data, upright=is_whole)
    except FileNotFoundError:
        return _Fault('missing picture', path.name)
    except OSError as error:
        return _Fault('unreadable file', f'{path.name}: {error.strerror}')
    except ValueError as error:
        return _Fault('unreadable picture', str(error))


def _crop(row: Example, image: np.ndarray, settings: Settings) -> np.ndarray | _Fault:
    margin = (settings.image_size - settings.face_size) // 2
    try:
        return crop_face(image, row.box, face_size=settings.face_size, margin=margin)
    except ValueError as error:
        height, width = image.shape[:2]
        edges = ', '.join(f'{edge:g}' for edge in row.box)
        return _Fault(str(error), f'box ({edges}) on a picture of {width}x{height}')
