"""AffectNet: says which of its two releases a folder holds, and reads it."""

from pathlib import Path

from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Dataset
from cda_jax.prepare.readers import affectnet_csv, affectnet_npy


def read(root: Path) -> Dataset:
    """Lists the rows of AffectNet, first release (CSV lists) or 2021 release (npy labels).

    Args:
        root: The folder of the release; the other modules of this name show what lies in it.

    Returns:
        A row per line of the CSV lists, or per numbered picture. The validation set is the test
        split.

    Raises:
        InputError: The folder holds neither release, or both; or what it holds is not as expected.
    """
    has_csv = affectnet_csv.is_release(root)
    has_npy = affectnet_npy.is_release(root)
    if has_csv and has_npy:
        raise InputError(
            f'{root}: holds both releases of AffectNet (training.csv and train_set/); expected one'
        )
    if has_csv:
        return affectnet_csv.read(root)
    if has_npy:
        return affectnet_npy.read(root)
    raise InputError(
        f'{root}: not a folder of AffectNet; expected {affectnet_csv.LAYOUT} (first release), or '
        f'{affectnet_npy.LAYOUT} (2021 release)'
    )
