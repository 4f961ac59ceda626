"""Readers: one dataset's own folder in, a `Dataset` of labelled rows out. No picture is opened."""

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

    Args:
        dataset: 'rafdb', 'expw', 'affectnet', 'fer2013', 'folders', 'csv' or 'tfds:NAME', where
            NAME is a dataset of TensorFlow Datasets (a config and a version may follow:
            'NAME/CONFIG:1.0.0').
        root: The dataset's folder; for 'fer2013' and 'csv' the CSV file or its folder; for
            'tfds:NAME' the data_dir under which it was prepared.
        **options: What the one reader takes besides: `aligned` for rafdb; `min_confidence`,
            `num_test` and `test_photos` for expw; `public_test` for fer2013.

    Returns:
        The dataset; its rows are to be read once.

    Raises:
        InputError: The dataset is unknown, does not take an option, or is not found under root in
            the layout expected, or one of its label files cannot be used.
    """
    if dataset.startswith(tfds.PREFIX):
        _check_options(dataset, options, taken=())
        return tfds.read(Path(root), dataset.removeprefix(tfds.PREFIX))
    if dataset not in READERS:
        known = ', '.join([*READERS, f'{tfds.PREFIX}NAME'])
        raise InputError(f'unknown dataset {dataset!r}; expected one of {known}')
    _check_options(dataset, options, taken=_options_of(dataset))
    return READERS[dataset](Path(root), **options)


def _options_of(dataset: str) -> tuple[str, ...]:
    return tuple(inspect.signature(READERS[dataset]).parameters)[1:]


def _check_options(dataset: str, options: dict[str, object], taken: tuple[str, ...]) -> None:
    for option in options:
        if option not in taken:
            takers = [name for name in READERS if option in _options_of(name)]
            who = f'only {", ".join(takers)} does' if takers else 'no dataset does'
            raise InputError(f'dataset {dataset!r} takes no option {option!r}; {who}')
