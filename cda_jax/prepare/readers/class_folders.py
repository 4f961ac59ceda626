"""A folder of folders: `train/CLASS/` and `test/CLASS/`, with pictures of anything."""

import os
from pathlib import Path

from cda_jax.data.manifest import Split
from cda_jax.data.records import UNLABELLED
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

    Without `test/`, `val/` or `validation/` takes its place. Classes are the folders of both
    splits, in the order of `class_order`. There is a row per file that is not hidden; its id is the
    path below root. Where `train/` has files and no folders, its pictures have no labels, and there
    need not be a test split.
    """
    folders = {
        split: first_folder(root / name for name in names) for split, names in SPLIT_FOLDERS.items()
    }
    visible = {split: _visible(folder) if folder else ([], []) for split, folder in folders.items()}
    is_unlabelled = bool(visible['train'][1]) and not visible['train'][0]
    for split, folder in folders.items():
        if folder is None and not (is_unlabelled and split == 'test'):
            raise InputError(f'{root}: no folder for the {split} split; expected {LAYOUT}')
    class_names, labels = class_order(name for classes, _ in visible.values() for name in classes)
    rows: list[Example | Skipped] = []
    for split, (classes, strays) in visible.items():
        folder = folders[split]
        if split == 'train' and is_unlabelled:
            rows += _class_rows(root, folder, UNLABELLED, split)
            continue
        rows += [Skipped(f'{folder.name}/{name}', 'not in a class folder') for name in strays]
        for name in classes:
            rows += _class_rows(root, folder / name, labels[name], split)
    return Dataset(class_names, (), rows)


def _class_rows(root: Path, folder: Path, label: int, split: Split) -> list[Example | Skipped]:
    subfolders, files = _visible(folder)
    for name in subfolders:
        if not name.lower().endswith(PICTURE_SUFFIXES):
            raise InputError(f'{folder / name}: is a folder; expected pictures there')
    listing = row_checks.list_files(folder, root)
    rows: list[Example | Skipped] = []
    for name in sorted(subfolders + files):
        row_id = f'{folder.relative_to(root).as_posix()}/{name}'
        if name in listing.outside:
            rows.append(Skipped(row_id, row_checks.OUTSIDE_ROOT))
        elif name in listing.inside and name.lower().endswith(PICTURE_SUFFIXES):
            rows.append(Example(row_id, row_id, folder / name, None, label, split))
        else:
            rows.append(Skipped(row_id, 'not a picture file'))
    return rows


def _visible(folder: Path) -> tuple[list[str], list[str]]:
    """The names of a folder's subfolders and of its files, sorted and without hidden ones."""
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
