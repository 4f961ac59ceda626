"""What is made of the results of runs: tables and sentences, from given outcomes."""

import re
import shlex

import msgspec
import numpy as np
import pytest
from helpers.suites import SITES, pretend, report_of, runs_of

from cda_jax.analysis.bias import report as bias
from cda_jax.analysis.seeds import Measured
from cda_jax.errors import InputError
from cda_jax.suites import answers, paper, tables
from cda_jax.suites.figures import gradient_figure
from cda_jax.suites.methods import methods_of
from cda_jax.suites.outcomes import finished, over_seeds
from cda_jax.suites.plan import Method, plan
from cda_jax.suites.reproduce import reproduce


def bias_of(site_accuracy, true_accuracy):
    """A bias report of a linear probe and of the true labels alone."""
    site, truth = (bias.Estimate(x, x, x) for x in (site_accuracy, true_accuracy))
    confusion = (1, 0, 0), (0, 1, 0), (0, 0, 1)
    linear = bias.SiteClassification(SITES, site, site, 1 / 3, 1 / 3, confusion)
    figures = bias.LabelsAndTruth(20, 2, None, truth, None, None, None)
    report = bias.BiasReport(
        dataset_classification=bias.ByProbe(linear, None),
        annotation=bias.AnnotationBias(figures, dict.fromkeys(SITES, figures)),
    )
    return msgspec.to_builtins(report)


def test_tables_and_answers_hold_what_the_runs_say(tmp_path):
    titles = {'baseline': 'Base', 'cda': 'Full', 'other': '-'}
    methods = {
        name: Method(title, {'dropout': number / 10})
        for number, (name, title) in enumerate(titles.items())
    }
    runs = plan(methods, 2, tmp_path, 'small', {})
    pretend(runs[0], (10, 8, 6), bias_of(0.5, 0.25))
    pretend(runs[1], (8, 6, 4), bias_of(0.75, 0.5))
    pretend(runs[3], (10, 8, 4))
    pretend(runs[4], (8, 8, 4))
    outcomes = finished(runs)
    assert {name: len(each) for name, each in outcomes.items()} == {'baseline': 2, 'cda': 2}

    rows = tables.recognition_table(titles, outcomes, SITES).rows
    assert rows[0] == (
        'Base', '2',
        Measured((1.0, 1.0)), Measured((0.9, 0.9)), Measured((0.8, 0.7)),
        Measured((pytest.approx(0.9), pytest.approx(2.6 / 3))),
        rows[0][6],
        Measured((pytest.approx(0.9), pytest.approx(2.6 / 3))),
        Measured((pytest.approx(0.1), pytest.approx(0.4 / 3))),
    )  # fmt: skip  # without true accuracy and probe, which not every run has
    assert [row[0] for row in rows] == ['Base', 'Full']  # 'other' is not finished
    assert tables.bias_table(titles, outcomes).rows[0] == ('Base', '2')  # not of every seed
    first = outcomes['baseline'][:1]
    assert over_seeds(first, 'linear probe') == Measured((0.5,))
    assert over_seeds(first, 'mlp probe') is None
    assert over_seeds(first, 'true_accuracy, expw') == Measured((0.25,))
    assert over_seeds(first, 'accuracy, nowhere') is None
    for misnamed in ('acuracy', 'acuracy, expw'):
        with pytest.raises(KeyError, match='acuracy'):
            over_seeds(first, misnamed)

    difference = tables.difference_table(titles, outcomes, 'baseline')
    assert [row[0] for row in difference.rows] == ['Full']
    np.testing.assert_allclose(difference.rows[0][1].values, [-0.1, -0.1 / 3], atol=1e-9)
    assert tables.difference_table(titles, {'baseline': outcomes['baseline']}, 'baseline') is None

    first = next(answers.answers_of_comparison(titles, outcomes, 'cda'))
    for part in ('Base, 88.3 ± 2.4 %', 'Full: 81.7 ± 2.4 %', '-35.7 to +49.0 points', '2 seeds'):
        assert part in first
    one_seed = {name: each[:1] for name, each in outcomes.items()}
    *_, truth, site = answers.answers_of_comparison(titles, one_seed, 'baseline')
    assert 'true labels: Full, 50.0 %; Base: 25.0 % (one seed in common)' in truth
    assert '(linear probe; lower is better): Base, 50.0 %; Full: 75.0 %' in site


def test_the_papers_tables_have_its_figures_beside(tmp_path):
    _, runs = runs_of('paper', tmp_path)
    hits = [(0, 0, 0), (9, 5, 3), (7, 6, 3), (8, 6, 5), (9, 7, 5), (9, 8, 6)]
    for run, each in zip(runs, hits, strict=True):
        pretend(run, each)
    outcomes = finished(runs)
    rows = paper.table_2(outcomes, SITES).rows
    assert [row[0] for row in rows] == [*SITES, 'average']
    assert rows[0][2:6] == (Measured((0.95,)), 0.8207, Measured((0.75,)), 0.5454)
    np.testing.assert_allclose(rows[3][2].values, [(19 + 17 + 18) / 60])
    assert rows[3][3] == 0.7740
    full = paper.table_4(outcomes, SITES).rows[-1]
    assert full[0] == 'CDA + ACE'
    assert full[2:4] == (Measured((0.95,)), None)
    assert full[9] == 0.7383
    assert paper.figure_4_table(outcomes).rows[0][2:4] == (Measured((0.5,)), 0.9174)
    recall = paper.figure_6_table(outcomes, SITES).rows[-1]
    assert recall[2:4] == (Measured((0.8,)), 0.61)
    assert recall[5] == 0.15
    assert paper.table_1(outcomes) is None
    accuracy, f1, dataset = answers.answers_of_paper(outcomes, SITES)
    assert 'CDA + ACE 88.3 % (paper: 73.8 %)' in accuracy
    assert 'Baseline, affectnet 80.8 % (paper: 47.3 %)' in f1
    assert '50.0 % of the test pictures (paper: 91.7 %)' in dataset


