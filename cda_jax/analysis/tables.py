"""Tables of results: what is in them, and as CSV, Markdown and LaTeX."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd

from cda_jax.analysis.seeds import Measured
from cda_jax.runtime.files import write_text, writing

Cell = str | float | Measured | None

_MARKDOWN = str.maketrans({'\\': r'\\', '|': r'\|'})
_LATEX = str.maketrans(
    {character: f'\\{character}' for character in '&%$#_{}'}
    | {
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
)


class Column(NamedTuple):
    """A column of a table.

    Of kind 'percent' are shares of 1, shown times 100 with one decimal; of kind 'number' floats,
    shown with three decimals, or integers.
    """

    name: str  # without a unit
    kind: Literal['text', 'percent', 'number'] = 'text'
    best: Callable[..., float] | None = None  # `max` or `min`, if that figure is to stand out

    @property
    def heading(self) -> str:
        """The name with its unit."""
        return f'{self.name} (%)' if self.kind == 'percent' else self.name


class Table(NamedTuple):
    """A table of results."""

    name: str  # stem of its files and its label in LaTeX, such as 'table-2'
    title: str
    columns: tuple[Column, ...]  # with different names
    rows: Sequence[Sequence[Cell]]  # None where there is nothing to show
    note: str = ''  # what a reader has to know, below the table


def shown(table: Table) -> pd.DataFrame:
    """The cells as they are read, under the headings with their units."""
    texts = [[show(*pair) for pair in zip(row, table.columns, strict=True)] for row in table.rows]
    return pd.DataFrame(texts, columns=[column.heading for column in table.columns], dtype=str)


def show(cell: Cell, column: Column) -> str:
    """A cell as it is read: '82.1', or '82.1 ± 0.4' (mean and standard deviation) of seeds."""
    if cell is None:
        return '-'
    if isinstance(cell, str):
        return cell
    if isinstance(cell, Measured):
        if cell.sd is None:
            return show(cell.values[0], column)
        return f'{show(cell.mean, column)} ± {show(cell.sd, column)}'
    # 'z': a figure that is rounded to 0 has no sign.
    if column.kind == 'percent':
        return f'{100 * cell:z.1f}'
    return f'{cell:,}' if isinstance(cell, Integral) else f'{cell:z,.3f}'


def show_percent(value: Measured | float | None) -> str:
    """A share in a sentence: '82.1 %'."""
    return f'{show(value, Column("", "percent"))} %'


def best_rows(table: Table) -> dict[str, set[int]]:
    """The rows that are to stand out in each column that asks for it; the mean counts for seeds.

    A figure that is no better than any other does not stand out.
    """
    found = {}
    for number, column in enumerate(table.columns):
        cells = [row[number] for row in table.rows]
        figures = [cell.mean if isinstance(cell, Measured) else cell for cell in cells]
        there = set(figures) - {None}
        if column.best and len(there) > 1:
            best = column.best(there)
            found[column.name] = {place for place, each in enumerate(figures) if each == best}
    return found


def as_csv(table: Table) -> str:
    """The table for programs: full precision, and shares as shares of 1.

    A column in which any figure has its seeds becomes six: its name with `_mean`, `_sd`, `_low` and
    `_high` (95 % by Student's t), `_seeds` (how many) and `_values` (separated by spaces). A figure
    without seeds is the mean there, and the others are empty.
    """
    fields = 'mean', 'sd', 'low', 'high', 'seeds', 'values'

    def of_seeds(cell: float | Measured | None) -> tuple:
        if not isinstance(cell, Measured):
            return cell, *[None] * 5
        values = ' '.join(map(str, cell.values))
        return cell.mean, cell.sd, *(cell.interval or (None, None)), len(cell.values), values

    columns = {}
    for number, column in enumerate(table.columns):
        cells = [row[number] for row in table.rows]
        if any(isinstance(cell, Measured) for cell in cells):
            rows = [of_seeds(cell) for cell in cells]
            for place, field in enumerate(fields):
                columns[f'{column.name}_{field}'] = [row[place] for row in rows]
        else:
            columns[column.name] = cells
    return pd.DataFrame(columns, dtype=object).to_csv(index=False, lineterminator='\n')


def as_markdown(table: Table) -> str:
    """The table for reading, with its title and note."""
    title, note = _one_line(table.title), _one_line(table.note)
    body = as_text(table, 'pipe', _MARKDOWN)
    return '\n\n'.join(filter(None, [f'**{title}**', body, note])) + '\n'


def as_text(table: Table, form: str = 'simple', escapes: Mapping[int, str] = {}) -> str:
    """The table for a console, or in another form of tabulate's."""
    sides = ['left' if column.kind == 'text' else 'right' for column in table.columns]
    options = {'index': False, 'disable_numparse': True, 'colalign': sides}
    return _escaped(table, escapes).to_markdown(tablefmt=form, **options)


def as_latex(table: Table) -> str:
    r"""The table as a float to `\input`; the document needs the package booktabs.

    The caption is the title and the note, the label `tab:` and the table's name.
    """
    frame = _escaped(table, _LATEX).replace(r'^-(?=\d)', '$-$', regex=True)  # no hyphens
    return frame.to_latex(
        index=False,
        caption=_one_line(f'{table.title}. {table.note}').translate(_LATEX),
        label=f'tab:{table.name}',
        column_format=''.join('l' if column.kind == 'text' else 'r' for column in table.columns),
        position='tbp',
    )


def write_tables(folder: Path, tables: Sequence[Table]) -> None:
    """Writes `<name>.csv`, `<name>.md` and `<name>.tex` of every table, each whole.

    An `InputError` names a file or folder that cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for table in tables:
        for ending, render in (('csv', as_csv), ('md', as_markdown), ('tex', as_latex)):
            write_text(folder / f'{table.name}.{ending}', render(table))


def _escaped(table: Table, escapes: Mapping[int, str]) -> pd.DataFrame:
    """The table as shown, for a language in which some characters mean something."""
    texts = shown(table).map(lambda text: _one_line(text).translate(escapes))
    return texts.rename(columns=lambda name: name.translate(escapes))


def _one_line(text: str) -> str:
    return ' '.join(text.split())
