"""A dataset as its reader sees it to a folder of records with a manifest."""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

from tqdm import tqdm

from cda_jax.data.manifest import (
    MANIFEST,
    MAX_IMAGE_SIZE,
    SPLITS,
    Manifest,
    Settings,
    Source,
    read_manifest,
    write_index,
)
from cda_jax.data.records import Encoding
from cda_jax.errors import InputError
from cda_jax.prepare.crop import margin_of
from cda_jax.prepare.dataset import Dataset
from cda_jax.prepare.pool import work_off
from cda_jax.prepare.rows import (
    Rows,
    Survey,
    as_text,
    check_skipped,
    check_splits,
    count_reasons,
    shard_sizes,
    slices,
    survey,
)
from cda_jax.prepare.shards import WrittenShard, is_complete, note_file, scratch_of, write_shard
from cda_jax.prepare.summary import Shards, make_index, make_manifest
from cda_jax.runtime.files import read_json, replacing, write_json, writing


def prepare(
    dataset: Dataset,
    out: str | os.PathLike[str],
    *,
    name: str,
    reader: str,
    reader_options: Mapping[str, str | int | float | bool | None] | None = None,
    face_size: int = 100,
    encoding: Encoding = 'jpeg',
    quality: int = 95,
    shard_size: int = 4096,
    num_processes: int = 1,
    max_skipped_share: float = 0.05,
) -> Manifest:
    """Crops every face of a dataset and writes the records, indexes and manifest of a folder.

    It may be killed at any moment. Called again, it goes on with the shards that are not complete
    and ends with the same bytes. A folder that is complete is left as it is.

    Args:
        dataset: What a reader gave.
        out: The folder to write.
        name: For tables and figures.
        reader: For the manifest.
        reader_options: For the manifest.
        face_size: Side of the face box in the records' images, in pixels. The images are 12 %
            larger, see `crop.margin_of`.
        encoding: 'jpeg', or 'raw' for the pixels themselves.
        quality: JPEG quality from 1 to 100.
        shard_size: Rows a shard; shards are what processes share out among them.
        num_processes: Does not change what is written.
        max_skipped_share: The share of the rows meant to be used that may prove unusable.

    Raises:
        InputError: An argument is out of range, the folder holds something else, too many rows
            are unusable or a split has no examples.
    """
    out = Path(out)
    _check_arguments(face_size, encoding, quality, shard_size, num_processes, max_skipped_share)
    rows = dataset.rows
    if isinstance(rows, Iterator):  # gone through once, it would be empty
        rows = list(rows)
    sources = _hash_sources(dataset.sources)
    found = survey(rows, len(dataset.class_names))
    settings = Settings(
        name=as_text(name),
        reader=reader,
        reader_options=dict(reader_options or {}),
        class_names=tuple(dataset.class_names),
        face_size=face_size,
        image_size=face_size + 2 * margin_of(face_size),
        encoding=encoding,
        quality=None if encoding == 'raw' else quality,
        shard_size=shard_size,
        sources=sources,
        rows_sha256=found.sha256,
    )
    if (out / MANIFEST).exists():
        return _confirm(out, settings)
    with writing(out):
        _begin(out, settings, found, max_skipped_share)
        shards = _write_shards(rows, out, settings, found, num_processes)
        manifest = make_manifest(settings, found, shards)
        _check_limits(manifest, shards, out, max_skipped_share)
        _finish(dataset, manifest, shards, out)
    return manifest


def _check_arguments(
    face_size: int,
    encoding: str,
    quality: int,
    shard_size: int,
    num_processes: int,
    max_skipped_share: float,
) -> None:
    encodings = get_args(Encoding)
    if encoding not in encodings:
        raise InputError(f'encoding: expected {" or ".join(encodings)}, found {encoding!r}')
    if not 1 <= quality <= 100:
        raise InputError(f'quality: expected 1 to 100, found {quality}')
    if not 0 <= max_skipped_share <= 1:
        raise InputError(f'max_skipped_share: expected 0 to 1, found {max_skipped_share}')
    numbers = {'face_size': face_size, 'shard_size': shard_size, 'processes': num_processes}
    for name, number in numbers.items():
        if number < 1:
            raise InputError(f'{name}: expected 1 or more, found {number}')
    if face_size + 2 * margin_of(face_size) > MAX_IMAGE_SIZE:
        raise InputError(
            f'face_size: expected at most {MAX_IMAGE_SIZE} with the rim, found {face_size}'
        )


