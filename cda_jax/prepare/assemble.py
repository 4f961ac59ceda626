"""The shards of a preparation put together: index files, counts and duplicates."""

from pathlib import Path

import numpy as np

from cda_jax.data.manifest import (
    SPLITS,
    Duplicates,
    Index,
    Manifest,
    RowCounts,
    Settings,
    Shard,
    SplitContent,
)
from cda_jax.prepare.dataset import Split
from cda_jax.prepare.limits import count_reasons
from cda_jax.prepare.shards import Part, shard_file
from cda_jax.prepare.spool import Spooled

Parts = dict[Split, dict[str, Part]]


def make_manifest(settings: Settings, spooled: Spooled, parts: Parts) -> Manifest:
    """Adds up what became of all rows.

    Args:
        settings: The preparation's settings.
        spooled: The rows as they were read.
        parts: For each split, what became of the rows of each shard, in order.

    Returns:
        The manifest.
    """
    splits = {split: _content(parts[split], len(settings.class_names)) for split in SPLITS}
    skipped = spooled.skipped + tuple(
        row for split in SPLITS for part in parts[split].values() for row in part.skipped
    )
    written = sum(content.num_examples for content in splits.values())
    excluded = spooled.excluded.total()
    return Manifest(
        **vars(settings),
        rows_sha256=spooled.sha256,
        splits=splits,
        rows=RowCounts(
            read=written + excluded + len(skipped),
            written=written,
            excluded=excluded,
            skipped=len(skipped),
        ),
        excluded=dict(spooled.excluded.most_common()),
        skipped=count_reasons(skipped),
        skipped_rows=skipped,
        duplicates=_find_duplicates(parts),
    )


def make_index(parts: dict[str, Part]) -> Index:
    """Joins labels and photo hashes of a split's shards.

    Args:
        parts: What became of the rows of each shard, in order.

    Returns:
        The index.
    """
    labels = [label for part in parts.values() for label in part.labels]
    hashes = [photo_hash for part in parts.values() for photo_hash in part.photo_hashes]
    return Index(np.array(labels, np.int32), np.array(hashes, np.uint64))


def _content(parts: dict[str, Part], num_classes: int) -> SplitContent:
    counts = np.bincount(make_index(parts).label, minlength=num_classes)
    shards = tuple(
        Shard(
            file=shard_file(Path(), shard).name,
            num_examples=len(part.ids),
            num_bytes=part.num_bytes,
        )
        for shard, part in parts.items()
        if part.ids
    )
    return SplitContent(
        num_examples=int(counts.sum()), class_counts=tuple(counts.tolist()), shards=shards
    )


def _find_duplicates(parts: Parts) -> Duplicates:
    first_ids: dict[Split, dict[str, str]] = {split: {} for split in SPLITS}
    within = dict.fromkeys(SPLITS, 0)
    pairs = []
    for split in SPLITS:  # The training set comes first.
        for part in parts[split].values():
            for row_id, pixel_hash in zip(part.ids, part.pixel_hashes, strict=True):
                within[split] += pixel_hash in first_ids[split]
                first_ids[split].setdefault(pixel_hash, row_id)
                if split == 'test' and pixel_hash in first_ids['train']:
                    pairs.append((first_ids['train'][pixel_hash], row_id))
    return Duplicates(test_in_train=len(pairs), pairs=tuple(pairs), within=within)
