"""A dataset as its reader sees it to a folder of records with a manifest."""

import functools
import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from cda_jax.data.manifest import (
    MANIFEST,
    MAX_IMAGE_SIZE,
    SPLITS,
    Manifest,
    Settings,
    Source,
    write_index,
    write_manifest,
)
from cda_jax.data.records import Encoding
from cda_jax.data.typed_json import read_json
from cda_jax.errors import InputError
from cda_jax.prepare.assemble import Parts, make_index, make_manifest
from cda_jax.prepare.crop import margin_of
from cda_jax.prepare.dataset import Dataset
from cda_jax.prepare.limits import check_skipped, check_splits
from cda_jax.prepare.progress import Progress
from cda_jax.prepare.resume import begin, confirm, scratch_of
from cda_jax.prepare.shards import Part, part_file, write_shard
from cda_jax.prepare.spool import Spooled, rows_file
from cda_jax.prepare.workers import run_tasks


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
        dataset: The dataset; its rows are read once.
        out: The folder to write.
        name: Name of the dataset, for tables and figures.
        reader: Name of the reader, for the manifest.
        reader_options: Options of the reader, for the manifest.
        face_size: Side of the face box in the records' images, in pixels. The images are 12 %
            larger, see `crop.margin_of`.
        encoding: 'jpeg', or 'raw' for the pixels themselves.
        quality: JPEG quality from 1 to 100.
        shard_size: Rows a shard; shards are what processes share out among them.
        num_processes: Number of processes. It does not change what is written.
        max_skipped_share: The share of the rows meant to be used that may prove unusable.

    Returns:
        The manifest.

    Raises:
        InputError: If an argument is out of range, the folder holds something else, too many rows
            are unusable or a split has no examples.
    """
    out = Path(out)
    _check_arguments(face_size, encoding, quality, shard_size, num_processes, max_skipped_share)
    settings = Settings(
        name=name,
        reader=reader,
        reader_options=dict(reader_options or {}),
        class_names=tuple(dataset.class_names),
        face_size=face_size,
        image_size=face_size + 2 * margin_of(face_size),
        encoding=encoding,
        quality=None if encoding == 'raw' else quality,
        shard_size=shard_size,
        sources=_hash_sources(dataset.sources),
    )
    try:
        if (out / MANIFEST).exists():
            return confirm(dataset, out, settings)
        spooled = begin(dataset, out, settings, max_skipped_share)
        parts = _write_shards(spooled, out, settings, num_processes)
        manifest = make_manifest(settings, spooled, parts)
        _check_limits(manifest, parts, out, max_skipped_share)
        _finish(dataset, manifest, parts, out)
    except OSError as error:
        raise InputError(f'{error.filename or out}: {error.strerror or error}') from error
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
        sources.append(Source(file=name.as_posix(), sha256=digest))
    return tuple(sources)


def _write_shards(spooled: Spooled, out: Path, settings: Settings, num_processes: int) -> Parts:
    scratch = scratch_of(out)
    sizes = {shard: size for split in SPLITS for shard, size in spooled.shards[split].items()}
    unfinished = [shard for shard in sizes if rows_file(scratch, shard).exists()]
    progress = Progress('rows', sum(sizes[shard] for shard in unfinished))
    work = functools.partial(write_shard, out=out, scratch=scratch, settings=settings)
    for shard in run_tasks(work, unfinished, num_processes):
        progress.update(sizes[shard])
    return {
        split: {shard: read_json(part_file(scratch, shard), Part) for shard in shards}
        for split, shards in spooled.shards.items()
    }


def _check_limits(manifest: Manifest, parts: Parts, out: Path, max_share: float) -> None:
    counts = {split: content.num_examples for split, content in manifest.splits.items()}
    try:
        check_skipped(manifest.skipped_rows, manifest.rows.written, max_share)
        check_splits(counts, manifest.excluded, manifest.skipped)
    except InputError:
        # The pictures may be mended before the next attempt, so it has to look at them again.
        for split in SPLITS:
            for shard, part in parts[split].items():
                if part.skipped:
                    part_file(scratch_of(out), shard).unlink()
        raise


def _finish(dataset: Dataset, manifest: Manifest, parts: Parts, out: Path) -> None:
    """Writes what goes beside the shards, the manifest last."""
    scratch = scratch_of(out)
    for split in SPLITS:
        write_index(out, split, make_index(parts[split]), scratch=scratch)
    if dataset.test_photos is not None:
        temporary = scratch / 'test_photos.txt.tmp'
        text = ''.join(f'{photo}\n' for photo in dataset.test_photos)
        temporary.write_text(text, 'utf-8', 'surrogateescape')
        os.replace(temporary, out / 'test_photos.txt')
    write_manifest(out, manifest, scratch=scratch)
    shutil.rmtree(scratch)
