"""The description of a prepared dataset: `manifest.json`, and an index for each split."""

import os
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
import numpy as np

from cda_jax.data.arrays import read_npz
from cda_jax.data.records import UNLABELLED, Encoding, count_records
from cda_jax.errors import InputError
from cda_jax.runtime.files import read_json, replacing

Split = Literal['train', 'validation', 'test']
Count = Annotated[int, msgspec.Meta(ge=0)]

MANIFEST = 'manifest.json'
SPLITS: tuple[Split, ...] = ('train', 'test')  # of every prepared dataset
ALL_SPLITS: tuple[Split, ...] = ('train', 'validation', 'test')  # of those with three
# In pixels; with larger images, a single batch would fill the memory.
MAX_IMAGE_SIZE = 4096
# Far more than the size of a manifest that lists millions of rows.
_MAX_BYTES = 2**28
# Per example in the index, twice what one takes, and its votes for each class.
_INDEX_BYTES, _VOTE_BYTES = 40, 8


class Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Content of a JSON file, in which no field may be missing and none may be added."""


class Source(Stored, kw_only=True):
    """A label file that the rows were read from."""

    file: str
    sha256: str


class Settings(Stored, kw_only=True):
    """Everything that decides what a preparation writes, except the pictures themselves."""

    name: str
    reader: str
    reader_options: dict[str, str | int | float | bool | None]
    class_names: tuple[str, ...]
    face_size: int  # side of the face box in the records' images, in pixels
    image_size: int  # side of these images, in pixels
    encoding: Encoding
    quality: int | None  # of the JPEG; None where the pixels are raw
    shard_size: int  # in rows, including those that prove unusable
    sources: tuple[Source, ...]
    rows_sha256: str  # of all rows as the reader gave them
    detector: str = ''  # what found the faces where a row has no box; '': the picture was taken


class Shard(Stored, kw_only=True):
    """A file of records in the manifest's folder."""

    file: str
    num_examples: Count
    num_bytes: int


class SplitContent(Stored, kw_only=True):
    """The examples of one split: how many, in all and by class, and their files in order."""

    num_examples: int
    class_counts: tuple[Count, ...]
    shards: tuple[Shard, ...]


class RowCounts(Stored, kw_only=True):
    """What happened to the rows of the sources; `read` is the sum of the others."""

    read: int
    written: int
    excluded: int
    skipped: int


class SkippedRow(Stored, kw_only=True):
    """A row that could not be used."""

    id: str
    reason: str
    detail: str


class Dropped(Stored, kw_only=True):
    """A picture of the training side that is not trained on, because it copies a test picture."""

    split: Literal['train', 'validation']
    row: Count  # its place among the records of the split
    id: str
    test_site: str
    test_id: str
    likeness: float  # how the two correlate when they lie over each other; 1: equal pixels


class Manifest(Settings, kw_only=True):
    """A prepared dataset, in a folder whose layout has a version."""

    splits: dict[str, SplitContent]
    rows: RowCounts
    excluded: dict[str, int]  # rows left out on purpose, by reason
    skipped: dict[str, int]  # rows that could not be used, by reason
    skipped_rows: tuple[SkippedRow, ...]
    layout: str = ''  # which of its dataset's layouts the folder had, in words
    # What became of the classes that the source names otherwise; '' where a class was dropped.
    class_changes: dict[str, str] = {}
    dropped: tuple[Dropped, ...] = ()  # they count in `splits`, whose records stay as they are
    format: Literal['cda_jax prepared dataset'] = 'cda_jax prepared dataset'
    version: Literal[2] = 2

    @property
    def unlabelled(self) -> bool:
        """Whether nobody has said the classes of the training examples."""
        train = self.splits.get('train')
        return train is not None and train.num_examples > 0 == sum(train.class_counts)


class _Layout(msgspec.Struct):
    """Read first, because another version explains why other fields differ."""

    format: Literal['cda_jax prepared dataset']
    version: int


class Index(NamedTuple):
    """What is known of a split's records, in their order, without opening shards."""

    label: np.ndarray  # int32[N], or UNLABELLED
    photo_hash: np.ndarray  # uint64[N], from `records.hash_photo`
    pixel_hash: np.ndarray  # uint64[N], the first 8 bytes of `records.hash_pixels`, big-endian
    votes: np.ndarray | None = None  # float32[N, C], how many annotators chose each class

    def take(self, rows: np.ndarray | slice) -> 'Index':
        """The index of some of the records."""
        return Index(*(None if column is None else column[rows] for column in self))


def read_manifest(folder: str | os.PathLike[str]) -> Manifest:
    """Reads a prepared dataset's manifest; raises InputError if it or a shard is not complete."""
    folder = Path(folder)
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f'{path}: no such file; expected a folder that tools/prepare.py completed')
    if path.stat().st_size > _MAX_BYTES:
        raise InputError(f'{path}: expected at most {_MAX_BYTES:,} bytes')
    if (version := read_json(path, _Layout).version) != 2:
        raise InputError(
            f'{path}: version: expected 2, found {version}; delete {folder} and prepare it again'
        )
    manifest = read_json(path, Manifest)
    if not 1 <= manifest.face_size <= manifest.image_size <= MAX_IMAGE_SIZE:
        raise InputError(
            f'{path}: face_size, image_size: expected 1 <= face_size <= image_size <= '
            f'{MAX_IMAGE_SIZE}, found {manifest.face_size} and {manifest.image_size}'
        )
    names = manifest.class_names
    if len(set(names)) != len(names) or not (names or manifest.unlabelled):
        raise InputError(f'{path}: class_names: expected different names, at least one')
    _check_counts(path, manifest)
    for content in manifest.splits.values():
        for shard in content.shards:
            _check_shard(folder, shard)
    return manifest


