"""AffectNet, release of 2021: numbered face crops, one small npy file per label."""

import re
from collections.abc import Set
from pathlib import Path

from cda_jax.data.npy import read_npy
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Dataset, Example, Skipped, Split
from cda_jax.prepare.readers import reasons
from cda_jax.prepare.readers.affectnet_labels import common_label
from cda_jax.prepare.readers.complete import complete
from cda_jax.prepare.readers.expressions import EXPRESSIONS
from cda_jax.prepare.readers.label_file import first_folder
from cda_jax.prepare.readers.pictures import Listing, list_files

LAYOUT = 'train_set/ and val_set/, each with images/ and annotations/'
# The validation set is the test split, as in the paper.
SET_FOLDERS: dict[Split, tuple[str, ...]] = {
    'train': ('train_set',),
    'test': ('val_set', 'valid_set'),
}
LABEL_SUFFIX = '_exp.npy'
PICTURE_SUFFIX = '.jpg'
_MAX_LABEL_BYTES = 4096


def is_release(root: Path) -> bool:
    """Says whether a folder holds this release: the folder of either set."""
    return any(_set_folder(root, split) for split in SET_FOLDERS)


def read(root: Path) -> Dataset:
    """Lists the pictures of AffectNet's 2021 release; each is a face, so there is no box.

    Args:
        root: The folder that holds `train_set/` and `val_set/`.

    Returns:
        A row per number that has a picture, a label or both, its id `train_set/NUMBER` or the
        other set's folder likewise. The label files are too many to be named as sources.

    Raises:
        InputError: The layout or a label file is not as expected, or a split is empty.
    """
    rows: list[Example | Skipped] = []
    for split, names in SET_FOLDERS.items():
        folder = _set_folder(root, split)
        if folder is None:
            raise InputError(f'{root}: expected {LAYOUT} of AffectNet; {names[0]}/ not found')
        rows.extend(_set_rows(root, folder, split))
    return complete(root, EXPRESSIONS, [], rows)


def _set_folder(root: Path, split: Split) -> Path | None:
    return first_folder(root / name for name in SET_FOLDERS[split])


def _set_rows(root: Path, folder: Path, split: Split) -> list[Example | Skipped]:
    images = folder / 'images'
    annotations = folder / 'annotations'
    for part in (images, annotations):
        if not part.is_dir():
            raise InputError(f'{folder}: expected {LAYOUT}; {part.name}/ not found')
    pictures, labels = list_files(images, root), list_files(annotations, root)
    numbers = _numbers(images, PICTURE_SUFFIX, pictures.inside | pictures.outside)
    numbers |= _numbers(
        annotations,
        LABEL_SUFFIX,
        {name for name in labels.inside | labels.outside if name.endswith(LABEL_SUFFIX)},
    )
    return [
        _row(folder, number, split, pictures, labels)
        for number in sorted(numbers, key=lambda number: (int(number), number))
    ]


def _numbers(folder: Path, suffix: str, names: Set[str]) -> set[str]:
    """Returns the N of every file N + suffix; nothing else may be there but hidden files."""
    numbers = set()
    for name in names:
        if name.startswith('.'):
            continue
        match = re.fullmatch(f'([0-9]+){re.escape(suffix)}', name)
        if match is None:
            raise InputError(f'{folder / name}: expected only files named NUMBER{suffix}')
        numbers.add(match[1])
    return numbers


def _row(
    folder: Path, number: str, split: Split, pictures: Listing, labels: Listing
) -> Example | Skipped:
    row_id = f'{folder.name}/{number}'
    picture, label_name = f'{number}{PICTURE_SUFFIX}', f'{number}{LABEL_SUFFIX}'
    for name, listing in ((label_name, labels), (picture, pictures)):
        if name in listing.outside:
            return Skipped(row_id, reasons.OUTSIDE_ROOT, name)
    if label_name not in labels.inside:
        return Skipped(row_id, reasons.MISSING_LABEL_FILE, label_name)
    label_file = folder / 'annotations' / label_name
    label = common_label(row_id, _expression(label_file), str(label_file))
    if isinstance(label, Skipped):
        return label
    if picture not in pictures.inside:
        return Skipped(row_id, reasons.MISSING_PICTURE, picture)
    photo = f'{folder.name}/images/{picture}'
    return Example(row_id, photo, folder / 'images' / picture, None, label, split)


def _expression(path: Path) -> str:
    """Reads one label as text: a number in most copies, text in some."""
    try:
        value = read_npy(path, max_bytes=_MAX_LABEL_BYTES).item()
    except OSError as error:
        raise InputError(f'{path}: cannot be read ({error.strerror})') from error
    except ValueError as error:
        raise InputError(f'{path}: expected an npy file of one label ({error})') from error
    return value.decode(errors='replace') if isinstance(value, bytes) else str(value)
