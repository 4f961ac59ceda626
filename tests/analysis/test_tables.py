"""Statistics over seeds against SciPy; every form of a table read back by a small parser."""

import csv
import io
import re

import numpy as np
import pytest
from scipy import stats

from cda_jax.analysis.tables import (
    Column,
    Measured,
    Table,
    as_csv,
    as_latex,
    as_markdown,
    difference,
    format_cell,
    write_tables,
)
from cda_jax.errors import InputError

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


def test_mean_and_sd_are_those_of_a_sample():
    measured = Measured(VALUES)
    np.testing.assert_allclose(measured.mean, np.mean(VALUES), rtol=1e-14)
    np.testing.assert_allclose(measured.sd, np.std(VALUES, ddof=1), rtol=1e-14)


@pytest.mark.parametrize('seeds', [2, 3, 5])
def test_the_interval_is_students(seeds):
    values = VALUES[:seeds]
    expected = stats.t.interval(0.95, seeds - 1, loc=np.mean(values), scale=stats.sem(values))
    np.testing.assert_allclose(Measured(values).interval, expected, rtol=1e-12)


def test_one_seed_has_no_spread():
    measured = Measured((0.25,))
    assert (measured.mean, measured.sd, measured.interval) == (0.25, None, None)


def test_equal_values_have_an_interval_of_no_width():
    measured = Measured((0.5, 0.5, 0.5))
    assert (measured.sd, measured.interval) == (0, (0.5, 0.5))


def test_the_interval_holds_the_true_mean_in_95_percent_of_experiments():
    rng = np.random.default_rng(0)
    intervals = [Measured(tuple(rng.normal(7, 2, 3))).interval for _ in range(4000)]
    share = np.mean([low <= 7 <= high for low, high in intervals])
    np.testing.assert_allclose(share, 0.95, atol=0.015)


def test_a_difference_is_paired_by_seed():
    found = difference(Measured((0.5, 0.75, 0.25)), Measured((0.25, 0.5, 0.125)))
    assert found == Measured((0.25, 0.25, 0.125))
    expected = stats.ttest_rel((0.5, 0.75, 0.25), (0.25, 0.5, 0.125)).confidence_interval(0.95)
    np.testing.assert_allclose(found.interval, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ('a', 'b', 'message'),
    [
        ((0.5, 0.25), (0.5,), '2 and 1 seeds, expected the same ones'),
        ((), (), 'first method: no seeds'),
        ((0.5,), (float('nan'),), 'second method, seed 0: nan, expected a finite number'),
    ],
)
def test_a_difference_needs_the_same_seeds(a, b, message):
    with pytest.raises(InputError, match=message):
        difference(Measured(a), Measured(b))


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
        (1234567, NUMBER, '1,234,567'),
        (np.int64(1234567), NUMBER, '1,234,567'),
        (np.float32(0.25), NUMBER, '0.250'),
        (Measured((1, 2)), NUMBER, '1.500 ± 0.707'),
    ],
)
def test_a_cell_is_shown_in_its_columns_unit(cell, column, text):
    assert format_cell(cell, column) == text


@pytest.mark.parametrize(
    ('cell', 'column', 'message'),
    [
        (0.5, TEXT, "column 'text': 0.5, expected a text"),
        ('82.1', PERCENT, "column 'percent': '82.1', expected a finite number"),
        (True, NUMBER, 'True, expected a finite number'),
        (float('nan'), NUMBER, 'nan, expected a finite number'),
        (float('inf'), NUMBER, 'inf, expected a finite number'),
        (82.1, PERCENT, '82.1, expected a share, -1 to 1'),
        (Measured((0.5, -82.1)), PERCENT, '-82.1, expected a share'),
        (Measured(()), NUMBER, 'no seeds, expected a value for at least one'),
        (Measured((1.0, float('nan'))), NUMBER, 'seed 1: nan, expected a finite number'),
        (Measured((1.0, None)), NUMBER, 'seed 1: None, expected a finite number'),
        (0.5, Column('x', 'share'), "'share', expected one of text, percent, number"),
    ],
)
def test_a_cell_of_another_kind_is_refused(cell, column, message):
    with pytest.raises(InputError, match=re.escape(message)):
        format_cell(cell, column)