def _hash_sources(paths: Sequence[Path]) -> tuple[Source, ...]:
    """Hashes label files, named relative to the folder they share, so that it may move."""
    sources = []
    for path in paths:
        name = path.relative_to(os.path.commonpath([other.parent for other in paths]))
        try:
            with path.open('rb') as file:
                digest = hashlib.file_digest(file, 'sha256').hexdigest()
        except OSError as error:
            raise InputError(f'{path}: cannot be read: {error.strerror}') from error
        sources.append(Source(file=as_text(name.as_posix()), sha256=digest))
    return tuple(sources)


def _confirm(out: Path, settings: Settings) -> Manifest:
    """Checks that a folder with a manifest is what was asked for, and says so."""
    manifest = read_manifest(out)
    _refuse_other(manifest, settings, out)
    shutil.rmtree(scratch_of(out), ignore_errors=True)
    print(f'{out}: already prepared; delete it to prepare it again', file=sys.stderr)
    return manifest


def _begin(out: Path, settings: Settings, found: Survey, max_skipped_share: float) -> None:
    """Makes a new folder ready, or one that was left half prepared."""
    # What the shards that are complete were made with.
    settings_file = scratch_of(out) / 'settings.json'
    if settings_file.exists():
        _refuse_other(read_json(settings_file, Settings), settings, out)
        return
    if out.exists() and any(not path.name.startswith('.') for path in out.iterdir()):
        raise InputError(f'{out}: holds other files; expected a new or an empty folder')
    # Said now, nothing stands in the way of another attempt once it is mended.
    check_skipped(found.skipped, sum(found.counts.values()), max_skipped_share)
    check_splits(found.counts, found.excluded, count_reasons(found.skipped))
    shutil.rmtree(scratch_of(out), ignore_errors=True)
    scratch_of(out).mkdir(parents=True)
    write_json(settings_file, settings)


def _refuse_other(found: Settings, wanted: Settings, out: Path) -> None:
    """Raises InputError if a folder holds a preparation with other settings or of other rows."""
    differences = []
    for name in Settings.__struct_fields__:
        there, here = getattr(found, name), getattr(wanted, name)
        if there != here and name != 'rows_sha256':
            values = f' ({there!r} there, {here!r} now)'
            differences.append(name + (values if len(values) < 100 else ''))
    if differences:
        raise InputError(
            f'{out}: holds a preparation with another {", another ".join(differences)}; '
            'delete it or choose another folder'
        )
    if found.rows_sha256 != wanted.rows_sha256:
        raise InputError(
            f'{out}: holds a preparation of other rows: labels, boxes or the list of pictures '
            'have changed since; delete it or choose another folder'
        )


def _write_shards(
    rows: Rows, out: Path, settings: Settings, found: Survey, num_processes: int
) -> Shards:
    sizes = {
        split: shard_sizes(split, found.counts[split], settings.shard_size) for split in SPLITS
    }
    missing = {
        name: size
        for split in SPLITS
        for name, size in sizes[split].items()
        if not is_complete(out, name)
    }
    tasks = (
        (name, examples, out, settings)
        for name, examples in slices(rows, settings.shard_size)
        if name in missing
    )
    # In a log file, a line every few seconds will do.
    seconds = 0.1 if sys.stderr.isatty() else 5
    with tqdm(total=sum(missing.values()), unit=' rows', mininterval=seconds) as progress:
        for count in work_off(write_shard, tasks, min(num_processes, len(missing))):
            progress.update(count)
    return {
        split: {name: read_json(note_file(out, name), WrittenShard) for name in sizes[split]}
        for split in SPLITS
    }


def _check_limits(manifest: Manifest, shards: Shards, out: Path, max_share: float) -> None:
    counts = {split: content.num_examples for split, content in manifest.splits.items()}
    try:
        check_skipped(manifest.skipped_rows, manifest.rows.written, max_share)
        check_splits(counts, manifest.excluded, manifest.skipped)
    except InputError:
        # The pictures may be mended before the next attempt, so it has to look at them again.
        for split in SPLITS:
            for name, shard in shards[split].items():
                if shard.skipped:
                    note_file(out, name).unlink()
        raise


def _finish(dataset: Dataset, manifest: Manifest, shards: Shards, out: Path) -> None:
    """Writes what goes beside the shards, the manifest last."""
    for split in SPLITS:
        write_index(out, split, make_index(shards[split]))
    if dataset.test_photos is not None:
        text = ''.join(f'{photo}\n' for photo in dataset.test_photos)
        with replacing(out / 'test_photos.txt') as temporary:
            temporary.write_text(text, 'utf-8', 'surrogateescape')
    write_json(out / MANIFEST, manifest)
    shutil.rmtree(scratch_of(out))
