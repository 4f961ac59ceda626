"""A CSV file with a line per picture or per box: `path,label[,split][,x0,y0,x1,y1][,...]`."""

from pathlib import Path, PurePosixPath

from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Box, Dataset, Example
from cda_jax.prepare.readers import row_checks
from cda_jax.prepare.readers.classes import fold, sorted_names
from cda_jax.prepare.readers.label_files import csv_table, first_file, other_layout
from cda_jax.prepare.readers.splits import HOW_TO_DRAW, SPLIT_NAMES, draw_test, group_by_name

BOX_HEADER = ['x0', 'y0', 'x1', 'y1']


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
    """
    path = first_file([root, root / 'manifest.csv'])
    if path is None:
        raise other_layout(root, 'expected a CSV file, or a folder with manifest.csv in it')
    header, rows = csv_table(path, ['path', 'label'])
    _check_header(path, header, test_fraction)
    lines = [(number, _checked(f'{path}, line {number}', row, group)) for number, row in rows]
    layout = 'CSV' if 'split' in header else f'CSV, test split by a hash of the {group or "photo"}'
    splits = {row['split'] for _, row in lines}
    is_validation_test = 'validation' in splits and 'test' not in splits
    if is_validation_test:
        layout = 'CSV (validation is the test split)'
    names = sorted_names(row['label'] for _, row in lines)
    labels = {name: label for label, name in enumerate(names)}
    check_picture = row_checks.picture_check(path.parent, path.parent, follow_links)

    def example(row_id: str, number: int, row: dict[str, str]) -> Example:
        picture = PurePosixPath(row['path']).as_posix()  # one spelling of './a.jpg' and 'a.jpg'
        check_picture(picture)
        if box := box_of(row, f'{path}, line {number}'):
            row_checks.usable_box(box, ','.join(row[name] for name in BOX_HEADER))
        split = 'test' if is_validation_test and row['split'] == 'validation' else row['split']
        photo = row.get(group, picture)
        return Example(row_id, photo, path.parent / picture, box, labels[row['label']], split)

    rows = [
        row_checks.attempt(example, f'{path.name}:{number}', number, row) for number, row in lines
    ]
    by_name = group is not None and group not in header
    rows = draw_test(rows, test_fraction, group_by_name(group) if by_name else None)
    return Dataset(tuple(names), (path,), rows, layout=layout)


def box_of(row: dict[str, str], where: str) -> Box | None:
    """The box that a row of the file states, of whatever numbers; None for the whole picture."""
    edges = [row.get(name, '') for name in BOX_HEADER]
    if not any(edges):
        return None
    return Box(*row_checks.numbers(edges, f'{where}: expected numbers for {",".join(BOX_HEADER)}'))


def _check_header(path: Path, header: list[str], test_fraction: float | None) -> None:
    problem = None
    edges = [name in header for name in BOX_HEADER]
    if any(edges) and not all(edges):
        problem = f'all of the columns {",".join(BOX_HEADER)} or none'
    elif 'split' not in header and test_fraction is None:
        problem = f'a column split; without one, {HOW_TO_DRAW}'
    elif 'split' in header and test_fraction is not None:
        problem = 'no column split where test_fraction draws one'
    if problem:
        found = ','.join(header)[:80]
        raise InputError(f'{path}, line 1: expected {problem}; found {found!r}')


def _checked(where: str, row: dict[str, str], group: str | None) -> dict[str, str]:
    """The columns of a row that are read, so that no others are kept for all rows."""
    for name in ('path', 'label', *({group} & row.keys())):
        if not row[name].strip():
            raise InputError(f'{where}: the {name} is empty')
    found = row.get('split', 'train')
    if fold(found) not in SPLIT_NAMES:
        raise InputError(
            f"{where}: expected the split 'train', 'validation' or 'test', found {found[:40]!r}"
        )
    kept = {name: row[name] for name in ('path', 'label', *BOX_HEADER, group) if name in row}
    return kept | {'split': SPLIT_NAMES[fold(found)]}