@pytest.mark.parametrize('render', [as_csv, as_markdown, as_latex])
@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'rows': (('a', 0.5, 1), ('a', 0.5))}, "'table-4', row 1: 2 cells, expected 3"),
        (
            {'rows': (('a', 0.5, 1), ('b', float('nan'), 1))},
            "'table-4', row 1, column 'RAF|test': nan, expected a finite number",
        ),
        ({'name': '../table'}, "'../table': expected a name of letters"),
        ({'name': ''}, "'': expected a name of letters"),
        ({'columns': (TEXT, PERCENT, TEXT)}, "columns: 'text' is there twice"),
        ({'columns': (), 'rows': ()}, 'no columns, expected at least one'),
    ],
)
def test_an_unsound_table_is_refused_with_the_place(render, changes, message):
    with pytest.raises(InputError, match=re.escape(message)):
        render(TABLE._replace(**changes))


def test_csv_holds_every_value_exactly_and_shares_as_shares():
    first, second, third = csv.DictReader(io.StringIO(as_csv(TABLE)))
    measured = Measured(VALUES)
    assert tuple(map(float, first['RAF|test_values'].split())) == VALUES
    assert float(first['RAF|test_mean']) == measured.mean
    assert float(first['RAF|test_sd']) == measured.sd
    bounds = float(first['RAF|test_low']), float(first['RAF|test_high'])
    assert bounds == measured.interval
    assert first['RAF|test_seeds'] == '5'
    assert first['mmd_2_mean'] == '1234567'
    assert second['Method'] == HOSTILE
    assert second['RAF|test_mean'] == '0.5'
    assert second['RAF|test_sd'] == second['RAF|test_values'] == second['RAF|test_seeds'] == ''
    assert {third[f'RAF|test_{field}'] for field in ('mean', 'sd', 'values')} == {''}


def test_csv_gives_one_field_to_a_column_without_seeds():
    table = Table('t', 't', (TEXT, PERCENT), (('a', 1 / 3), ('b', np.float32(0.25)), ('c', None)))
    assert as_csv(table) == f'text,percent\na,{1 / 3!r}\nb,0.25\nc,\n'


def test_csv_has_no_two_fields_of_one_name():
    columns = (Column('x', 'number'), Column('x_mean', 'number'))
    with pytest.raises(InputError, match="'x_mean' is there twice"):
        as_csv(Table('t', 't', columns, ((Measured((1.0, 2.0)), 3.0),)))


def markdown_cells(line):
    """Splits a row of a pipe table, taking back its escapes."""
    assert line.startswith('| ')
    assert line.endswith(' |')
    cells = re.findall(r'((?:\\.|[^\\|])*)\|', line[1:])
    return [re.sub(r'\\(.)', r'\1', cell.strip()) for cell in cells]


def test_markdown_reads_back_as_the_table_and_is_aligned():
    title, body, note = as_markdown(TABLE).rstrip('\n').split('\n\n')
    assert title == f'**{TABLE.title}**'
    assert note == TABLE.note
    lines = body.split('\n')
    assert len({len(line) for line in lines}) == 1
    head, rule, *rows = map(markdown_cells, lines)
    assert head == ['Method', 'RAF|test (%)', 'mmd_2']
    assert [cell.endswith(':') for cell in rule] == [False, True, True]
    assert all(re.fullmatch('-{2,}[-:]', cell) for cell in rule)
    assert rows == [
        [format_cell(cell, column) for cell, column in zip(row, TABLE.columns, strict=True)]
        for row in TABLE.rows
    ]


def test_a_line_break_in_a_text_does_not_end_the_row():
    table = TABLE._replace(rows=(('two\nlines', 0.5, 1),), title='A\ntitle', note='A\n\nnote')
    assert '| two lines |' in as_markdown(table)
    assert '    two lines & ' in as_latex(table)
    assert as_markdown(table).startswith('**A title**\n\n|')
    assert as_markdown(table).endswith('|\n\nA note\n')
    assert r'\caption{A title. A note}' in as_latex(table)


LATEX_SYMBOLS = {
    r'\textbackslash{}': '\\',
    r'\textasciitilde{}': '~',
    r'\textasciicircum{}': '^',
    r'\textless{}': '<',
    r'\textgreater{}': '>',
    r'\textbar{}': '|',
    r'$\pm$': '±',
    r'\pm': '±',
    '{,}': ',',
    '{[}': '[',
    '{*}': '*',
    **{f'\\{character}': character for character in '&%$#_{}'},
}


