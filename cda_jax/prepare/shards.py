"""Shards: the work on each, from pictures to records, and the manifest that sums them up."""

import itertools
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from cda_jax.data.manifest import (
    Index,
    Manifest,
    RowCounts,
    Settings,
    Shard,
    SkippedRow,
    Split,
    SplitContent,
    Stored,
)
from cda_jax.data.records import (
    UNLABELLED,
    Record,
    encode_record,
    hash_photo,
    hash_pixels,
    record_file,
)
from cda_jax.prepare.crop import crop_face, decode
from cda_jax.prepare.dataset import Example
from cda_jax.prepare.detect import NO_FACE, Detector, face_detector
from cda_jax.prepare.rows import Survey, as_text, count_reasons, skipped_row
from cda_jax.runtime.files import read_json, replacing, write_json

# More than the largest picture that is decoded takes, even if it is not compressed.
_MAX_FILE = 2**29


class WrittenShard(Stored, kw_only=True):
    """The note that a shard is complete: its records in order, and the rows it could not use."""

    num_bytes: int  # of the shard's file; 0 where no row could be used and there is no file
    ids: tuple[str, ...]
    labels: tuple[int, ...]
    photo_hashes: tuple[int, ...]
    pixel_hashes: tuple[str, ...]
    skipped: tuple[SkippedRow, ...]
    votes: tuple[tuple[float, ...], ...] = ()  # of all records or of none


# The shards of each split, by name and in order.
Shards = dict[Split, dict[str, WrittenShard]]


def scratch_of(out: Path) -> Path:
    """The folder for what is only needed until the manifest is written."""
    return out / '.parts'


def shard_file(out: Path, shard: str) -> Path:
    """The file of a shard's records."""
    return out / f'{shard}.array_record'


def note_file(out: Path, shard: str) -> Path:
    """The file of a `WrittenShard`."""
    return scratch_of(out) / f'{shard}.json'


def read_note(out: Path, shard: str) -> WrittenShard:
    """Reads the note on a shard that is complete."""
    return read_json(note_file(out, shard), WrittenShard)


def is_complete(out: Path, shard: str) -> bool:
    """Whether a shard needs no more work."""
    if not note_file(out, shard).is_file():
        return False
    file, num_bytes = shard_file(out, shard), read_note(out, shard).num_bytes
    return num_bytes == 0 or (file.is_file() and file.stat().st_size == num_bytes)


def write_shard(
    shard: str,
    rows: Sequence[Example],
    out: Path,
    settings: Settings,
    detector: bytes | None = None,
) -> int:
    """Writes a shard, and then the note that it is complete; returns the number of its rows.

    Args:
        detector: The model for `detect.face_detector`, where the settings ask for one.
    """
    detect = face_detector(detector) if settings.detector else None
    kept: list[Record] = []
    skipped: list[SkippedRow] = []
    file = shard_file(out, shard)
    with replacing(file) as temporary, record_file(temporary) as write:
        for row in _records(rows, settings, detect):
            if isinstance(row, SkippedRow):
                skipped.append(row)
            else:
                write(encode_record(row, encoding=settings.encoding, quality=settings.quality))
                kept.append(row._replace(image=None))
    if not kept:
        file.unlink()
    note = WrittenShard(
        num_bytes=file.stat().st_size if kept else 0,
        ids=tuple(record.id for record in kept),
        labels=tuple(record.label for record in kept),
        photo_hashes=tuple(record.photo_hash for record in kept),
        pixel_hashes=tuple(record.pixel_hash.hex() for record in kept),
        skipped=tuple(skipped),
        votes=tuple(record.votes for record in kept if record.votes is not None),
    )
    write_json(note_file(out, shard), note)
    return len(rows)


class Fault(NamedTuple):
    """Why a picture cannot be used, and what was found."""

    reason: str
    detail: str


