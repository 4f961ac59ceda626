"""Folders named after classes, with pictures of anything, in splits or without any."""

import os
from pathlib import Path
from typing import NoReturn

from cda_jax.data.manifest import ALL_SPLITS, Split
from cda_jax.data.records import UNLABELLED
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Dataset, Example, Skipped, each_example
from cda_jax.prepare.readers import row_checks
from cda_jax.prepare.readers.classes import fold, sorted_names
from cda_jax.prepare.readers.label_files import other_layout
from cda_jax.prepare.readers.splits import HOW_TO_DRAW, SPLIT_NAMES, draw_test, group_by_name

LAYOUT = 'train/CLASS/ and test/CLASS/ (val/CLASS/ beside or instead of it) with pictures in them'
PICTURE_SUFFIXES = ('.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.bmp', '.tif', '.tiff', '.webp')
PICTURE_SUFFIXES += ('.gif',)
# How pictures begin, whatever their names end in.
_BEGINNINGS = (b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n', b'GIF8', b'II*\0', b'MM\0*')


def read(
    root: Path,
    test_fraction: float | None = None,
    group: str | None = None,
    follow_links: bool = False,
) -> Dataset:
    """Lists the pictures in folders named after their classes.

    The folders of the splits are `train/`, `val/` (or `valid/`, `validation/`) and `test/`, in any
    case. Where there is no `test/`, `val/` takes its place. There is a row per file that is neither
    hidden nor left behind by a system; its id is the path below root or below the one folder in it.
    Classes are the folders with pictures, numbers by their value and before names. Where `train/`
    has files and no folders, its pictures have no labels, and there need not be a test split.

    Args:
        test_fraction: Where there is no test split: the share of photos that make one, as of
            `splits.draw_test`.
        group: The part of a file's name that says whose picture it is, as of `group_by_name`.
    """
    base = _unwrapped(root)
    folders = _split_folders(base)
    layout = f'class folders in {", ".join(f"{folder.name}/" for folder in folders.values())}'
    if 'train' in folders and 'test' not in folders and 'validation' in folders:
        folders['test'] = folders.pop('validation')
        layout += f' ({folders["test"].name}/ is the test split)'
    subfolders, files = visible(folders['train']) if 'train' in folders else ([], [])
    is_unlabelled = bool(files) and not subfolders
    if test_fraction is not None:
        if 'test' in folders:
            raise InputError(
                f'{folders["test"]}: is the test split; expected none where test_fraction draws one'
            )
        folders = folders if 'train' in folders else {'train': base}
        layout = f'class folders, test split by a hash of the {"group" if group else "photo"}'
    elif 'train' not in folders or ('test' not in folders and not is_unlabelled):
        missing = 'test' if 'train' in folders else 'train'
        expected = f'expected {LAYOUT}, or class folders, of which {HOW_TO_DRAW}'
        raise other_layout(base, f'no folder for the {missing} split; {expected}')
    rows: list[Example | Skipped] = []
    unlabelled: list[Example | Skipped] = []
    if is_unlabelled:
        layout += ' (train/ without labels)'
        unlabelled = _class_rows(root, base, folders.pop('train'), 'train', follow_links)
    for split, folder in folders.items():
        classes, strays = visible(folder)
        rows += [
            Skipped((folder / name).relative_to(base).as_posix(), 'not in a class folder')
            for name in strays
            # Beside class folders without a split lie lists and the like.
            if folder != base or name.lower().endswith(PICTURE_SUFFIXES)
        ]
        for name in classes:
            rows += _class_rows(root, base, folder / name, split, follow_links)
    rows = draw_test(rows, test_fraction, None if group is None else group_by_name(group))
    names = sorted_names(row.path.parent.name for row in rows if isinstance(row, Example))
    if not names and not unlabelled:
        raise other_layout(base, f'no pictures in class folders; expected {LAYOUT}')
    rows = each_example(rows, lambda row: row._replace(label=names.index(row.path.parent.name)))
    return Dataset(tuple(names), (), unlabelled + rows, layout=layout)


def is_split(root: Path) -> bool:
    """Whether a folder has the layout of class folders in splits."""
    return 'train' in _split_folders(_unwrapped(root))


def _split_folders(base: Path) -> dict[Split, Path]:
    """The folders whose names are those of splits, in any case, in the order of the splits."""
    found: dict[Split, Path] = {}
    for name in visible(base)[0]:
        if split := SPLIT_NAMES.get(fold(name)):
            if split in found:
                raise InputError(
                    f'{base}: {found[split].name}/ and {name}/ are both the {split} split; '
                    'expected one'
                )
            found[split] = base / name
    return {split: found[split] for split in ALL_SPLITS if split in found}


def _unwrapped(root: Path, most: int = 3) -> Path:
    """The root, or the only folder in it, where an archive wrapped the rest, up to three times."""
    names, _ = visible(root)
    if not most or len(names) != 1 or fold(names[0]) in SPLIT_NAMES:
        return root
    inner = root / names[0]
    return _unwrapped(inner, most - 1) if visible(inner)[0] else root


def _class_rows(
    root: Path, base: Path, folder: Path, split: Split, follow_links: bool
) -> list[Example | Skipped]:
    subfolders, files = visible(folder)
    for name in subfolders:
        if not name.lower().endswith(PICTURE_SUFFIXES):
            raise InputError(f'{folder / name}: is a folder; expected pictures there')
    held = row_checks.files_in(folder, root, follow_links)
    rows: list[Example | Skipped] = []
    for name in sorted(subfolders + files):
        row_id = (folder / name).relative_to(base).as_posix()
        row = Example(row_id, row_id, folder / name, None, UNLABELLED, split)
        if held.get(name) is False:
            row = Skipped(row_id, row_checks.LINK_OUTSIDE)
        elif not (name in held and _is_picture(folder / name)):
            row = Skipped(row_id, 'not a picture file')
        rows.append(row)
    return rows


def _is_picture(path: Path) -> bool:
    """Whether a file is a picture by the end of its name, or else by its first bytes."""
    if path.name.lower().endswith(PICTURE_SUFFIXES):
        return True
    try:
        with path.open('rb') as file:
            start = file.read(12)
    except OSError:
        return False
    return start.startswith(_BEGINNINGS) or (start[:4] == b'RIFF' and start[8:] == b'WEBP')


def is_left_behind(name: str) -> bool:
    """Whether a file or folder is hidden, or left behind by a file manager or an archive."""
    return name.startswith('.') or name.lower() in ('__macosx', 'thumbs.db', 'desktop.ini')


def visible(folder: Path) -> tuple[list[str], list[str]]:
    """The names of a folder's subfolders and of its files, sorted, without what is left behind."""

    def refuse(error: OSError) -> NoReturn:
        raise InputError(f'{folder}: cannot be listed ({error.strerror})') from error

    _, folders, files = next(os.walk(folder, onerror=refuse))
    folders = sorted(name for name in folders if not is_left_behind(name))
    files = sorted(name for name in files if not is_left_behind(name))
    try:
        for name in folders + files:
            name.encode()
    except UnicodeEncodeError as error:
        raise InputError(f'{folder}: expected names in UTF-8, found {error.object!a}') from error
    return folders, files
