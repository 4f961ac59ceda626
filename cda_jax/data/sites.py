"""Prepared datasets as training sites, and which of their records belong to which split."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from cda_jax.data.manifest import Index, Manifest, check_records, read_index, read_manifest
from cda_jax.errors import InputError

# Beside a site's manifest where not only the annotators' labels but also the true ones are known: a
# table with the columns `id` and `true_label`, for reports. Training never reads it.
TRUE_LABELS_FILE = 'true_labels.csv'


class Site(NamedTuple):
    """A prepared dataset; its name is that of its folder."""

    name: str
    folder: Path
    manifest: Manifest


class Part(NamedTuple):
    """The records of one split of a site."""

    site: Site
    files: tuple[Path, ...]  # the split's shards, in order
    records: np.ndarray  # int64[N], places of the records in the concatenated shards
    index: Index  # of these records
    class_counts: np.ndarray  # int64[C], the number of them with each label


def open_sites(data_dir: str | Path, names: tuple[str, ...]) -> list[Site]:
    """Opens the prepared datasets `<data_dir>/<name>`, which must have equal classes and sizes."""
    data_dir = Path(data_dir)
    sites = [Site(name, data_dir / name, read_manifest(data_dir / name)) for name in names]
    first = sites[0]
    for site in sites[1:]:
        for field in ('class_names', 'image_size'):
            expected, found = getattr(first.manifest, field), getattr(site.manifest, field)
            if found != expected:
                raise InputError(
                    f'{site.folder}/manifest.json: {field} is {found}, expected {expected} as in '
                    f'{first.folder}: sites that are used together must agree'
                )
    return sites


def with_validation(sites: list[Site], validation_fraction: float) -> tuple[str, ...]:
    """The names of the sites that have validation data: a split of their own, or a fraction."""
    return tuple(
        site.name for site in sites if validation_fraction or 'validation' in site.manifest.splits
    )


def open_part(site: Site, split: str, validation_fraction: float) -> Part:
    """Finds the records of a split: 'train', 'validation' or 'test'.

    Validation is the site's own split of that name. Where it has none, a fraction of the training
    photos is held out, from 0 to below 1. A hash of the photo's name alone selects them, so they
    are the same in every run. Raises InputError if the index or a shard does not match the
    manifest, or if nothing is left.
    """
    has_own = 'validation' in site.manifest.splits
    stored_split = 'train' if split == 'validation' and not has_own else split
    content = site.manifest.splits[stored_split]
    check_records(site.folder, content)
    index = read_index(site.folder, stored_split)
    chosen = np.ones(len(index.label), bool)
    if split != 'test' and not has_own:
        # Mixed, because a reader may have separated train from test by the size of the same hash.
        mixed = index.photo_hash * np.uint64(0x9E3779B97F4A7C15)
        held_out = mixed / 2.0**64 < validation_fraction
        chosen = held_out if split == 'validation' else ~held_out
    records = np.flatnonzero(chosen)
    if not len(records):
        raise InputError(
            f'{site.folder}: no records in the {split} split at validation_fraction '
            f'{validation_fraction}; expected at least one'
        )
    return Part(
        site=site,
        files=tuple(site.folder / shard.file for shard in content.shards),
        records=records,
        index=Index(index.label[records], index.photo_hash[records]),
        class_counts=np.bincount(index.label[records], minlength=len(site.manifest.class_names)),
    )
