"""Turns a dataset as its reader sees it into a folder of records with a manifest."""

import hashlib
import itertools
import math
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

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
from cda_jax.prepare import shards
from cda_jax.prepare.crop import face_size_of, margin_of
from cda_jax.prepare.dataset import Dataset
from cda_jax.prepare.detect import face_detector, read_model
from cda_jax.prepare.pool import work_off
from cda_jax.prepare.rows import Rows, Survey, as_text, check_usable, shard_sizes, slices, survey
from cda_jax.runtime.files import read_json, replacing, write_json, writing
from cda_jax.runtime.program import progress_seconds


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
    crop: Literal['box', 'detect'] = 'box',
    detector: str | os.PathLike[str] | None = None,
) -> Manifest:
    """Crops every face of a dataset and writes records, indexes and a manifest to `out`.

    It may be killed at any moment. Called again, it continues with the shards that are missing and
    ends with the same bytes, however many processes there are. A complete folder is left as it is.
    An `InputError` says if an argument is out of range, the folder holds something else, too many
    rows are unusable or a split has no examples.

    Args:
        reader: For the manifest, like its options.
        face_size: Side of the face box in the records' images, in pixels; the rim of
            `crop.margin_of` comes on top.
        encoding: 'jpeg', or 'raw' for the pixels themselves.
        quality: JPEG quality from 1 to 100.
        shard_size: Rows per shard; each process works on one shard at a time.
        max_skipped_share: The largest share of unusable rows among those that are meant to be used.
        crop: What a row without a box of its own stands for: the whole picture, or the largest face
            that is found on it.
        detector: An ONNX file of YuNet to find it with, as of `detect.face_detector`.
    """
    out = Path(out)
    _check_ranges(
        quality=(quality, 1, 100),
        max_skipped_share=(max_skipped_share, 0, 1),
        face_size=(face_size, 1, face_size_of(MAX_IMAGE_SIZE)),
        shard_size=(shard_size, 1, math.inf),
        processes=(num_processes, 1, math.inf),
    )
    model, detector_name = read_model(detector), ''
    if crop == 'detect':
        face_detector(model)  # that it cannot be used shows before anything is written
        detector_name = f'yunet {hashlib.sha256(model).hexdigest()}' if model else 'cascade'
    found = survey(dataset.rows, len(dataset.class_names))
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
        sources=_hash_sources(dataset.sources),
        rows_sha256=found.sha256,
        detector=detector_name,
    )
    if (out / MANIFEST).exists():
        manifest = read_manifest(out)
        _refuse_other(manifest, settings, out)
        shutil.rmtree(out / shards.SCRATCH, ignore_errors=True)
        print(f'{out}: already prepared; delete it to prepare it again', file=sys.stderr)
        return manifest
    # Without classes there need not be a test split.
    needed = SPLITS if dataset.class_names else ('train',)
    with writing(out):
        settings_file = out / shards.SCRATCH / 'settings.json'  # of the shards that are complete
        if settings_file.exists():
            _refuse_other(read_json(settings_file, Settings), settings, out)
        else:
            if out.exists() and any(not path.name.startswith('.') for path in out.iterdir()):
                raise InputError(f'{out}: holds other files; expected a new or an empty folder')
            # Refused before anything is written, so that nothing hinders another attempt.
            check_usable(found, max_skipped_share, needed)
            shutil.rmtree(settings_file.parent, ignore_errors=True)
            settings_file.parent.mkdir(parents=True)
            write_json(settings_file, settings)
        notes = _write_shards(dataset.rows, out, settings, found, num_processes, model)
        found = shards.with_pictures(found, notes)
        try:
            check_usable(found, max_skipped_share, needed)
        except InputError:
            # The next attempt has to read these pictures again: they may be repaired by then.
            for note in itertools.chain(*notes.values()):
                if note.skipped:
                    shards.note_file(out, Path(note.shard.file).stem).unlink()
            raise
        for split, of_split in notes.items():
            write_index(out, split, shards.make_index(of_split))
        if dataset.test_photos is not None:
            text = ''.join(f'{photo}\n' for photo in dataset.test_photos)
            with replacing(out / 'test_photos.txt') as temporary:
                temporary.write_text(text, 'utf-8', 'surrogateescape')
        manifest = shards.make_manifest(settings, found, notes, dataset)
        write_json(out / MANIFEST, manifest)  # the last of all
        shutil.rmtree(out / shards.SCRATCH)
    return manifest


def _check_ranges(**ranges: tuple[float, float, float]) -> None:
    for name, (value, low, high) in ranges.items():
        if not low <= value <= high:
            expected = f'{low} or more' if high == math.inf else f'{low} to {high}'
            raise InputError(f'{name}: expected {expected}, found {value}')


def _hash_sources(paths: Sequence[Path]) -> tuple[Source, ...]:
    """Hashes label files and names them relative to their common folder, which may move."""
    paths = [Path(os.path.abspath(path)) for path in paths]
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


def _refuse_other(found: Settings, wanted: Settings, out: Path) -> None:
    """Raises InputError if a folder holds a preparation with other settings or of other rows."""
    differences = []
    for name in Settings.__struct_fields__:
        there, here = getattr(found, name), getattr(wanted, name)
        if there != here and name != 'rows_sha256':
            values = f' ({there!r} there, {here!r} now)'
            differences.append(f'another {name}{values if len(values) < 100 else ""}')
    # Other settings, such as another label file, often make other rows: then they are the reason.
    if not differences and found.rows_sha256 != wanted.rows_sha256:
        differences.append('other rows: labels, boxes or the list of pictures have changed')
    if differences:
        raise InputError(
            f'{out}: holds a preparation with {", ".join(differences)}; delete it or choose '
            'another folder'
        )


def _write_shards(
    rows: Rows,
    out: Path,
    settings: Settings,
    found: Survey,
    num_processes: int,
    model: bytes | None,
) -> shards.Notes:
    sizes = shard_sizes(found.counts, settings.shard_size)
    missing = {
        name: size
        for of_split in sizes.values()
        for name, size in of_split.items()
        if not shards.read_note(out, name)
    }
    tasks = (
        (name, examples, out, settings, model)
        for name, examples in slices(rows, settings.shard_size)
        if name in missing
    )
    total, seconds = sum(missing.values()), progress_seconds()
    with tqdm(total=total, unit=' rows', mininterval=seconds) as progress:
        for count in work_off(shards.write_shard, tasks, min(num_processes, len(missing))):
            progress.update(count)
    return {
        split: [read_json(shards.note_file(out, name), shards.Note) for name in of_split]
        for split, of_split in sizes.items()
    }
