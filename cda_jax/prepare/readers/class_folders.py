"""A folder of folders: `train/CLASS/` and `test/CLASS/`, with pictures of anything."""

import os
from pathlib import Path

from cda_jax.data.manifest import Split
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Dataset, Example, Skipped
from cda_jax.prepare.readers import row_checks
from cda_jax.prepare.readers.expressions import class_order
from cda_jax.prepare.readers.label_files import first_folder

LAYOUT = 'train/CLASS/ and test/CLASS/ (or val/ or validation/ for test/) with pictures in them'
SPLIT_FOLDERS: dict[Split, tuple[str, ...]] = {
    'train': ('train',),
    'test': ('test', 'val', 'validation'),
}
PICTURE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')


def read(root: Path) -> Dataset:
    """Lists the pictures in folders named after their classes.

    Args:
        root: The folder that holds `train/` and `test/`; where there is no `test/`, `val/` or
            `validation/` takes its place.

    Returns:
        A row per file that is not hidden, its id the path below root. Classes are the folders of
        both splits, sorted; the seven expressions, in any case, come in the common order.

    Raises:
        InputError: The layout is not as expected, or a split is empty.
    """
    folders = {split: _split_folder(root, split) for split in SPLIT_FOLDERS}
    classes = {split: _visible(folder)[0] for split, folder in folders.items()}
    class_names, labels = class_order(name for names in classes.values() for name in names)
    rows: list[Example | Skipped] = []
    for split, folder in folders.items():
        rows += [
            Skipped(f'{folder.name}/{name}', row_checks.NOT_IN_A_CLASS)
            for name in _visible(folder)[1]
        ]
        for name in classes[split]:
            rows += _class_rows(root, folder / name, labels[name], split)
    return row_checks.full_dataset(root, class_names, [], rows)


def _split_folder(root: Path, split: Split) -> Path:
    folder = first_folder(root / name for name in SPLIT_FOLDERS[split])
    if folder is None:
        raise InputError(f'{root}: no folder for the {split} split; expected {LAYOUT}')
    return folder


def _class_rows(root: Path, folder: Path, label: int, split: Split) -> list[Example | Skipped]:
    subfolders, files = _visible(folder)
    for name in subfolders:
        if not name.lower().endswith(PICTURE_SUFFIXES):
            raise InputError(f'{folder / name}: is a folder; expected pictures there')
    listing = row_checks.list_files(folder, root)
    rows: list[Example | Skipped] = []
    for name in sorted(subfolders + files):
        row_id = f'{folder.parent.name}/{folder.name}/{name}'
        if name in listing.outside:
            rows.append(Skipped(row_id, row_checks.OUTSIDE_ROOT))
        elif name in listing.inside and name.lower().endswith(PICTURE_SUFFIXES):
            rows.append(Example(row_id, row_id, folder / name, None, label, split))
        else:
            rows.append(Skipped(row_id, row_checks.NOT_A_PICTURE))
    return rows


def _visible(folder: Path) -> tuple[list[str], list[str]]:
    """Returns the names of the folders and of the files in a folder, sorted, hidden ones apart."""
    names: dict[bool, list[str]] = {True: [], False: []}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith('.'):
                    entry.name.encode()
                    # A link that leads in a circle would make is_dir() raise.
                    is_dir = os.path.isdir(entry) if entry.is_symlink() else entry.is_dir()
                    names[is_dir].append(entry.name)
    except OSError as error:
        raise InputError(f'{folder}: cannot be listed ({error.strerror})') from error
    except UnicodeEncodeError as error:
        raise InputError(f'{folder}: expected names in UTF-8, found {error.object!a}') from error
    return sorted(names[True]), sorted(names[False])
