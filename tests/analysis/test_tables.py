"""Every form of a table read back by a small parser."""

import csv
import io
import re

import numpy as np
import pytest

from cda_jax.analysis.seeds import Measured
from cda_jax.analysis.tables import (
    Column,
    Table,
    as_csv,
    as_latex,
    as_markdown,
    best_rows,
    show,
    shown,
    write_tables,
)

PERCENT, NUMBER, TEXT = (Column(kind, kind) for kind in ('percent', 'number', 'text'))
VALUES = (0.81, 0.835, 0.8, 0.822, 0.79)

HOSTILE = r'50 % of a_b & c|d\e {#1} $x$ ~^ <i> [k]*'

TABLE = Table(
    'table-4',
    'Accuracy: 100 % & more',
    (Column('Method', 'text'), Column('RAF|test', 'percent'), Column('mmd_2', 'number')),
    (
        ('baseline', Measured(VALUES), 1234567),
        (HOSTILE, 0.5, Measured((-0.25, 0.125))),
        ('[paper]', None, -0.0001),
    ),
    'Mean ± sd over seeds.',
)


@pytest.mark.parametrize(
    ('cell', 'column', 'text'),
    [
        (None, PERCENT, '-'),
        ('a|b', TEXT, 'a|b'),
        (Measured((0.82149,)), PERCENT, '82.1'),
        (Measured((0.817, 0.825)), PERCENT, '82.1 ± 0.6'),
        (-0.0001, PERCENT, '0.0'),
        (-0.0001, NUMBER, '0.000'),
        (1234.5678, NUMBER, '1,234.568'),
        (np.float32(0.25), NUMBER, '0.250'),
        (Measured((1, 2)), NUMBER, '1.500 ± 0.707'),
    ],
)
def test_a_cell_is_shown_in_its_columns_unit(cell, column, text):
    assert show(cell, column) == text


def test_csv_holds_every_value_exactly_and_shares_as_shares():
    first, second, third = csv.DictReader(io.StringIO(as_csv(TABLE)))
    measured = Measured(VALUES)
    assert tuple(map(float, first['RAF|test_values'].split())) == VALUES
    found = [float(first[f'RAF|test_{field}']) for field in ('mean', 'sd', 'low', 'high')]
    assert found == [measured.mean, measured.sd, *measured.interval]
    assert first['RAF|test_seeds'] == '5'
    assert first['mmd_2_mean'] == '1234567'
    assert second['Method'] == HOSTILE
    assert second['RAF|test_mean'] == '0.5'
    assert second['RAF|test_sd'] == second['RAF|test_values'] == second['RAF|test_seeds'] == ''
    assert {third[f'RAF|test_{field}'] for field in ('mean', 'sd', 'values')} == {''}
    # One field is enough for a column without seeds.
    table = Table('t', 't', (TEXT, PERCENT), (('a', 1 / 3), ('b', np.float32(0.25)), ('c', None)))
    assert as_csv(table) == f'text,percent\na,{1 / 3!r}\nb,0.25\nc,\n'


def test_markdown_and_latex_hold_the_table_with_their_own_signs_escaped():
    title, body, note = as_markdown(TABLE).rstrip('\n').split('\n\n')
    assert (title, note) == (f'**{TABLE.title}**', TABLE.note)
    head, _, *rows = (re.split(r'(?<!\\)\|', line)[1:-1] for line in body.split('\n'))
    cells = [[re.sub(r'\\(.)', r'\1', cell.strip()) for cell in row] for row in (head, *rows)]
    expected = ['Method', 'RAF|test (%)', 'mmd_2'], *shown(TABLE).to_numpy().tolist()
    assert cells == list(expected)

    source = as_latex(TABLE)
    assert r'\caption{Accuracy: 100 \% \& more. Mean $\pm$ sd over seeds.}' in source
    assert (
        r'50 \% of a\_b \& c\textbar{}d\textbackslash{}e \{\#1\} \$x\$ \textasciitilde{}'
        r'\textasciicircum{} \textless{}i\textgreater{} {[}k]{*} & 50.0 & $-$0.062 $\pm$ 0.265 \\'
    ) in source
    assert re.findall(r'\\(begin|end)\{(\w+)\}', source) == [
        ('begin', 'table'), ('begin', 'tabular'), ('end', 'tabular'), ('end', 'table'),
    ]  # fmt: skip


def test_a_line_break_in_a_text_does_not_end_the_row():
    table = TABLE._replace(rows=(('two\nlines', 0.5, 1),), title='A\ntitle', note='A\n\nnote')
    assert re.fullmatch(
        r'(?s)\*\*A title\*\*\n\n\|.*\| two lines \|.*\|\n\nA note\n', as_markdown(table)
    )
    assert 'two lines & ' in as_latex(table)
    assert r'\caption{A title. A note}' in as_latex(table)


def test_the_best_figure_of_a_column_that_asks_for_it_is_found():
    columns = (TEXT, Column('a', 'percent', max), Column('b', 'number', min), PERCENT)
    rows = ('x', Measured((0.5, 0.9)), 3.0, 0.1), ('y', 0.69, 2.0, 0.2), ('z', None, 2.0, 0.3)
    assert best_rows(Table('t', 't', columns, rows)) == {'a': {0}, 'b': {1, 2}}
    # A figure that beats nothing is not the best.
    assert best_rows(Table('t', 't', columns, (rows[1], ('y', 0.69, None, 0.2)))) == {}


def test_write_tables_writes_three_files_of_each(tmp_path):
    folder = tmp_path / 'new' / 'tables'
    other = TABLE._replace(name='table-2')
    write_tables(folder, [TABLE, other])
    assert sorted(path.name for path in folder.iterdir()) == [
        f'{name}.{ending}' for name in ('table-2', 'table-4') for ending in ('csv', 'md', 'tex')
    ]
    for ending, render in (('csv', as_csv), ('md', as_markdown), ('tex', as_latex)):
        assert (folder / f'table-2.{ending}').read_text(encoding='utf-8') == render(other)