def test_leaving_sites_out_counts_the_site_that_was_left_out(tmp_path):
    _, runs = runs_of('leave-one-site-out', tmp_path)
    for run, hits in zip(runs[:3], [(2, 9, 9), (9, 4, 9), (9, 9, 6)], strict=True):
        pretend(run, hits)
    outcomes = finished(runs)
    table = tables.left_out_table(outcomes, SITES, 'Accuracy', 'accuracy')
    assert len(table.rows) == 1
    assert table.rows[0][2:5] == (Measured((0.6,)), Measured((0.7,)), Measured((0.8,)))
    np.testing.assert_allclose(table.rows[0][5].values, [0.7])
    (answer,) = answers.answers_of_left_out(outcomes, SITES)
    assert 'Baseline, all sites merged 70.0 %' in answer


def test_a_section_of_a_markdown_file_is_replaced_and_the_rest_stays(tmp_path):
    _, runs = runs_of('ablation', tmp_path / 'small' / 'runs', seeds=2)
    pretend(runs[0], (9, 8, 7), bias_of(0.7, 0.5))
    pretend(runs[1], (9, 8, 7))
    pretend(next(run for run in runs if run.seed and run.method == 'baseline'), (8, 8, 7))
    path = tmp_path / 'results.md'
    path.write_text('Reading.\n\n<!-- generated: ablation my data -->\nold\n<!-- end -->\nafter\n')
    request = report_of('ablation', tmp_path, 'my data')
    request = request._replace(seeds=2, set=['dropout=0.1'], markdown=path)
    reproduce(request)
    text = path.read_text()
    assert text.startswith('Reading.\n\n<!-- generated: ablation my data -->\n\n```sh\n')
    assert text.endswith('\n\n<!-- end -->\nafter\n')
    assert 'old' not in text
    commands = [shlex.split(line) for line in text.splitlines() if line.startswith('./launch.sh ')]
    assert [(flags[4], flags[-1]) for flags in commands] == [
        ('--seeds=2', '--methods=baseline'), ('--seeds=1', '--methods=baseline-ace')
    ]  # fmt: skip
    assert {'--data_dir=my data', '--set=dropout=0.1'} <= set(commands[0])
    for picture in re.findall(r'\]\((.*\.svg)\)', text):
        assert '<svg' in (tmp_path / picture).read_text()
    assert text.count('.svg)') == 1
    assert '| Baseline, all sites merged | 2 ' in text
    reproduce(request)
    assert path.read_text() == text
    reproduce(request._replace(suite='losses'))
    assert path.read_text().startswith(text)
    path.write_text('<!-- generated: ablation my data -->')
    with pytest.raises(InputError, match='expected a line <!-- end --> after'):
        reproduce(request)


def test_the_demonstration_says_what_adaptation_changed(tmp_path):
    titles, runs = runs_of('demonstration', tmp_path)
    pretend(runs[0], (6, 4, 2), bias_of(0.7, 0.5))
    # There is nothing to compare it with.
    assert list(answers.answers_of_demonstration(finished(runs))) == []
    pretend(runs[1], (10, 6, 2), bias_of(0.6, 0.75))
    outcomes = finished(runs)
    rows = {name: cells for name, *cells in tables.side_by_side(titles, outcomes, SITES).rows}
    assert rows['accuracy, rafdb'] == [Measured((0.8,)), Measured((1.0,))]
    assert rows['spread of recall, rafdb'] == [Measured((pytest.approx(0.2),)), Measured((0.0,))]
    assert rows['accuracy against the truth'] == [Measured((0.5,)), Measured((0.75,))]
    assert rows['site named by a probe'] == [Measured((0.7,)), Measured((0.6,))]
    (sentence,) = answers.answers_of_demonstration(outcomes)
    for part in (
        '60.0 % instead of 70.0 %',
        'guessing: 33.3 %',
        'accuracy changes by +10.0 points',
    ):
        assert part in sentence


def test_a_small_site_is_shown_with_its_gradient(tmp_path):
    titles, runs = runs_of('stability', tmp_path)
    assert {run.fields['site_weights'] for run in runs} == {(0.06, 0.47, 0.47)}
    pretend(runs[0], (6, 4, 2))
    (row,) = tables.gradient_table(titles, finished(runs), 'rafdb').rows
    assert row[:3] == ('CDA + ACE (full)', 0.5, 0.1)
    assert row[3] == Measured((0.8,))
    for axes in gradient_figure(titles, finished(runs), 'rafdb').axes:
        places = axes.lines[0].get_xydata()
        limits = np.transpose([axes.get_xlim(), axes.get_ylim()])
        assert len(places)
        assert np.all((places >= limits[0]) & (places <= limits[1]))  # all of the curve shows


@pytest.mark.parametrize('sites', [SITES, SITES[:2]])
def test_sites_of_ones_own_are_left_out_where_two_or_more_remain_to_align(sites):
    left_out = [name for name in methods_of('real', sites, papers_scale=False) if 'without' in name]
    bases = ['baseline', 'cda-robust'] if len(sites) > 2 else ['baseline']
    assert left_out == [f'{base}-without-{site}' for base in bases for site in sites]
