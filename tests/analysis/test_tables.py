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
        ('[paper]\nbreak', None, -0.0001),  # a line break does not end a row
    ),
    'Mean ± sd\n\nover seeds.',
)
# As read back: lines are joined.
HEAD = ['Method', 'RAF|test (%)', 'mmd_2']
ROWS = [[' '.join(cell.split()) for cell in row] for row in shown(TABLE).to_numpy()]


@pytest.mark.parametrize(
    ('cell', 'column', 'text'),
    [
        (None, PERCENT, '-'),
        (None, TEXT, '-'),
        ('a|b', TEXT, 'a|b'),
        (0.82149, PERCENT, '82.1'),
        (Measured((0.82149,)), PERCENT, '82.1'),
        (Measured((0.817, 0.825)), PERCENT, '82.1 ± 0.6'),
        (1, PERCENT, '100.0'),
        (-0.031, PERCENT, '-3.1'),
        (-0.0001, PERCENT, '0.0'),
        (-0.0001, NUMBER, '0.000'),
        (1234.5678, NUMBER, '1,234.568'),
        (np.int64(1234567), NUMBER, '1,234,567'),
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
    table = Table('t', 't', (TEXT, PERCENT), (('a', 1 / 3), ('b', np.float32(0.25)), ('c', None)))
    assert as_csv(table) == f'text,percent\na,{1 / 3!r}\nb,0.25\nc,\n'


def markdown_cells(line):
    """Splits a row of a pipe table, taking back its escapes."""
    cells = re.findall(r'((?:\\.|[^\\|])*)\|', line.removeprefix('|'))
    return [re.sub(r'\\(.)', r'\1', cell.strip()) for cell in cells]


def test_markdown_reads_back_as_the_table():
    title, body, note = as_markdown(TABLE).rstrip('\n').split('\n\n')
    assert title == f'**{TABLE.title}**'
    assert note == 'Mean ± sd over seeds.'
    head, rule, *rows = map(markdown_cells, body.split('\n'))
    assert [head, *rows] == [HEAD, *ROWS]
    assert [cell.endswith(':') for cell in rule] == [False, True, True]


LATEX_SYMBOLS = {
    r'\textbackslash{}': '\\',
    r'\textasciitilde{}': '~',
    r'\textasciicircum{}': '^',
    r'\textless{}': '<',
    r'\textgreater{}': '>',
    r'\textbar{}': '|',
    r'$\pm$': '±',
    '$-$': '-',
    '{[}': '[',
    '{*}': '*',
    **{f'\\{character}': character for character in '&%$#_{}'},
}


def latex_text(source):
    """Takes back the escapes, and refuses what LaTeX would not take as text."""
    tokens = re.compile('|'.join(map(re.escape, LATEX_SYMBOLS)) + r'|[^\\&%$#_{}~^<>|\[*]')
    assert tokens.sub('', source) == ''
    return tokens.sub(lambda token: LATEX_SYMBOLS.get(token[0], token[0]), source)


def test_latex_reads_back_as_the_table():
    source = as_latex(TABLE)
    assert r'\caption{Accuracy: 100 \% \& more. Mean $\pm$ sd over seeds.}' in source
    assert r'\label{tab:table-4}' in source
    assert r'\begin{tabular}{lrr}' in source
    assert re.findall(r'\\(begin|end)\{(\w+)\}', source) == [
        *(('begin', 'table'), ('begin', 'tabular'), ('end', 'tabular'), ('end', 'table')),
    ]
    lines = [line.strip() for line in source.split('\n')]
    rules = [lines.index(rf'\{rule}rule') for rule in ('top', 'mid', 'bottom')]
    head, *rows = lines[rules[0] + 1 : rules[1]] + lines[rules[1] + 1 : rules[2]]
    cells = [re.split(r' (?<!\\)& ', row.removesuffix(r' \\')) for row in (head, *rows)]
    assert [list(map(latex_text, row)) for row in cells] == [HEAD, *ROWS]


def test_a_table_without_rows_has_its_head():
    empty = TABLE._replace(rows=(), note='')
    assert as_csv(empty) == 'Method,RAF|test,mmd_2\n'
    assert as_markdown(empty).count('\n|') == 2
    assert r'\bottomrule' in as_latex(empty)


def test_the_best_figure_of_a_column_that_asks_for_it_is_found():
    columns = (TEXT, Column('a', 'percent', max), Column('b', 'number', min), PERCENT)
    rows = ('x', Measured((0.5, 0.9)), 3.0, 0.1), ('y', 0.69, 2.0, 0.2), ('z', None, 2.0, 0.3)
    assert best_rows(Table('t', 't', columns, rows)) == {'a': {0}, 'b': {1, 2}}
    # A figure that beats nothing is not the best.
    assert best_rows(Table('t', 't', columns, (rows[1], ('y', 0.69, None, 0.2)))) == {}


def test_write_tables_writes_three_files_of_each(tmp_path):
    write_tables(tmp_path / 'new' / 'tables', [TABLE, TABLE._replace(name='table-2')])
    found = {path.name: path.read_text('utf-8') for path in (tmp_path / 'new/tables').iterdir()}
    forms = {'csv': as_csv, 'md': as_markdown}
    of_4 = {f'table-4.{ending}': render(TABLE) for ending, render in forms.items()}
    of_2 = {name.replace('4', '2'): text for name, text in of_4.items()}
    latex = {f'table-{n}.tex': as_latex(TABLE._replace(name=f'table-{n}')) for n in (2, 4)}
    assert found == of_4 | of_2 | latex
