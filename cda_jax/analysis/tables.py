"""Tables of results: what is in them, and as CSV, Markdown and LaTeX."""

import csv
import io
import re
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Literal, NamedTuple

from cda_jax.analysis.bias.features_by_site import check_names
from cda_jax.analysis.seeds import Measured, check_measured, difference, is_finite_number
from cda_jax.errors import InputError
from cda_jax.runtime.files import write_text, writing

__all__ = [
    'Column',
    'Measured',
    'Table',
    'as_csv',
    'as_latex',
    'as_markdown',
    'difference',
    'format_cell',
    'write_tables',
]

_KINDS = ('text', 'percent', 'number')
_NOTHING = '-'


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        name: Its head, without a unit.
        kind: What its cells are. 'percent': shares of 1, -1 to 1 (a difference may be negative),
            shown times 100 with one decimal. 'number': integers, shown as they are, or floats,
            shown with three decimals.
    """

    name: str
    kind: Literal['text', 'percent', 'number']


class Table(NamedTuple):
    """A table of results.

    Attributes:
        name: Stem of its files and its label in LaTeX, such as 'table-2'.
        title: One line.
        columns: With different names.
        rows: A cell for each column: a text in columns of texts, elsewhere a single figure or one
            with its seeds; None where there is nothing to show.
        note: What a reader has to know, below the table; may be empty.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str | float | Measured | None, ...], ...]
    note: str = ''


def format_cell(cell: str | float | Measured | None, column: Column) -> str:
    """A cell as it is read: '82.1', or '82.1 ± 0.4' (mean and standard deviation) of several seeds.

    Args:
        cell: Of the column's kind. None gives '-'.
        column: Where it stands.

    Returns:
        The text, without a unit.

    Raises:
        InputError: The cell is not of the column's kind, or not finite.
    """
    _check_cell(f'column {column.name!r}', cell, column)
    if cell is None:
        return _NOTHING
    if isinstance(cell, str):
        return cell
    if not isinstance(cell, Measured):
        return _figure(cell, column)
    if cell.sd is None:
        return _figure(cell.values[0], column)
    return f'{_figure(cell.mean, column)} ± {_figure(cell.sd, column)}'


def as_csv(table: Table) -> str:
    """The table for programs: full precision, and shares as shares of 1.

    A column in which any figure has its seeds becomes six: its name with `_mean`, `_sd`, `_low` and
    `_high` (95 % by Student's t), `_seeds` (how many) and `_values` (separated by spaces). A figure
    without seeds stands there as the mean, with the others empty. Nothing is an empty field.

    Raises:
        InputError: The table is not sound; the message names the row and column.
    """
    _check_table(table)
    heads, columns = [], []
    for number, column in enumerate(table.columns):
        cells = [row[number] for row in table.rows]
        if any(isinstance(cell, Measured) for cell in cells):
            heads += [f'{column.name}_{field}' for field in _SEED_FIELDS]
            columns += zip(*map(_seed_fields, cells), strict=True)
        else:
            heads.append(column.name)
            columns.append(map(_exact, cells))
    check_names(f'table {table.name!r}, fields of the CSV', heads)
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows([heads, *zip(*columns, strict=True)])
    return text.getvalue()


def as_markdown(table: Table) -> str:
    """The table for reading, with its title and note; figures are aligned in the source as well.

    Raises:
        InputError: The table is not sound; the message names the row and column.
    """
    _check_table(table)
    rows = [[_heading(column) for column in table.columns], *_shown(table)]
    rows = [[_escape_markdown(text) for text in row] for row in rows]
    is_text = [column.kind == 'text' for column in table.columns]
    widths = [max(3, *map(len, cells)) for cells in zip(*rows, strict=True)]
    rule = [
        '-' * width if left else '-' * (width - 1) + ':'
        for width, left in zip(widths, is_text, strict=True)
    ]
    lines = [
        f'| {" | ".join(_pad(*cell) for cell in zip(row, widths, is_text, strict=True))} |'
        for row in (rows[0], rule, *rows[1:])
    ]
    title, note = _one_line(table.title), _one_line(table.note)
    return '\n\n'.join(filter(None, [f'**{title}**', '\n'.join(lines), note])) + '\n'


def as_latex(table: Table) -> str:
    r"""The table as a float to `\input`; the document needs the package booktabs.

    The caption is the title and the note, the label `tab:` and the table's name.

    Raises:
        InputError: The table is not sound; the message names the row and column.
    """
    _check_table(table)
    head = [_escape_latex(_heading(column)) for column in table.columns]
    rows = [list(map(_latex_cell, row, table.columns)) for row in _shown(table)]
    kinds = ''.join('l' if column.kind == 'text' else 'r' for column in table.columns)
    caption = ' '.join(filter(None, map(_escape_latex, (_sentence(table.title), table.note))))
    return '\n'.join(
        [
            r'\begin{table}',
            r'  \centering',
            f'  \\caption{{{caption}}}',
            f'  \\label{{tab:{table.name}}}',
            f'  \\begin{{tabular}}{{{kinds}}}',
            r'    \toprule',
            _latex_row(head),
            r'    \midrule',
            *map(_latex_row, rows),
            r'    \bottomrule',
            r'  \end{tabular}',
            r'\end{table}',
            '',
        ]
    )


