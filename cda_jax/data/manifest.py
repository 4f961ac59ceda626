"""What a prepared dataset says of itself: `manifest.json`, and an index beside each split."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from cda_jax.data.npy import read_npz
from cda_jax.data.records import Encoding, count_records
from cda_jax.data.typed_json import read_json, write_json
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Split

MANIFEST = 'manifest.json'
SPLITS: tuple[Split, ...] = ('train', 'test')
# Sides of images in pixels; what is above would fill the memory with a batch.
MAX_IMAGE_SIZE = 4096


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file that said what the rows are, and the SHA-256 of its bytes in hexadecimal."""

    file: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that decides what a preparation writes, except the rows and pictures themselves.

    Attributes:
        name: Name of the dataset, for tables and figures.
        reader: Which reader read it, and with which options.
        class_names: Names of the labels 0..C-1.
        face_size: Side of the face box in the records' images, in pixels.
        image_size: Side of the records' images, in pixels.
        encoding: How records keep their image.
        quality: The JPEG quality, or None where the pixels are raw.
        shard_size: Rows that go into one shard, those that prove unusable included.
        sources: The reader's label files.
    """

    name: str
    reader: str
    reader_options: dict[str, str | int | float | bool | None]
    class_names: tuple[str, ...]
    face_size: int
    image_size: int
    encoding: Encoding
    quality: int | None
    shard_size: int
    sources: tuple[Source, ...]


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A file of records, its name relative to the manifest."""

    file: str
    num_examples: int
    num_bytes: int


@dataclass(frozen=True, kw_only=True)
class SplitContent:
    """The examples of one split: their number, in all and by class, and their files in order."""

    num_examples: int
    class_counts: tuple[int, ...]
    shards: tuple[Shard, ...]


@dataclass(frozen=True, kw_only=True)
class RowCounts:
    """Where the rows of the sources went: `read` is the sum of the others."""

    read: int
    written: int
    excluded: int
    skipped: int


@dataclass(frozen=True, kw_only=True)
class SkippedRow:
    """A row that could not be used."""

    id: str
    reason: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """Crops with equal pixels.

    Attributes:
        test_in_train: Number of test examples whose pixels are in the training set as well.
        pairs: Their ids: of a training example, the first with these pixels, and of the test one.
        within: For each split, the number of examples that repeat an earlier one of that split.
    """

    test_in_train: int
    pairs: tuple[tuple[str, str], ...]
    within: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Manifest(Settings):
    """A prepared dataset.

    Attributes:
        rows_sha256: Hash of all rows as the reader gave them, pictures not included.
        splits: The content of 'train' and 'test'.
        rows: Where the rows went.
        excluded: How many rows were left out on purpose, by reason.
        skipped: How many rows could not be used, by reason.
        skipped_rows: Those rows.
        duplicates: Pictures that occur more than once.
        format: Marks the file as a manifest.
        version: Of the layout of the folder.
    """

    rows_sha256: str
    splits: dict[str, SplitContent]
    rows: RowCounts
    excluded: dict[str, int]
    skipped: dict[str, int]
    skipped_rows: tuple[SkippedRow, ...]
    duplicates: Duplicates
    format: Literal['cda_jax prepared dataset'] = 'cda_jax prepared dataset'
    version: Literal[1] = 1


# What an example may take in the index: twice what it does.
_INDEX_BYTES = 24


class Index(NamedTuple):
    """What can be known of a split without opening its shards, in the order of the records.

    Attributes:
        label: int32[N].
        photo_hash: uint64[N], as `records.hash_photo` gives it.
    """

    label: np.ndarray
    photo_hash: np.ndarray


def write_manifest(folder: Path, manifest: Manifest, *, scratch: Path) -> None:
    """Writes the manifest, which makes a folder a prepared dataset; it is complete or not there.

    Args:
        folder: The dataset's folder.
        manifest: The content.
        scratch: A folder on the same file system for the incomplete file.
    """
    write_json(folder / MANIFEST, manifest, temporary=scratch / f'{MANIFEST}.tmp')


