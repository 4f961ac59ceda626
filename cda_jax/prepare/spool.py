"""The rows of a dataset, cut into one file of rows a shard.

Writing the rows down before any picture is opened gives their number, for the time left, and their
hash, for telling one preparation from another; memory does not grow with the dataset.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgpack

from cda_jax.data.manifest import SPLITS, SkippedRow
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Box, Example, Skipped, Split

# The name of a file need not be valid UTF-8; Python marks such bytes, and so they survive.
_UNICODE_ERRORS = 'surrogateescape'


class Spooled(NamedTuple):
    """The rows of a dataset.

    Attributes:
        shards: For each split, the names of its shards in order, and the number of rows in each.
        excluded: How many rows are left out on purpose, by reason.
        skipped: The rows that the reader found unusable.
        sha256: Hash of all rows in order, in hexadecimal.
    """

    shards: dict[Split, dict[str, int]]
    excluded: Counter[str]
    skipped: tuple[SkippedRow, ...]
    sha256: str


def spool(
    rows: Iterable[Example | Skipped],
    folder: Path,
    *,
    shard_size: int,
    num_classes: int,
    wanted: Callable[[str], bool],
) -> Spooled:
    """Reads all rows and writes those of each wanted shard to `FOLDER/SHARD.rows`.

    Args:
        rows: A dataset's rows.
        folder: An existing folder.
        shard_size: Rows a shard.
        num_classes: Labels must be below.
        wanted: Says by a shard's name whether its rows are to be written.

    Returns:
        What was read.

    Raises:
        InputError: If a label or split is out of range.
    """
    writers = {split: _Writer(split, folder, shard_size, wanted) for split in SPLITS}
    excluded: Counter[str] = Counter()
    skipped = []
    digest = hashlib.sha256()
    try:
        for row in rows:
            if isinstance(row, Skipped):
                digest.update(_pack([row.id, row.reason, row.fault]))
                if row.fault:
                    skipped.append(SkippedRow(id=row.id, reason=row.reason, detail=row.detail))
                else:
                    excluded[row.reason] += 1
                continue
            _check(row, num_classes)
            packed = _pack_example(row)
            digest.update(packed)
            # The path stays out of the hash: a dataset may move.
            path = None if row.path is None else os.fsencode(row.path)
            writers[row.split].write(packed + _pack(path))
    finally:
        for writer in writers.values():
            writer.close()
    shards = {split: writer.shards for split, writer in writers.items()}
    return Spooled(shards, excluded, tuple(skipped), digest.hexdigest())


def read_rows(folder: Path, shard: str) -> Iterator[Example]:
    """Reads back the rows of one shard.

    Args:
        folder: The folder that `spool` wrote to.
        shard: The shard's name.

    Yields:
        Its examples in order.
    """
    with rows_file(folder, shard).open('rb') as file:
        values = msgpack.Unpacker(file, unicode_errors=_UNICODE_ERRORS, max_buffer_size=0)
        for (row_id, photo, box, label, split, data), path in zip(values, values, strict=True):
            yield Example(
                id=row_id,
                photo=photo,
                path=None if path is None else Path(os.fsdecode(path)),
                box=None if box is None else Box(*box),
                label=label,
                split=split,
                data=data,
            )


def rows_file(folder: Path, shard: str) -> Path:
    """Names the file with the rows of a shard."""
    return folder / f'{shard}.rows'


class _Writer:
    """Cuts one split into shards."""

    def __init__(self, split: Split, folder: Path, size: int, wanted: Callable[[str], bool]):
        self.shards: dict[str, int] = {}
        self._split, self._folder, self._size, self._wanted = split, folder, size, wanted
        self._shard = ''
        self._file = None

    def write(self, packed: bytes) -> None:
        if self.shards.get(self._shard, self._size) == self._size:
            self._begin()
        self.shards[self._shard] += 1
        if self._file is not None:
            self._file.write(packed)

    def _begin(self) -> None:
        self.close()
        self._shard = f'{self._split}-{len(self.shards):05d}'
        self.shards[self._shard] = 0
        if self._wanted(self._shard):
            self._file = rows_file(self._folder, self._shard).open('wb')

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _check(row: Example, num_classes: int) -> None:
    if not 0 <= row.label < num_classes:
        raise InputError(
            f'row {row.id}: label {row.label}: expected 0 to {num_classes - 1}, an index into the '
            'class names'
        )
    if row.split not in SPLITS:
        raise InputError(f'row {row.id}: split {row.split!r}: expected train or test')


def _pack_example(row: Example) -> bytes:
    box = None if row.box is None else [float(edge) for edge in row.box]
    return _pack([row.id, row.photo, box, int(row.label), row.split, row.data])


def _pack(value: object) -> bytes:
    return msgpack.packb(value, unicode_errors=_UNICODE_ERRORS)
