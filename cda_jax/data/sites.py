"""Prepared datasets as training sites, and which of their records belong to which split."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cda_jax.data.manifest import Index, Manifest, check_records, read_index, read_manifest
from cda_jax.data.records import UNLABELLED
from cda_jax.errors import InputError

# Beside a site's manifest where not only the annotators' labels but also the true ones are known: a
# table with the columns `id` and `true_label`, for reports. Training never reads it.
TRUE_LABELS_FILE = 'true_labels.csv'

# The order of expressions where sites have different ones.
COMMON_ORDER = ('Surprise', 'Fear', 'Disgust', 'Happiness', 'Sadness', 'Anger', 'Neutral')
COMMON_ORDER += ('Contempt',)


class Site(NamedTuple):
    """A prepared dataset; its name is that of its folder."""

    name: str
    folder: Path
    manifest: Manifest
    class_names: tuple[str, ...]  # of the run: those of all its sites

    @property
    def places(self) -> np.ndarray:
        """int32, for each class of the manifest its place in the run's; -1 if it has none."""
        found = {name: place for place, name in enumerate(self.class_names)}
        return np.array([found.get(name, -1) for name in self.manifest.class_names], np.int32)

    @property
    def own_classes(self) -> list[int]:
        """Places in the run's classes of those that its training examples may have, in order."""
        return [] if self.manifest.unlabelled else sorted(set(self.places.tolist()) - {-1})

    def spread(self, counts: Sequence[int]) -> np.ndarray:
        """Counts by the manifest's classes as float64[C] by the run's, NaN for those it lacks."""
        found = np.full(len(self.class_names) + 1, np.nan)  # and one for what has no place
        found[self.places] = counts
        return found[:-1]


class Part(NamedTuple):
    """The records of one split of a site."""

    site: Site
    files: tuple[Path, ...]  # the split's shards, in order
    records: np.ndarray  # int64[N], places of the records in the concatenated shards
    index: Index  # of these records, with the labels of the manifest
    class_counts: np.ndarray  # int64[C], the number of them with each label of the run

    @property
    def labels(self) -> np.ndarray:
        """int32[N], the records' labels as places in the run's class names, or UNLABELLED."""
        return _in_run(self.site, self.index.label)

    @property
    def soft_labels(self) -> np.ndarray:
        """float32[N, C], the shares of votes for the run's classes.

        One-hot in a part without votes, and zeros where there is no label.
        """
        num_classes = len(self.site.class_names)
        if self.index.votes is None:
            return np.eye(num_classes + 1, num_classes, dtype=np.float32)[self.labels]
        votes = np.zeros((len(self.records), num_classes + 1), np.float32)
        votes[:, self.site.places] = self.index.votes  # the last column is for no class of the run
        return votes[:, :-1] / votes[:, :-1].sum(axis=1, keepdims=True)


def open_sites(
    data_dir: str | Path, names: tuple[str, ...], class_names: tuple[str, ...] = ()
) -> list[Site]:
    """Opens the prepared datasets `<data_dir>/<name>`, whose pictures must be of one size.

    `class_names` are the run's, where it is another one than theirs.
    """
    folders = [Path(data_dir) / name for name in names]
    manifests = [read_manifest(folder) for folder in folders]
    expected = manifests[0].image_size
    for folder, manifest in zip(folders, manifests, strict=True):
        if manifest.image_size != expected:
            raise InputError(
                f'{folder}/manifest.json: image_size is {manifest.image_size}, expected {expected} '
                f'as in {folders[0]}: sites that are used together must agree'
            )
    if not class_names:
        labelled = [each for each in manifests if not each.unlabelled] or manifests
        class_names = union_of_classes([each.class_names for each in labelled])
    return [Site(*each, class_names) for each in zip(names, folders, manifests, strict=True)]


