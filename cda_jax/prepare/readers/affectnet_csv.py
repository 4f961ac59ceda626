"""AffectNet, first release: two CSV lists with a row per face, pictures in numbered folders."""

from collections.abc import Callable, Iterator
from pathlib import Path

from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Box, Dataset, Example, Skipped, Split
from cda_jax.prepare.readers import boxes
from cda_jax.prepare.readers.affectnet_labels import common_label
from cda_jax.prepare.readers.complete import complete
from cda_jax.prepare.readers.expressions import EXPRESSIONS
from cda_jax.prepare.readers.label_file import csv_rows, first_file, first_folder
from cda_jax.prepare.readers.pictures import picture_check

LAYOUT = 'training.csv, validation.csv and Manually_Annotated_Images/'
LIST_FOLDERS = (
    '.',
    'Manually_Annotated_file_lists',
    'Manually_Annotated',
    'Manually_Annotated/Manually_Annotated_file_lists',
)
IMAGE_FOLDERS = (
    'Manually_Annotated_Images',
    'Manually_Annotated/Manually_Annotated_Images',
    'Manually_Annotated',
)
# The validation set is the test split, as in the paper.
LISTS: dict[str, Split] = {'training.csv': 'train', 'validation.csv': 'test'}
HEADER = [
    'subDirectory_filePath',
    *('face_x', 'face_y', 'face_width', 'face_height'),
    'facial_landmarks',
    'expression',
    *('valence', 'arousal'),
]


def is_release(root: Path) -> bool:
    """Says whether a folder holds this release: a list of either set in one of its places."""
    return any(_list_file(root, name) for name in LISTS)


def read(root: Path) -> Dataset:
    """Lists the faces of AffectNet's first release.

    Args:
        root: The folder that holds the lists and the pictures, or `Manually_Annotated/` with them.

    Returns:
        A row per row of the lists, its id `training.csv:LINE` or `validation.csv:LINE`. A class
        outside the seven is left out before anything else is asked of its row.

    Raises:
        InputError: The layout or a list is not as expected, or a split is empty.
    """
    lists = {name: _list_file(root, name) for name in LISTS}
    images = first_folder(root / name for name in IMAGE_FOLDERS)
    missing = [name for name, path in lists.items() if path is None]
    if images is None:
        missing.append(f'{IMAGE_FOLDERS[0]}/')
    if missing:
        raise InputError(
            f'{root}: expected {LAYOUT} of AffectNet; {" and ".join(missing)} not found'
        )
    check_picture = picture_check(images, root)
    photo_prefix = images.relative_to(root).as_posix()
    rows: list[Example | Skipped] = []
    for name, path in lists.items():
        for number, fields in _data_rows(path):
            row_id = f'{name}:{number}'
            found = _label_and_box(row_id, fields, f'{path}, line {number}', check_picture)
            if isinstance(found, Skipped):
                rows.append(found)
                continue
            label, box = found
            photo = f'{photo_prefix}/{fields[0]}'
            rows.append(Example(row_id, photo, images / fields[0], box, label, LISTS[name]))
    return complete(root, EXPRESSIONS, list(lists.values()), rows)


def _list_file(root: Path, name: str) -> Path | None:
    return first_file(root / folder / name for folder in LIST_FOLDERS)


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


def _label_and_box(
    row_id: str,
    fields: list[str],
    where: str,
    check_picture: Callable[[str, str], Skipped | None],
) -> tuple[int, Box] | Skipped:
    picture, x, y, width, height, _, expression, _, _ = fields
    label = common_label(row_id, expression, where)
    if isinstance(label, Skipped):
        return label
    missing = check_picture(row_id, picture)
    if missing:
        return missing
    box = _box((x, y, width, height), where)
    fault = boxes.fault_of(box)
    return Skipped(row_id, fault, ','.join((x, y, width, height))) if fault else (label, box)


def _box(fields: tuple[str, str, str, str], where: str) -> Box:
    try:
        x, y, width, height = boxes.numbers(fields)
    except ValueError as error:
        raise InputError(
            f'{where}: expected numbers or NULL for {",".join(HEADER[1:5])}, '
            f'found {",".join(fields)[:80]!r}'
        ) from error
    return Box(x, y, x + width, y + height)