def latex_text(source):
    """Takes back the escapes, and refuses what LaTeX would not take as text or a formula."""
    tokens = re.compile('|'.join(map(re.escape, LATEX_SYMBOLS)) + r'|\$|[^\\&%#_{}~^<>|\[*]')
    assert tokens.sub('', source) == ''
    formula = re.fullmatch(r'\$([^$]*)\$', source)
    source = formula[1] if formula and source != r'$\pm$' else source
    return tokens.sub(lambda token: LATEX_SYMBOLS.get(token[0], token[0]), source)


def test_latex_reads_back_as_the_table():
    lines = as_latex(TABLE).split('\n')
    body = [line.strip() for line in lines]
    rules = [body.index(rf'\{rule}rule') for rule in ('top', 'mid', 'bottom')]
    head, *rows = body[rules[0] + 1 : rules[1]] + body[rules[1] + 1 : rules[2]]
    assert all(row.endswith(r' \\') for row in (head, *rows))
    cells = [re.split(r' (?<!\\)& ', row.removesuffix(r' \\')) for row in (head, *rows)]
    assert [list(map(latex_text, row)) for row in cells] == [
        ['Method', 'RAF|test (%)', 'mmd_2'],
        *(
            [format_cell(cell, column) for cell, column in zip(row, TABLE.columns, strict=True)]
            for row in TABLE.rows
        ),
    ]


def test_latex_is_one_complete_float_with_caption_and_label():
    source = as_latex(TABLE)
    assert r'\caption{Accuracy: 100 \% \& more. Mean $\pm$ sd over seeds.}' in source
    assert r'\label{tab:table-4}' in source
    assert r'\begin{tabular}{lrr}' in source
    environments = re.findall(r'\\(begin|end)\{(\w+)\}', source)
    assert environments == [
        ('begin', 'table'),
        ('begin', 'tabular'),
        ('end', 'tabular'),
        ('end', 'table'),
    ]
    bare = re.sub(r'\\[{}$]', '', source)
    assert bare.count('{') == bare.count('}')
    assert bare.count('$') % 2 == 0
    assert '1{,}234{,}567' in source
    assert '$-0.062 \\pm 0.265$' in source


def test_no_row_of_latex_starts_with_what_the_line_break_would_take():
    # A bracket or star after \\ is its argument.
    table = TABLE._replace(rows=(('[1]', 0.5, 1), ('*', 0.5, 1)))
    assert r'{[}1] & ' in as_latex(table)
    assert r'{*} & ' in as_latex(table)


def test_a_table_without_rows_has_its_head():
    empty = TABLE._replace(rows=(), note='')
    assert as_csv(empty) == 'Method,RAF|test,mmd_2\n'
    assert as_markdown(empty).count('\n|') == 2
    assert r'\bottomrule' in as_latex(empty)


def test_write_tables_writes_three_files_of_each(tmp_path):
    folder = tmp_path / 'new' / 'tables'
    other = TABLE._replace(name='table-2')
    write_tables(folder, [TABLE, other])
    assert sorted(path.name for path in folder.iterdir()) == [
        f'{name}.{ending}' for name in ('table-2', 'table-4') for ending in ('csv', 'md', 'tex')
    ]
    for table in (TABLE, other):
        for ending, render in (('csv', as_csv), ('md', as_markdown), ('tex', as_latex)):
            text = (folder / f'{table.name}.{ending}').read_text(encoding='utf-8')
            assert text == render(table)


def test_write_tables_writes_nothing_if_one_is_unsound(tmp_path):
    bad = TABLE._replace(name='bad', rows=((),))
    with pytest.raises(InputError, match="'bad', row 0: 0 cells, expected 3"):
        write_tables(tmp_path / 'tables', [TABLE, bad])
    assert not (tmp_path / 'tables').exists()


def test_write_tables_refuses_two_tables_of_one_name(tmp_path):
    with pytest.raises(InputError, match="tables: 'table-4' is there twice"):
        write_tables(tmp_path, [TABLE, TABLE])


def test_write_tables_says_where_it_cannot_write(tmp_path):
    (tmp_path / 'tables').write_text('a file')
    with pytest.raises(InputError, match='tables: cannot be written: File exists'):
        write_tables(tmp_path / 'tables', [TABLE])