def union_of_classes(of_sites: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """All classes of several sites: as they are where the sites agree.

    Otherwise expressions come in the common order, then other names as the sites have them.

    >>> union_of_classes([('Neutral', 'Calm'), ('Contempt', 'Fear', 'Neutral')])
    ('Fear', 'Neutral', 'Contempt', 'Calm')
    """
    if len(set(of_sites)) == 1:
        return of_sites[0]
    names, last = dict.fromkeys(itertools.chain(*of_sites)), len(COMMON_ORDER)
    order = {name: place for place, name in enumerate(COMMON_ORDER)}
    return tuple(sorted(names, key=lambda name: order.get(name, last)))


def check_classes(sites: Sequence[Site]) -> None:
    """Raises InputError where a labelled site has no class in common with the others."""
    labelled = [site for site in sites if not site.manifest.unlabelled]
    if not labelled:
        raise InputError(
            f'{sites[0].folder}: has no labels, like all sites; expected some to learn'
        )
    for site in reversed(labelled):
        others = set().union(*(each.manifest.class_names for each in labelled if each is not site))
        if others and others.isdisjoint(site.manifest.class_names):
            raise InputError(
                f'{site.folder}/manifest.json: class_names is {site.manifest.class_names}, none of '
                f'which another site has ({", ".join(sorted(others))}); expected some in common'
            )


def check_image_size(sites: Sequence[Site], image_size: int) -> None:
    """Raises InputError where the network's input cannot be cut from the records."""
    for site in sites:
        if site.manifest.image_size < image_size:
            raise InputError(
                f'config field image_size is {image_size}, but the records of {site.folder} are '
                f'{site.manifest.image_size} pixels wide; expected no more'
            )


def with_validation(sites: list[Site], validation_fraction: float) -> tuple[str, ...]:
    """The names of the sites that have validation data: a split of their own, or a fraction."""
    return tuple(
        site.name for site in sites if validation_fraction or 'validation' in site.manifest.splits
    )


def open_part(site: Site, split: str, validation_fraction: float) -> Part:
    """Finds the records of a split: 'train', 'validation' or 'test'.

    Validation is the site's own split of that name. Where it has none, a fraction of the training
    photos is held out, from 0 to below 1. A hash of the photo's name alone selects them, so they
    are the same in every run. Examples of a class that the run has not are left out, and so are
    those that the manifest drops. Raises InputError if the index or a shard does not match the
    manifest, or if nothing is left.
    """
    has_own = 'validation' in site.manifest.splits
    stored_split = 'train' if split == 'validation' and not has_own else split
    content = site.manifest.splits[stored_split]
    check_records(site.folder, content)
    index = read_index(site.folder, stored_split)
    chosen = (_in_run(site, index.label) >= 0) | (index.label == UNLABELLED)
    chosen[[each.row for each in site.manifest.dropped if each.split == stored_split]] = False
    if split != 'test' and not has_own:
        # Mixed, because a reader may have separated train from test by the size of the same hash.
        mixed = index.photo_hash * np.uint64(0x9E3779B97F4A7C15)
        held_out = mixed / 2.0**64 < validation_fraction
        chosen &= held_out if split == 'validation' else ~held_out
    records = np.flatnonzero(chosen)
    if not len(records):
        raise InputError(
            f'{site.folder}: no records in the {split} split at validation_fraction '
            f'{validation_fraction}; expected at least one of {", ".join(site.class_names)}'
            + '; the manifest drops copies of test pictures'
            * bool(site.manifest.dropped)
        )
    labels = _in_run(site, index.label[records])
    return Part(
        site=site,
        files=tuple(site.folder / shard.file for shard in content.shards),
        records=records,
        index=index.take(records),
        class_counts=np.bincount(labels[labels >= 0], minlength=len(site.class_names)),
    )


def _in_run(site: Site, labels: np.ndarray) -> np.ndarray:
    return np.append(site.places, np.int32(UNLABELLED))[labels]  # which is the last one's place
