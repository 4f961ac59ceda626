"""AffectNet in its two releases and as class folders, which are told apart by their files.

The first has two CSV lists with a row per face and pictures in numbered folders; that of 2021 has
numbered face crops and one small npy file per label. In both, the validation set is the test split,
as in the paper.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

from cda_jax.data.arrays import read_npy
from cda_jax.data.manifest import Split
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Box, Dataset, Example, Skipped
from cda_jax.prepare.readers import class_folders, row_checks
from cda_jax.prepare.readers.classes import fold, name_classes
from cda_jax.prepare.readers.expressions import EXPRESSIONS, SYNONYMS, native_labels
from cda_jax.prepare.readers.label_files import csv_rows, first_file, first_folder, other_layout

COMMON_LABELS = {int(number): label for number, label in native_labels('affectnet').items()}
UNUSED_CLASSES = {7: 'contempt', 8: 'none', 9: 'uncertain', 10: 'no face'}

CSV_LAYOUT = 'training.csv, validation.csv and Manually_Annotated_Images/'
LISTS: dict[str, Split] = {'training.csv': 'train', 'validation.csv': 'test'}
_OUTER = 'Manually_Annotated'
LIST_FOLDERS = ('.', f'{_OUTER}_file_lists', _OUTER, f'{_OUTER}/{_OUTER}_file_lists')
IMAGE_FOLDERS = (f'{_OUTER}_Images', f'{_OUTER}/{_OUTER}_Images', _OUTER)
BOX_FIELDS = ['face_x', 'face_y', 'face_width', 'face_height']
HEADER = ['subDirectory_filePath', *BOX_FIELDS, 'facial_landmarks']
HEADER += ['expression', 'valence', 'arousal']

NPY_LAYOUT = 'train_set/ and val_set/, each with images/ and annotations/'
SET_FOLDERS: dict[Split, list[str]] = {'train': ['train_set'], 'test': ['val_set', 'valid_set']}
LABEL_SUFFIX = '_exp.npy'


def read(root: Path, follow_links: bool = False) -> Dataset:
    """Lists the rows of AffectNet from the folder of either release.

    The first has a row per line of the CSV lists, with the id `training.csv:LINE` or
    `validation.csv:LINE`; for a class outside the seven, nothing else in the row is checked. The
    later one has a row per number that has a picture, a label or both, with the id
    `train_set/NUMBER` or `val_set/NUMBER`; its label files are too many to be named as sources.
    Copies as class folders have `train/CLASS/`, where the classes are numbers or names.
    """
    lists = {name: first_file(root / folder / name for folder in LIST_FOLDERS) for name in LISTS}
    sets = {
        split: first_folder(root / name for name in names) for split, names in SET_FOLDERS.items()
    }
    if any(lists.values()) and any(sets.values()):
        raise InputError(
            f'{root}: holds both releases of AffectNet (training.csv and train_set/); expected one'
        )
    if any(lists.values()):
        return _read_csv_release(root, lists, follow_links)
    if any(sets.values()):
        if None in sets.values():
            raise other_layout(root, f'expected {NPY_LAYOUT} of AffectNet')
        rows = []
        for split, folder in sets.items():
            rows += _set_rows(root, folder, split, follow_links)
        return Dataset(EXPRESSIONS, (), rows, layout='2021 release (npy labels)')
    if class_folders.is_split(root):
        dataset = class_folders.read(root, follow_links=follow_links)
        names, unused = dataset.class_names, {*map(str, UNUSED_CLASSES), *UNUSED_CLASSES.values()}
        dropped = [name for name in names if fold(SYNONYMS.get(fold(name), name)) in unused]
        is_numbered = all(fold(name).isdecimal() for name in names)
        return name_classes(dataset, dict.fromkeys(dropped, ''), is_numbered and 'affectnet')
    expected = f'expected {CSV_LAYOUT} (first release), or {NPY_LAYOUT} (2021 release)'
    raise other_layout(root, f'not a folder of AffectNet; {expected}, or train/0/ and so on')


def _common_label(expression: str, where: str) -> int:
    """The common label for AffectNet's own, for example '3' or '3.0'."""
    try:
        native = float(expression)
    except ValueError:
        native = math.nan
    if math.isnan(native):
        raise row_checks.UnusableRowError('non-numeric expression', expression)
    if native in COMMON_LABELS:  # a float finds the equal int
        return COMMON_LABELS[native]
    if native in UNUSED_CLASSES:
        raise row_checks.UnusableRowError('class not used', UNUSED_CLASSES[native], False)
    raise InputError(f'{where}: expected an expression of 0..10, found {expression[:40]!r}')


