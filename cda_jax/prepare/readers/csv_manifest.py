"""A CSV file with a line per picture or per box: `path,label,split[,x0,y0,x1,y1]`."""

import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from cda_jax.data.manifest import SPLITS
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Box, Dataset, Example
from cda_jax.prepare.readers import row_checks
from cda_jax.prepare.readers.expressions import class_order
from cda_jax.prepare.readers.label_files import csv_rows, first_file

HEADER = ['path', 'label', 'split']
BOX_HEADER = ['x0', 'y0', 'x1', 'y1']
DEFAULT_NAME = 'manifest.csv'
_MAX_DIGITS = 18


class _Line(NamedTuple):
    number: int
    picture: str
    label: str
    split: str
    edges: list[str]


def read(root: Path) -> Dataset:
    """Lists the rows of a CSV file, or of `manifest.csv` in a folder, with ids `NAME.csv:LINE`.

    Paths are relative to the file's folder and have forward slashes. Labels are class names, which
    come in the order of `class_order`, or the integers 0..C-1, which are then the class names.
    Where all four edges of a box are empty, the row stands for the whole picture.
    """
    path = first_file([root, root / DEFAULT_NAME])
    if path is None:
        raise InputError(f'{root}: expected a CSV file, or a folder with {DEFAULT_NAME} in it')
    lines = _lines(path)
    class_names, labels = _classes(path, {line.label for line in lines})
    check_picture = row_checks.picture_check(path.parent, path.parent)

    def example(row_id: str, line: _Line) -> Example:
        photo = PurePosixPath(line.picture).as_posix()  # one spelling of './a.jpg' and 'a.jpg'
        check_picture(photo)
        label, box = labels[line.label], _box(path, line)
        return Example(row_id, photo, path.parent / photo, box, label, line.split)

    rows = [row_checks.attempt(example, f'{path.name}:{line.number}', line) for line in lines]
    return Dataset(class_names, (path,), rows)


def _lines(path: Path) -> list[_Line]:
    rows = csv_rows(path)
    _, header = next(rows, (1, []))
    if header not in (HEADER, HEADER + BOX_HEADER):
        raise InputError(
            f'{path}, line 1: expected the header {",".join(HEADER)} or '
            f'{",".join(HEADER + BOX_HEADER)}, found {",".join(header)[:80]!r}'
        )
    lines = []
    for number, fields in rows:
        if len(fields) != len(header):
            raise InputError(
                f'{path}, line {number}: expected the {len(header)} fields {",".join(header)}, '
                f'found {len(fields)}'
            )
        line = _Line(number, *fields[:3], fields[3:])
        for name in ('picture', 'label'):
            if not getattr(line, name).strip():
                raise InputError(f'{path}, line {number}: the {name} is empty')
        if line.split not in SPLITS:
            raise InputError(
                f"{path}, line {number}: expected the split 'train' or 'test', "
                f'found {line.split[:40]!r}'
            )
        lines.append(line)
    return lines


def _classes(path: Path, labels: set[str]) -> tuple[tuple[str, ...], dict[str, int]]:
    if not all(re.fullmatch('-?[0-9]+', label) for label in labels):
        return class_order(labels)
    longest = max(labels, key=len, default='')
    if len(longest) > _MAX_DIGITS:
        raise InputError(
            f'{path}: expected integers of at most {_MAX_DIGITS} characters as labels, '
            f'found {longest[:40]!r}'
        )
    numbers = {int(label) for label in labels}
    expected = set(range(len(numbers)))
    if numbers != expected:
        raise InputError(
            f'{path}: labels that are integers must be 0..C-1, each at least once; with '
            f'{len(numbers)} of them {sorted(numbers - expected)[0]} is out of range'
        )
    return tuple(map(str, sorted(numbers))), {label: int(label) for label in labels}


def _box(path: Path, line: _Line) -> Box | None:
    if not any(line.edges):
        return None
    expected = f'{path}, line {line.number}: expected numbers for {",".join(BOX_HEADER)}'
    box = Box(*row_checks.numbers(line.edges, expected))
    return row_checks.usable_box(box, ','.join(line.edges))
