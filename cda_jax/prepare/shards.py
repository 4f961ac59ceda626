"""Shards: the work on each, from pictures to records, and the manifest that sums them up."""

import functools
import os
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

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
from cda_jax.errors import InputError
from cda_jax.prepare.crop import crop_face, decode
from cda_jax.prepare.dataset import Box, Dataset, Example
from cda_jax.prepare.detect import NO_FACE, face_detector
from cda_jax.prepare.readers.row_checks import MISSING_PICTURE, UnusableRowError
from cda_jax.prepare.rows import Survey, as_text, skipped_row
from cda_jax.runtime.files import read_json, replacing, write_json

# In the folder that is prepared, for what is only needed until the manifest is written.
SCRATCH = '.parts'
# More than the largest picture that is decoded takes, even if it is not compressed.
_MAX_FILE = 2**29


class Note(Stored, kw_only=True):
    """The note that a shard is complete, with what the index and the manifest say of it."""

    shard: Shard  # where no row could be used, it is empty and there is no file
    records: tuple[tuple[int, int, int, tuple[float, ...] | None], ...]  # a row of `Index` each
    skipped: tuple[SkippedRow, ...]


Notes = dict[Split, list[Note]]  # of all shards, in order


def note_file(out: Path, name: str) -> Path:
    """The file of a shard's note."""
    return out / SCRATCH / f'{name}.json'


def read_note(out: Path, name: str) -> Note | None:
    """Reads the note on a shard; None where the shard needs more work."""
    try:
        note = read_json(note_file(out, name), Note)
    except InputError:  # there is none, or an earlier version of the program wrote it
        return None
    file, size = out / note.shard.file, note.shard.num_bytes
    return note if not size or (file.is_file() and file.stat().st_size == size) else None


def write_shard(
    name: str, rows: Sequence[Example], out: Path, settings: Settings, detector: bytes | None
) -> int:
    """Writes a shard, then the note that it is complete; returns the number of its rows.

    `detector` is a model to find faces, as of `face_detector`.
    """
    detect = face_detector(detector) if settings.detector else None

    @functools.lru_cache(maxsize=1)  # faces of one photo follow each other, so it is opened once
    def photo(
        path: Path | None, data: bytes | None, is_whole: bool
    ) -> tuple[np.ndarray, Box | None] | UnusableRowError:
        try:
            image = load_picture(path, data, is_whole)
        except UnusableRowError as error:
            return error  # the cache keeps what is returned, not what is raised
        boxes = detect(image) if detect and is_whole else [None]
        return (image, boxes[0]) if boxes else UnusableRowError(NO_FACE)

    records, skipped = [], []
    file = out / f'{name}.array_record'
    with replacing(file) as temporary, record_file(temporary) as write:
        for row in rows:
            try:
                opened = photo(row.path, row.data, row.box is None)
                if isinstance(opened, UnusableRowError):
                    raise opened
                image, box = opened
                crop = _crop(image, row.box or box, settings)
            except UnusableRowError as error:
                skipped.append(skipped_row(row.id, *error.args))
                continue
            hashes = hash_photo(row.photo), hash_pixels(crop)
            record = Record(crop, row.label, as_text(row.id), *hashes, row.votes)
            write(encode_record(record, encoding=settings.encoding, quality=settings.quality))
            records.append((row.label, hashes[0], int.from_bytes(hashes[1][:8]), row.votes))
    num_bytes = file.stat().st_size if records else 0
    if not records:
        file.unlink()
    shard = Shard(file=file.name, num_examples=len(records), num_bytes=num_bytes)
    note = Note(shard=shard, records=tuple(records), skipped=tuple(skipped))
    write_json(note_file(out, name), note)
    return len(rows)


def load_picture(path: Path | None, data: bytes | None, is_whole: bool) -> np.ndarray:
    """Decodes a file, or `data`, to RGB; turned upright by its EXIF data where it `is_whole`.

    An UnusableRowError has the reason and the detail where it cannot be.
    """
    try:
        return decode(_read(path) if data is None else data, upright=is_whole)
    except FileNotFoundError as error:
        raise UnusableRowError(MISSING_PICTURE, path.name) from error
    except OSError as error:
        raise UnusableRowError('unreadable file', f'{path.name}: {error.strerror}') from error
    except ValueError as error:
        raise UnusableRowError('unreadable picture', str(error)) from error


def _read(path: Path) -> bytes:
    # Opened like this, a pipe can be recognised instead of being waited for without end.
    with open(path, 'rb', opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError('a pipe or device')
        if status.st_size > _MAX_FILE:
            raise ValueError(f'a file of {status.st_size:,} bytes')
        return file.read()


def _crop(image: np.ndarray, box: Box | None, settings: Settings) -> np.ndarray:
    margin = (settings.image_size - settings.face_size) // 2
    try:
        return crop_face(image, box, face_size=settings.face_size, margin=margin)
    except ValueError as error:
        height, width = image.shape[:2]
        edges = ', '.join(f'{edge:g}' for edge in box)
        detail = f'box ({edges}) on a picture of {width}x{height}'
        raise UnusableRowError(str(error), detail) from error


def with_pictures(found: Survey, notes: Notes) -> Survey:
    """What is known of all rows once their pictures have been opened."""
    counts = {split: sum(len(note.records) for note in notes[split]) for split in notes}
    skipped = (row for of_split in notes.values() for note in of_split for row in note.skipped)
    return found._replace(counts=counts, skipped=(*found.skipped, *skipped))


def make_manifest(settings: Settings, found: Survey, notes: Notes, dataset: Dataset) -> Manifest:
    """Sums up what happened to all rows; `found` is what `with_pictures` gives."""
    counts = {'written': sum(found.counts.values()), 'excluded': found.excluded.total()}
    counts['skipped'] = len(found.skipped)
    return Manifest(
        **msgspec.structs.asdict(settings),
        splits={split: _content(notes[split], len(settings.class_names)) for split in notes},
        rows=RowCounts(read=sum(counts.values()), **counts),
        excluded=dict(found.excluded.most_common()),
        skipped=found.reasons,
        skipped_rows=found.skipped,
        layout=dataset.layout,
        class_changes=dict(dataset.class_changes),
    )


def make_index(notes: Iterable[Note]) -> Index:
    """The index of a split's shards."""
    records = [record for note in notes for record in note.records]
    labels, photos, pixels, votes = zip(*records, strict=True) if records else [()] * 4
    votes = np.array(votes, np.float32) if any(votes) else None
    hashes = (np.array(column, np.uint64) for column in (photos, pixels))
    return Index(np.array(labels, np.int32), *hashes, votes)


def _content(notes: list[Note], num_classes: int) -> SplitContent:
    labels = make_index(notes).label
    counts = np.bincount(labels[labels != UNLABELLED], minlength=num_classes)
    return SplitContent(
        num_examples=len(labels),
        class_counts=tuple(counts.tolist()),
        shards=tuple(note.shard for note in notes if note.records),
    )