def _read_csv_release(root: Path, lists: dict[str, Path | None], follow_links: bool) -> Dataset:
    images = first_folder(root / name for name in IMAGE_FOLDERS)
    found = lists | {f'{IMAGE_FOLDERS[0]}/': images}
    if missing := ' and '.join(name for name, path in found.items() if path is None):
        raise other_layout(root, f'expected {CSV_LAYOUT} of AffectNet; {missing} not found')
    check_picture = row_checks.picture_check(images, root, follow_links)
    photo_prefix = images.relative_to(root).as_posix()

    def example(row_id: str, fields: list[str], where: str, split: Split) -> Example:
        label = _common_label(fields[6], where)
        picture, edges = fields[0], fields[1:5]
        check_picture(picture)
        expected = f'{where}: expected numbers or NULL for {",".join(BOX_FIELDS)}'
        x, y, width, height = row_checks.numbers(edges, expected)
        box = row_checks.usable_box(Box(x, y, x + width, y + height), ','.join(edges))
        return Example(row_id, f'{photo_prefix}/{picture}', images / picture, box, label, split)

    rows = [
        row_checks.attempt(
            example, f'{path.name}:{number}', fields, f'{path}, line {number}', LISTS[name]
        )
        for name, path in lists.items()
        for number, fields in _data_rows(path)
    ]
    return Dataset(EXPRESSIONS, tuple(lists.values()), rows, layout='first release (CSV lists)')


def _data_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    for number, fields in csv_rows(path):
        # Some copies of validation.csv have no header.
        is_header = number == 1 and fields[0] == HEADER[0]
        if len(fields) != len(HEADER) or (is_header and fields != HEADER):
            raise InputError(
                f'{path}, line {number}: expected the {len(HEADER)} fields {",".join(HEADER)}, '
                f'found {len(fields)}: {",".join(fields)[:80]!r}'
            )
        if not is_header:
            yield number, fields


def _set_rows(
    root: Path, folder: Path, split: Split, follow_links: bool
) -> list[Example | Skipped]:
    images, annotations = folder / 'images', folder / 'annotations'
    if not (images.is_dir() and annotations.is_dir()):
        raise other_layout(folder, f'expected {NPY_LAYOUT}')
    pictures = row_checks.files_in(images, root, follow_links)
    labels = row_checks.files_in(annotations, root, follow_links)
    # Most copies have jpg, some png; of two for one number the first in order counts.
    picture_of, strays = {}, []
    for name in sorted(pictures):
        number, suffix = os.path.splitext(name)
        if number.isdecimal() and suffix.lower() in class_folders.PICTURE_SUFFIXES:
            picture_of.setdefault(number, name)
        elif not class_folders.is_left_behind(name):
            strays.append(Skipped(f'{folder.name}/images/{name}', 'not named NUMBER.jpg'))

    def example(row_id: str, number: str) -> Example:
        picture, label_name = picture_of.get(number, f'{number}.jpg'), f'{number}{LABEL_SUFFIX}'
        row_checks.check_file(labels, label_name, 'missing label file')
        label_file = annotations / label_name
        label = _common_label(_expression(label_file), str(label_file))
        row_checks.check_file(pictures, picture)
        photo = f'{folder.name}/images/{picture}'
        return Example(row_id, photo, images / picture, None, label, split)

    labelled = {name.removesuffix(LABEL_SUFFIX) for name in labels if name.endswith(LABEL_SUFFIX)}
    numbers = picture_of.keys() | set(filter(str.isdecimal, labelled))
    rows = [
        row_checks.attempt(example, f'{folder.name}/{number}', number)
        for number in sorted(numbers, key=lambda number: (int(number), number))
    ]
    return rows + strays


def _expression(path: Path) -> str:
    """One label as text; most copies store a number, some store text."""
    array = read_npy(path, max_bytes=4096)
    if array.size != 1:
        raise InputError(f'{path}: expected an npy file of one label, found {array.size}')
    try:
        value = array.item()
    except (ValueError, SystemError) as error:  # raised by NumPy for invalid characters
        raise InputError(f'{path}: expected an npy file of one label ({error})') from error
    return value.decode(errors='replace') if isinstance(value, bytes) else str(value)