def _check_counts(path: Path, manifest: Manifest) -> None:
    if set(manifest.splits) - {'validation'} != set(SPLITS):
        found = ', '.join(manifest.splits)[:80] or 'none'
        raise InputError(f'{path}: splits: expected {" and ".join(SPLITS)}, found {found}')
    for name, split in manifest.splits.items():
        where = f'{path}: splits.{name}'
        _expect(f'{where}.class_counts', len(split.class_counts), len(manifest.class_names), 'long')
        if name != 'train' or any(split.class_counts):  # there, all may be unlabelled
            _expect(f'{where}.class_counts', sum(split.class_counts), split.num_examples, 'in all')
        total = sum(shard.num_examples for shard in split.shards)
        _expect(f'{where}.shards', total, split.num_examples, 'examples in all')
    for place, dropped in enumerate(manifest.dropped):
        split = manifest.splits.get(dropped.split)
        if split is None or dropped.row >= split.num_examples:
            found = f'{dropped.row} of {dropped.split!r}'
            raise InputError(
                f'{path}: dropped[{place}]: expected a row that is there, found {found}'
            )
    files = [shard.file for split in manifest.splits.values() for shard in split.shards]
    _expect(f'{path}: splits', len(set(files)), len(files), 'different shards')
    rows = manifest.rows
    _expect(f'{path}: rows.read', rows.read, rows.written + rows.excluded + rows.skipped, 'in all')
    written = sum(split.num_examples for split in manifest.splits.values())
    _expect(f'{path}: rows.written', rows.written, written, 'examples')
    _expect(f'{path}: excluded', sum(manifest.excluded.values()), rows.excluded, 'in all')
    _expect(f'{path}: skipped', sum(manifest.skipped.values()), rows.skipped, 'in all')
    _expect(f'{path}: skipped_rows', len(manifest.skipped_rows), rows.skipped, 'rows')


def _expect(where: str, found: int, expected: int, unit: str) -> None:
    if found != expected:
        raise InputError(f'{where}: expected {expected} {unit}, found {found}')


def _check_shard(folder: Path, shard: Shard) -> None:
    is_plain = Path(shard.file).name == shard.file and shard.file.isprintable()
    if not is_plain or len(shard.file) > 255:
        raise InputError(
            f'{folder / MANIFEST}: shard {shard.file[:80]!r}: expected a plain file name'
        )
    path = folder / shard.file
    if not os.path.isfile(path):  # unlike Path's, it takes names that no file can have
        raise InputError(f'{path}: no such file, but the manifest lists it')
    _expect(f'{path}', path.stat().st_size, shard.num_bytes, 'bytes, as the manifest says')


def check_records(folder: Path, content: SplitContent) -> None:
    """Checks the number of records in each shard of a split."""
    for shard in content.shards:
        path = folder / shard.file
        _expect(f'{path}', count_records(path), shard.num_examples, 'records, as the manifest says')


def write_index(folder: Path, split: Split, index: Index) -> None:
    """Writes the index of a split beside its shards."""
    with replacing(_index_file(folder, split)) as path, path.open('wb') as file:
        np.savez(file, **{k: column for k, column in index._asdict().items() if column is not None})


def read_index(folder: str | os.PathLike[str], split: Split) -> Index:
    """Reads the index of a split; raises InputError where it does not match the manifest."""
    content = read_manifest(folder).splits[split]
    path = _index_file(Path(folder), split)
    size, counts = content.num_examples, content.class_counts
    row_bytes = _INDEX_BYTES + _VOTE_BYTES * len(counts)
    arrays = read_npz(path, max_bytes=row_bytes * size + 2**12)
    hashes = dict.fromkeys(('photo_hash', 'pixel_hash'), f'uint64[{size}]')
    columns = {'label': f'int32[{size}]'} | hashes
    if 'votes' in arrays:
        columns['votes'] = f'float32[{size}, {len(counts)}]'
    for name, expected in columns.items():
        array = arrays.get(name)
        found = 'nothing' if array is None else f'{array.dtype}{list(array.shape)}'
        if found != expected:
            raise InputError(f'{path}: {name}: expected {expected}, found {found}')
    index = Index(*(arrays.get(name) for name in Index._fields))
    labels = index.label[index.label != UNLABELLED]
    in_range = np.all((labels >= 0) & (labels < len(counts)))
    if not in_range or np.bincount(labels, minlength=len(counts)).tolist() != list(counts):
        raise InputError(f'{path}: label: the numbers of each class are not those of the manifest')
    if index.votes is not None and not _are_for_labels(index.votes, index.label):
        raise InputError(f'{path}: votes: expected numbers from 0, most of them for the label')
    return index


def _are_for_labels(votes: np.ndarray, labels: np.ndarray) -> bool:
    if np.any(labels == UNLABELLED):
        return False
    most = votes.max(axis=1, initial=0)
    are_most = (votes[np.arange(len(labels)), labels] == most) & (most > 0) & np.isfinite(most)
    return bool(np.all(are_most) and np.all(votes >= 0))


def _index_file(folder: Path, split: Split) -> Path:
    return folder / f'{split}-index.npz'
