"""Readers turn a dataset's own folder into a `Dataset` of labelled rows; they open no picture."""

import inspect
from collections.abc import Callable
from pathlib import Path

from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Dataset
from cda_jax.prepare.readers import (
    affectnet,
    class_folders,
    csv_manifest,
    expw,
    fer2013,
    rafdb,
    tfds,
)

READERS: dict[str, Callable[..., Dataset]] = {
    'rafdb': rafdb.read,
    'expw': expw.read,
    'affectnet': affectnet.read,
    'fer2013': fer2013.read,
    'folders': class_folders.read,
    'csv': csv_manifest.read,
}


def read(dataset: str, root: str | Path, **options: object) -> Dataset:
    """Reads a dataset's rows from its own folder.

    An `InputError` says if it is unknown, does not take an option, has another layout, or has a
    label file that is not as expected.

    Args:
        dataset: One of `READERS`, or 'tfds:NAME', where NAME is a dataset of TensorFlow Datasets (a
            config and a version may follow: 'NAME/CONFIG:1.0.0').
        root: The dataset's folder; for 'fer2013' and 'csv' the CSV file or its folder; for
            'tfds:NAME' the data_dir under which it was prepared.
        **options: `aligned` for rafdb; `min_confidence`, `num_test` and `test_photos` for expw;
            `public_test` for fer2013.
    """
    is_tfds = dataset.startswith(tfds.PREFIX)
    if not is_tfds and dataset not in READERS:
        known = ', '.join([*READERS, f'{tfds.PREFIX}NAME'])
        raise InputError(f'unknown dataset {dataset!r}; expected one of {known}')
    taken = {name: [*inspect.signature(READERS[name]).parameters][1:] for name in READERS}
    for option in options:
        if option not in taken.get(dataset, ()):
            takers = [name for name in READERS if option in taken[name]]
            who = f'only {", ".join(takers)} does' if takers else 'no dataset does'
            raise InputError(f'dataset {dataset!r} takes no option {option!r}; {who}')
    if is_tfds:
        return tfds.read(Path(root), dataset.removeprefix(tfds.PREFIX))
    return READERS[dataset](Path(root), **options)