def read_manifest(folder: str | os.PathLike[str]) -> Manifest:
    """Reads and checks the manifest of a prepared dataset, and that its shards are there.

    Args:
        folder: The dataset's folder.

    Returns:
        The manifest.

    Raises:
        InputError: If the folder is not a complete prepared dataset; the message names the file or
            the field.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f'{path}: no such file; expected a folder that tools/prepare.py completed')
    manifest = read_json(path, Manifest)
    _check_settings(path, manifest)
    _check_counts(path, manifest)
    for split in SPLITS:
        for shard in manifest.splits[split].shards:
            _check_shard(folder, shard)
    return manifest


def _check_settings(path: Path, manifest: Manifest) -> None:
    sizes = manifest.face_size, manifest.image_size
    if not 1 <= manifest.face_size <= manifest.image_size <= MAX_IMAGE_SIZE:
        raise InputError(
            f'{path}: face_size, image_size: expected 1 <= face_size <= image_size <= '
            f'{MAX_IMAGE_SIZE}, found {sizes[0]} and {sizes[1]}'
        )
    names = manifest.class_names
    if not names or len(set(names)) != len(names):
        raise InputError(f'{path}: class_names: expected different names, at least one')


def _check_counts(path: Path, manifest: Manifest) -> None:
    if set(manifest.splits) != set(SPLITS):
        found = ', '.join(manifest.splits) or 'none'
        raise InputError(f'{path}: splits: expected {" and ".join(SPLITS)}, found {found}')
    for name, split in manifest.splits.items():
        where = f'{path}: splits.{name}'
        numbers = [*split.class_counts, *(shard.num_examples for shard in split.shards)]
        if min(numbers, default=0) < 0:
            raise InputError(f'{where}: expected no negative numbers, found {min(numbers)}')
        _expect(f'{where}.class_counts', len(split.class_counts), len(manifest.class_names), 'long')
        _expect(f'{where}.class_counts', sum(split.class_counts), split.num_examples, 'in all')
        total = sum(shard.num_examples for shard in split.shards)
        _expect(f'{where}.shards', total, split.num_examples, 'examples in all')
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
    if not os.path.isfile(path):  # Unlike Path's, it takes names that no file can have.
        raise InputError(f'{path}: no such file, but the manifest lists it')
    _expect(f'{path}', path.stat().st_size, shard.num_bytes, 'bytes, as the manifest says')


def check_records(folder: str | os.PathLike[str], content: SplitContent) -> None:
    """Opens the shards of a split and checks the number of their records.

    Args:
        folder: The dataset's folder.
        content: What its manifest says of the split.

    Raises:
        InputError: A shard is damaged or does not fit the manifest; the message names it.
    """
    for shard in content.shards:
        path = Path(folder) / shard.file
        found = count_records(path)
        _expect(f'{path}', found, shard.num_examples, 'records, as the manifest says')


def index_name(split: Split) -> str:
    """Names the index file of a split."""
    return f'{split}-index.npz'


def write_index(folder: Path, split: Split, index: Index, *, scratch: Path) -> None:
    """Writes the index of a split; it is complete or not there.

    Args:
        folder: The dataset's folder.
        split: The split.
        index: The content.
        scratch: A folder on the same file system for the incomplete file.
    """
    temporary = scratch / f'{index_name(split)}.tmp'
    with temporary.open('wb') as file:
        np.savez(file, **index._asdict())
    os.replace(temporary, folder / index_name(split))


def read_index(folder: str | os.PathLike[str], split: Split) -> Index:
    """Reads the index of a split and checks it against the manifest.

    Args:
        folder: The dataset's folder.
        split: The split.

    Returns:
        Label and photo hash of every record, in order.

    Raises:
        InputError: If the dataset or its index is damaged; the message names the file.
    """
    content = read_manifest(folder).splits[split]
    path = Path(folder) / index_name(split)
    try:
        arrays = read_npz(path, max_bytes=_INDEX_BYTES * content.num_examples)
        index = Index(arrays['label'], arrays['photo_hash'])
    except FileNotFoundError as error:
        raise InputError(f'{path}: no such file, but it belongs to a prepared dataset') from error
    except (OSError, ValueError, LookupError) as error:
        raise InputError(
            f'{path}: expected an index of labels and photo hashes: {error}'
        ) from error
    for name, array, dtype in zip(Index._fields, index, (np.int32, np.uint64), strict=True):
        expected = np.dtype(dtype), (content.num_examples,)
        if (array.dtype, array.shape) != expected:
            raise InputError(
                f'{path}: {name}: expected {expected[0]}{list(expected[1])}, '
                f'found {array.dtype}{list(array.shape)}'
            )
    counts = content.class_counts
    in_range = np.all((index.label >= 0) & (index.label < len(counts)))
    if not in_range or np.bincount(index.label, minlength=len(counts)).tolist() != list(counts):
        raise InputError(f'{path}: label: the numbers of each class are not those of the manifest')
    return index
