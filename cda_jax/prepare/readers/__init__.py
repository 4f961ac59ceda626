"""Readers turn a dataset's own folder into a `Dataset` of labelled rows; they open no picture."""

import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Dataset
from cda_jax.prepare.readers import (
    affectnet,
    class_folders,
    csv_manifest,
    expw,
    fer2013,
    muxspace,
    rafdb,
    sites,
    tfds,
)
from cda_jax.prepare.readers.classes import name_classes

READERS: dict[str, Callable[..., Dataset]] = {
    'rafdb': rafdb.read,
    'expw': expw.read,
    'affectnet': affectnet.read,
    'fer2013': fer2013.read,
    'muxspace': muxspace.read,
    'folders': class_folders.read,
    'csv': csv_manifest.read,
}
SITES = 'sites'  # several datasets in one folder


def read(dataset: str, root: str | Path, **options: object) -> Dataset:
    """Reads the rows of one dataset from its own folder, as `read_each` does."""
    return read_each(dataset, root, **options)['']


def read_each(
    dataset: str,
    root: str | Path,
    *,
    classes: Mapping[str, str] | None = None,
    class_order: str | None = None,
    **options: object,
) -> dict[str, Dataset]:
    """Reads the rows of a dataset from its own folder, or of every site in a folder of sites.

    An `InputError` says if it is unknown, does not take an option, has another layout, or has a
    label file or classes that are not as expected.

    Args:
        dataset: One of `READERS`, or 'tfds:NAME', where NAME is a dataset of TensorFlow Datasets (a
            config and a version may follow: 'NAME/CONFIG:1.0.0'), or 'sites'.
        root: The dataset's folder; for 'fer2013' and 'csv' the CSV file or its folder; for
            'tfds:NAME' the data_dir under which it was prepared.
        classes: Names for its classes, as of `name_classes`, like `class_order`.
        **options: Those of its reader.

    Returns:
        Sites by name; a single dataset has the name ''.
    """
    _check(dataset, root, options)
    if dataset == SITES:
        found = dict(sites.read_sites(Path(root), **options))
    elif dataset.startswith(tfds.PREFIX):
        found = {'': tfds.read(Path(root), dataset.removeprefix(tfds.PREFIX))}
    else:
        found = {'': READERS[dataset](Path(root), **options)}
    return {name: name_classes(each, classes, class_order) for name, each in found.items()}


def _check(dataset: str, root: str | Path, options: Mapping[str, object]) -> None:
    known = READERS | {SITES: sites.read_sites}
    is_tfds = dataset.startswith(tfds.PREFIX)
    if not is_tfds and dataset not in known:
        names = ', '.join([*known, f'{tfds.PREFIX}NAME'])
        raise InputError(f'unknown dataset {dataset!r}; expected one of {names}')
    taken = {name: [*inspect.signature(known[name]).parameters][1:] for name in known}
    for option in options:
        if option not in taken.get(dataset, ()):
            takers = [name for name in known if option in taken[name]]
            who = f'only {", ".join(takers)} does' if takers else 'no dataset does'
            raise InputError(f'dataset {dataset!r} takes no option {option!r}; {who}')
    if not os.path.exists(root):
        raise InputError(f'{root}: no such file or folder; expected the root of the dataset')