def _records(
    rows: Sequence[Example], settings: Settings, detect: Detector | None
) -> Iterator[Record | SkippedRow]:
    # Faces of one photo follow each other, so the photo is opened once.
    for source, faces in itertools.groupby(rows, lambda row: (row.path, row.data, row.box is None)):
        image, box = load_picture(*source), None
        if detect and source[-1] and not isinstance(image, Fault):
            box = next(iter(detect(image)), None)
            image = Fault(NO_FACE, '') if box is None else image
        for row in faces:
            row = row._replace(box=row.box or box)
            crop = image if isinstance(image, Fault) else _crop(row, image, settings)
            if isinstance(crop, Fault):
                yield skipped_row(row.id, *crop)
            else:
                hashes = hash_photo(row.photo), hash_pixels(crop)
                yield Record(crop, row.label, as_text(row.id), *hashes, row.votes)


def load_picture(path: Path | None, data: bytes | None, is_whole: bool) -> np.ndarray | Fault:
    """Decodes a file, or `data`, to RGB; turned upright by its EXIF data where it `is_whole`."""
    try:
        return decode(_read(path) if data is None else data, upright=is_whole)
    except FileNotFoundError:
        return Fault('missing picture', path.name)
    except OSError as error:
        return Fault('unreadable file', f'{path.name}: {error.strerror}')
    except ValueError as error:
        return Fault('unreadable picture', str(error))


def _read(path: Path) -> bytes:
    # Opened like this, a pipe can be recognised instead of being waited for without end.
    with open(path, 'rb', opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError('a pipe or device')
        if status.st_size > _MAX_FILE:
            raise ValueError(f'a file of {status.st_size:,} bytes')
        return file.read()


def _crop(row: Example, image: np.ndarray, settings: Settings) -> np.ndarray | Fault:
    margin = (settings.image_size - settings.face_size) // 2
    try:
        return crop_face(image, row.box, face_size=settings.face_size, margin=margin)
    except ValueError as error:
        height, width = image.shape[:2]
        edges = ', '.join(f'{edge:g}' for edge in row.box)
        return Fault(str(error), f'box ({edges}) on a picture of {width}x{height}')


def make_manifest(
    settings: Settings, found: Survey, shards: Shards, layout: str, class_changes: dict[str, str]
) -> Manifest:
    """Sums up what happened to all rows."""
    splits = {split: _content(shards[split], len(settings.class_names)) for split in shards}
    skipped = found.skipped + tuple(
        row for of_split in shards.values() for shard in of_split.values() for row in shard.skipped
    )
    written = sum(content.num_examples for content in splits.values())
    left_out = {'excluded': found.excluded.total(), 'skipped': len(skipped)}
    return Manifest(
        **msgspec.structs.asdict(settings),
        splits=splits,
        rows=RowCounts(read=written + sum(left_out.values()), written=written, **left_out),
        excluded=dict(found.excluded.most_common()),
        skipped=count_reasons(skipped),
        skipped_rows=skipped,
        layout=layout,
        class_changes=class_changes,
    )


def make_index(shards: dict[str, WrittenShard]) -> Index:
    """The index of a split's shards."""
    labels = [label for shard in shards.values() for label in shard.labels]
    photos = [photo_hash for shard in shards.values() for photo_hash in shard.photo_hashes]
    pixels = [int(digest[:16], 16) for shard in shards.values() for digest in shard.pixel_hashes]
    votes = [of_row for shard in shards.values() for of_row in shard.votes]
    votes = np.array(votes, np.float32) if votes else None
    hashes = (np.array(column, np.uint64) for column in (photos, pixels))
    return Index(np.array(labels, np.int32), *hashes, votes)


def _content(shards: dict[str, WrittenShard], num_classes: int) -> SplitContent:
    labels = make_index(shards).label
    known = labels[labels != UNLABELLED]
    counts = tuple(np.bincount(known, minlength=num_classes).tolist())
    files = tuple(
        Shard(
            file=shard_file(Path(), name).name,
            num_examples=len(shard.ids),
            num_bytes=shard.num_bytes,
        )
        for name, shard in shards.items()
        if shard.ids
    )
    return SplitContent(num_examples=len(labels), class_counts=counts, shards=files)
