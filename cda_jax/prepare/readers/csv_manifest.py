"""A CSV file with a line per picture or per box: `path,label[,split][,x0,y0,x1,y1][,...]`."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from cda_jax.data.manifest import Split
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Box, Dataset, Example
from cda_jax.prepare.readers import row_checks
from cda_jax.prepare.readers.classes import fold, sorted_names
from cda_jax.prepare.readers.label_files import csv_table, first_file, found_in
from cda_jax.prepare.readers.splits import HOW_TO_DRAW, SPLIT_NAMES, draw_test, group_by_name

HEADER = ['path', 'label', 'split']
BOX_HEADER = ['x0', 'y0', 'x1', 'y1']
DEFAULT_NAME = 'manifest.csv'


class _Line(NamedTuple):
    number: int
    picture: str
    label: str
    split: Split
    edges: list[str]
    group: str | None


def read(
    root: Path,
    test_fraction: float | None = None,
    group: str | None = None,
    follow_links: bool = False,
) -> Dataset:
    """Lists the rows of a CSV file, or of `manifest.csv` in a folder, with ids `NAME.csv:LINE`.

    Columns have any order, and there may be others. Paths are relative to the file's folder and
    have forward slashes. Labels are names or numbers. Where all four edges of a box are empty, the
    row stands for the whole picture. Where no row is of the test split, validation takes its place.

    Args:
        test_fraction: Where there is no column split: the share of photos that make the test split,
            as of `splits.draw_test`.
        group: The column that says whose picture it is, or the part of a file's name that does, as
            of `group_by_name`.
        follow_links: Whether symbolic links may lead out of the file's folder.
    """
    path = first_file([root, root / DEFAULT_NAME])
    if path is None:
        raise InputError(
            f'{root}: expected a CSV file, or a folder with {DEFAULT_NAME} in it{found_in(root)}'
        )
    header, rows = csv_table(path)
    _check_header(path, header, test_fraction)
    lines = _lines(path, rows, group)
    layout = 'CSV' if 'split' in header else f'CSV, test split by a hash of the {group or "photo"}'
    splits = {line.split for line in lines}
    renamed: dict[Split, Split] = {}
    if 'validation' in splits and 'test' not in splits:
        layout, renamed = 'CSV (validation is the test split)', {'validation': 'test'}
    names = sorted_names(line.label for line in lines)
    labels = {name: label for label, name in enumerate(names)}
    check_picture = row_checks.picture_check(path.parent, path.parent, follow_links)

    def example(row_id: str, line: _Line) -> Example:
        picture = PurePosixPath(line.picture).as_posix()  # one spelling of './a.jpg' and 'a.jpg'
        check_picture(picture)
        label, box = labels[line.label], None
        if any(line.edges):
            expected = f'{path}, line {line.number}: expected numbers for {",".join(BOX_HEADER)}'
            box = Box(*row_checks.numbers(line.edges, expected))
            box = row_checks.usable_box(box, ','.join(line.edges))
        photo = picture if line.group is None else line.group
        split = renamed.get(line.split, line.split)
        return Example(row_id, photo, path.parent / picture, box, label, split)

    rows = [row_checks.attempt(example, f'{path.name}:{line.number}', line) for line in lines]
    by_name = group is not None and group not in header
    rows = draw_test(rows, test_fraction, group_by_name(group) if by_name else None)
    return Dataset(tuple(names), (path,), rows, layout=layout)


def _check_header(path: Path, header: list[str], test_fraction: float | None) -> None:
    boxes = [name for name in BOX_HEADER if name in header]
    if not {'path', 'label'} <= set(header) or boxes not in ([], BOX_HEADER):
        raise InputError(
            f'{path}, line 1: expected the header {",".join(HEADER)} or '
            f'{",".join(HEADER + BOX_HEADER)}, found {",".join(header)[:80]!r}'
        )
    if ('split' in header) != (test_fraction is None):
        expected = f'a column split; without one, {HOW_TO_DRAW}'
        if 'split' in header:
            expected = 'no column split where test_fraction draws one'
        raise InputError(f'{path}, line 1: expected {expected}; found {",".join(header)[:80]!r}')


def _lines(
    path: Path, rows: Iterator[tuple[int, dict[str, str]]], group: str | None
) -> list[_Line]:
    lines = []
    for number, row in rows:
        where = f'{path}, line {number}'
        for name in ('path', 'label', *({group} & row.keys())):
            if not row[name].strip():
                raise InputError(f'{where}: the {name} is empty')
        split = SPLIT_NAMES.get(fold(row.get('split', 'train')))
        if split is None:
            raise InputError(
                f"{where}: expected the split 'train', 'validation' or 'test', "
                f'found {row["split"][:40]!r}'
            )
        edges = [row[name] for name in BOX_HEADER if name in row]
        lines.append(_Line(number, row['path'], row['label'], split, edges, row.get(group)))
    return lines
