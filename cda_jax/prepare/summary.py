"""The shards of a preparation added up: index files, counts and duplicates."""

from pathlib import Path

import msgspec
import numpy as np

from cda_jax.data.manifest import (
    SPLITS,
    Duplicates,
    Index,
    Manifest,
    RowCounts,
    Settings,
    Shard,
    Split,
    SplitContent,
)
from cda_jax.prepare.rows import Survey, count_reasons
from cda_jax.prepare.shards import WrittenShard, shard_file

# The shards of each split, by name and in order.
Shards = dict[Split, dict[str, WrittenShard]]


def make_manifest(settings: Settings, found: Survey, shards: Shards) -> Manifest:
    """Adds up what became of all rows."""
    splits = {split: _content(shards[split], len(settings.class_names)) for split in SPLITS}
    skipped = found.skipped + tuple(
        row for split in SPLITS for shard in shards[split].values() for row in shard.skipped
    )
    written = sum(content.num_examples for content in splits.values())
    excluded = found.excluded.total()
    return Manifest(
        **msgspec.structs.asdict(settings),
        splits=splits,
        rows=RowCounts(
            read=written + excluded + len(skipped),
            written=written,
            excluded=excluded,
            skipped=len(skipped),
        ),
        excluded=dict(found.excluded.most_common()),
        skipped=count_reasons(skipped),
        skipped_rows=skipped,
        duplicates=_find_duplicates(shards),
    )


def make_index(shards: dict[str, WrittenShard]) -> Index:
    """Joins labels and photo hashes of a split's shards."""
    labels = [label for shard in shards.values() for label in shard.labels]
    hashes = [photo_hash for shard in shards.values() for photo_hash in shard.photo_hashes]
    return Index(np.array(labels, np.int32), np.array(hashes, np.uint64))


def _content(shards: dict[str, WrittenShard], num_classes: int) -> SplitContent:
    counts = np.bincount(make_index(shards).label, minlength=num_classes)
    files = tuple(
        Shard(
            file=shard_file(Path(), name).name,
            num_examples=len(shard.ids),
            num_bytes=shard.num_bytes,
        )
        for name, shard in shards.items()
        if shard.ids
    )
    return SplitContent(
        num_examples=int(counts.sum()), class_counts=tuple(counts.tolist()), shards=files
    )


def _find_duplicates(shards: Shards) -> Duplicates:
    first_ids: dict[Split, dict[str, str]] = {split: {} for split in SPLITS}
    within = dict.fromkeys(SPLITS, 0)
    pairs = []
    for split in SPLITS:  # the training set comes first
        for shard in shards[split].values():
            for row_id, pixel_hash in zip(shard.ids, shard.pixel_hashes, strict=True):
                within[split] += pixel_hash in first_ids[split]
                first_ids[split].setdefault(pixel_hash, row_id)
                if split == 'test' and pixel_hash in first_ids['train']:
                    pairs.append((first_ids['train'][pixel_hash], row_id))
    return Duplicates(test_in_train=len(pairs), pairs=tuple(pairs), within=within)
