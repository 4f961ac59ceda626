"""Whether a folder is new, half prepared or complete, and what remains to be done in it."""

import dataclasses
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from cda_jax.data.manifest import Manifest, Settings, read_manifest
from cda_jax.data.typed_json import read_json, write_json
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Dataset
from cda_jax.prepare.limits import check_skipped, check_splits, count_reasons
from cda_jax.prepare.shards import is_complete
from cda_jax.prepare.spool import Spooled, spool


def scratch_of(out: Path) -> Path:
    """Names the folder for what is needed only while preparing; it ends with the manifest."""
    return out / '.parts'


def confirm(dataset: Dataset, out: Path, settings: Settings) -> Manifest:
    """Checks that a folder with a manifest is what was asked for, and says so.

    Args:
        dataset: The dataset.
        out: The folder.
        settings: What was asked for.

    Returns:
        Its manifest.

    Raises:
        InputError: If it was made with other settings or from other rows, or is damaged.
    """
    manifest = read_manifest(out)
    _refuse_other(manifest, settings, out)
    spooled = _spool(dataset, out, settings, wanted=lambda shard: False)
    _refuse_other_rows(manifest.rows_sha256, spooled, out)
    shutil.rmtree(scratch_of(out), ignore_errors=True)
    print(f'{out}: already prepared; delete it to prepare it again', file=sys.stderr)
    return manifest


def begin(dataset: Dataset, out: Path, settings: Settings, max_skipped_share: float) -> Spooled:
    """Makes a new folder ready, or one that was left half prepared.

    The rows of every shard that is not complete yet are spooled; leftovers are removed.

    Args:
        dataset: The dataset.
        out: The folder.
        settings: What was asked for.
        max_skipped_share: As in `limits.check_skipped`.

    Returns:
        The rows as they were read.

    Raises:
        InputError: If the folder holds something else, or the rows alone show that too many are
            unusable or a split would be empty.
    """
    scratch = scratch_of(out)
    begun_file = scratch / 'begun.json'
    begun = read_json(begun_file, _Begun) if begun_file.exists() else None
    if begun is None:
        _clear(out)
    else:
        _refuse_other(begun, settings, out)
        _remove_leftovers(scratch)
    spooled = _spool(dataset, out, settings, lambda shard: not is_complete(out, scratch, shard))
    if begun is None:
        # Said now, nothing stands in the way of another attempt once it is mended.
        _check_limits(spooled, max_skipped_share)
        begun = _Begun(**vars(settings), rows_sha256=spooled.sha256)
        write_json(begun_file, begun, temporary=scratch / 'begun.json.tmp')
    else:
        _refuse_other_rows(begun.rows_sha256, spooled, out)
    return spooled


def _check_limits(spooled: Spooled, max_skipped_share: float) -> None:
    counts = {split: sum(shards.values()) for split, shards in spooled.shards.items()}
    check_skipped(spooled.skipped, sum(counts.values()), max_skipped_share)
    check_splits(counts, spooled.excluded, count_reasons(spooled.skipped))


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Begun(Settings):
    """What the shards that are complete were made with."""

    rows_sha256: str


def _spool(
    dataset: Dataset, out: Path, settings: Settings, wanted: Callable[[str], bool]
) -> Spooled:
    return spool(
        dataset.rows,
        scratch_of(out),
        shard_size=settings.shard_size,
        num_classes=len(settings.class_names),
        wanted=wanted,
    )


def _clear(out: Path) -> None:
    """Makes room for a new preparation where nothing can be lost."""
    if out.exists() and any(not path.name.startswith('.') for path in out.iterdir()):
        raise InputError(f'{out}: holds other files; expected a new or an empty folder')
    shutil.rmtree(scratch_of(out), ignore_errors=True)
    scratch_of(out).mkdir(parents=True)


def _remove_leftovers(scratch: Path) -> None:
    for pattern in ('*.tmp', '*.rows'):
        for path in scratch.glob(pattern):
            path.unlink()


def _refuse_other(found: Settings, wanted: Settings, out: Path) -> None:
    """Raises InputError if a folder holds a preparation with other settings."""
    differences = []
    for field in dataclasses.fields(Settings):
        there, here = getattr(found, field.name), getattr(wanted, field.name)
        if there != here:
            values = f' ({there!r} there, {here!r} now)'
            differences.append(field.name + (values if len(values) < 100 else ''))
    if differences:
        raise InputError(
            f'{out}: holds a preparation with another {", another ".join(differences)}; '
            'delete it or choose another folder'
        )


def _refuse_other_rows(found_sha256: str, spooled: Spooled, out: Path) -> None:
    if found_sha256 != spooled.sha256:
        raise InputError(
            f'{out}: holds a preparation of other rows: labels, boxes or the list of pictures '
            'have changed since; delete it or choose another folder'
        )