def write_tables(folder: Path, tables: Sequence[Table]) -> None:
    """Writes `<name>.csv`, `<name>.md` and `<name>.tex` of every table, each whole.

    Args:
        folder: Where to; made if it is new.
        tables: With different names.

    Raises:
        InputError: A table is not sound, in which case nothing is written, or a file cannot be
            written.
    """
    check_names('tables', [table.name for table in tables])
    texts = {
        f'{table.name}.{ending}': render(table)
        for table in tables
        for ending, render in (('csv', as_csv), ('md', as_markdown), ('tex', as_latex))
    }
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        write_text(folder / name, text)


def _check_table(table: Table) -> None:
    # The name is a file's and a LaTeX label's.
    if not re.fullmatch(r'[A-Za-z0-9][A-Za-z0-9._-]*', table.name):
        raise InputError(
            f'table {table.name!r}: expected a name of letters, digits, dots, hyphens and '
            'underscores that starts with a letter or digit'
        )
    if not table.columns:
        raise InputError(f'table {table.name!r}: no columns, expected at least one')
    check_names(f'table {table.name!r}, columns', [column.name for column in table.columns])
    for number, row in enumerate(table.rows):
        where = f'table {table.name!r}, row {number}'
        if len(row) != len(table.columns):
            raise InputError(
                f'{where}: {len(row)} cells, expected {len(table.columns)}, one for each column'
            )
        for cell, column in zip(row, table.columns, strict=True):
            _check_cell(f'{where}, column {column.name!r}', cell, column)


def _check_cell(where, cell, column: Column) -> None:
    if column.kind not in _KINDS:
        raise InputError(f'{where}: kind {column.kind!r}, expected one of {", ".join(_KINDS)}')
    if cell is None:
        return
    if column.kind == 'text':
        if not isinstance(cell, str):
            raise InputError(f'{where}: {cell!r}, expected a text or None')
        return
    if isinstance(cell, Measured):
        check_measured(where, cell)
    elif not is_finite_number(cell):
        raise InputError(f'{where}: {cell!r}, expected a finite number, Measured or None')
    values = cell.values if isinstance(cell, Measured) else (cell,)
    if column.kind == 'percent' and max(map(abs, values)) > 1:
        raise InputError(f'{where}: {max(values, key=abs)!r}, expected a share, -1 to 1')


def _figure(value, column: Column) -> str:
    # 'z': a figure that is rounded to 0 has no sign.
    if column.kind == 'percent':
        return f'{100 * value:z.1f}'
    return f'{value:,}' if isinstance(value, Integral) else f'{value:z,.3f}'


def _heading(column: Column) -> str:
    return f'{column.name} (%)' if column.kind == 'percent' else column.name


def _shown(table: Table) -> list[list[str]]:
    return [
        [format_cell(cell, column) for cell, column in zip(row, table.columns, strict=True)]
        for row in table.rows
    ]


_SEED_FIELDS = ('mean', 'sd', 'low', 'high', 'seeds', 'values')


def _seed_fields(cell: float | Measured | None) -> list[str]:
    if not isinstance(cell, Measured):
        return [_exact(cell), '', '', '', '', '']
    low, high = cell.interval or (None, None)
    return [
        *map(_exact, (cell.mean, cell.sd, low, high)),
        str(len(cell.values)),
        ' '.join(map(_exact, cell.values)),
    ]


def _exact(value) -> str:
    """Digits enough to read the same number back; texts as they are."""
    if value is None:
        return ''
    return str(value) if isinstance(value, str | Integral) else repr(float(value))


def _one_line(text: str) -> str:
    return ' '.join(text.split())


def _sentence(text: str) -> str:
    return text if text.endswith(('.', '?', '!')) else f'{text}.'


def _pad(text: str, width: int, left: bool) -> str:
    return text.ljust(width) if left else text.rjust(width)


def _escape_markdown(text: str) -> str:
    # A line break would end the row.
    return re.sub(r'([\\|])', r'\\\1', _one_line(text))


_LATEX = {character: f'\\{character}' for character in '&%$#_{}'} | {
    '\\': r'\textbackslash{}',
    '~': r'\textasciitilde{}',
    '^': r'\textasciicircum{}',
    '<': r'\textless{}',
    '>': r'\textgreater{}',
    '|': r'\textbar{}',
    '±': r'$\pm$',
    # At the start of a row these two would belong to the line break before it.
    '[': '{[}',
    '*': '{*}',
}


def _escape_latex(text: str) -> str:
    return ''.join(_LATEX.get(character, character) for character in _one_line(text))


def _latex_cell(text: str, column: Column) -> str:
    if column.kind == 'text' or text == _NOTHING:
        return _escape_latex(text)
    return '$' + text.replace('±', r'\pm').replace(',', '{,}') + '$'


def _latex_row(cells: list[str]) -> str:
    return f'    {" & ".join(cells)} \\\\'
