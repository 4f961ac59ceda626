"""Readers turn a dataset's own folder into a `Dataset` of labelled rows; they open no picture."""

import functools
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

READERS: dict[str, Callable[..., Dataset | dict[str, Dataset]]] = {
    'rafdb': rafdb.read,
    'expw': expw.read,
    'affectnet': affectnet.read,
    'fer2013': fer2013.read,
    'muxspace': muxspace.read,
    'folders': class_folders.read,
    'csv': csv_manifest.read,
    'sites': sites.read,  # several datasets in one folder
}


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
            config and a version may follow: 'NAME/CONFIG:1.0.0').
        root: The dataset's folder; for 'fer2013' and 'csv' the CSV file or its folder; for
            'tfds:NAME' the data_dir under which it was prepared.
        classes: Names for its classes, as of `name_classes`, like `class_order`.
        **options: Those of its reader, such as `follow_links`, which lets symbolic links lead out
            of the root.

    Returns:
        Sites by name; a single dataset has the name ''.
    """
    readers = dict(READERS)
    if dataset.startswith(tfds.PREFIX):
        name = dataset.removeprefix(tfds.PREFIX)
        readers[dataset] = functools.partial(tfds.read, name=name)
    if dataset not in readers:
        names = ', '.join([*READERS, f'{tfds.PREFIX}NAME'])
        raise InputError(f'unknown dataset {dataset!r}; expected one of {names}')
    taken = {name: inspect.signature(reader).parameters for name, reader in readers.items()}
    for option in options:
        if option not in taken[dataset]:
            takers = ', '.join(name for name in taken if option in taken[name])
            who = f'only {takers} does' if takers else 'no dataset does'
            raise InputError(f'dataset {dataset!r} takes no option {option!r}; {who}')
    if not os.path.exists(root):
        raise InputError(f'{root}: no such file or folder; expected the root of the dataset')
    found = readers[dataset](Path(root), **options)
    found = found if isinstance(found, dict) else {'': found}
    return {site: name_classes(each, classes, class_order) for site, each in found.items()}
