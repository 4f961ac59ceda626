"""Suites of runs: what they train, how runs are worked off, what is made of their results."""

import json
import os
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from helpers.programs import REPOSITORY, SMALL_RUN, start_program

from cda_jax.analysis.tables import Measured
from cda_jax.config import read_config
from cda_jax.errors import InputError
from cda_jax.evaluate import score_confusions
from cda_jax.runtime.results import write_results
from cda_jax.suites.left_out import left_out_table
from cda_jax.suites.methods import BASELINE, Method
from cda_jax.suites.outcomes import finished, over_seeds, probe, true_accuracy
from cda_jax.suites.paper_tables import table_2, table_4
from cda_jax.suites.reproduce import Request, reproduce
from cda_jax.suites.runner import Task, run_tasks
from cda_jax.suites.runs import SCALES, plan
from cda_jax.suites.score_tables import bias_table, difference_table, recognition_table
from cda_jax.suites.suites import LEFT_OUT_BASES, SUITES, methods_of

SITES = ('rafdb', 'expw', 'affectnet')
CLASSES = ('Fear', 'Anger')


def runs_of(suite, tmp_path, scale='small', seeds=1):
    methods = methods_of(suite, SITES, papers_scale=scale == 'full')
    fields = {'sites': SITES, 'test_sites': SITES, 'data_dir': 'somewhere'}
    return methods, plan(methods, seeds, tmp_path, SCALES[scale], fields)


@pytest.mark.parametrize('scale', SCALES)
@pytest.mark.parametrize('suite', SUITES)
def test_every_run_of_every_suite_has_a_sound_config(suite, scale, tmp_path):
    methods, runs = runs_of(suite, tmp_path, scale)
    left_out = [name for name in methods if name not in {run.method for run in runs}]
    # What the base config says already: CDA up to this lambda.
    expected = ['cda-lambda-1'] if scale == 'full' else []
    assert left_out == (expected if suite == 'ablation' else [])
    for run in runs:
        read_config(run.config().to_dict())


def test_seeds_come_one_after_the_other(tmp_path):
    _, runs = runs_of('paper', tmp_path, seeds=2)
    assert [run.seed for run in runs] == [0] * 6 + [1] * 6
    assert runs[-1].workdir == tmp_path / 'cda-seed1'
    assert runs[-1].config().seed == 1
    assert '--config.seed=1' in runs[-1].command()


def test_a_misspelt_field_is_named(tmp_path):
    with pytest.raises(InputError, match="'learning_rat'"):
        plan(BASELINE, 1, tmp_path, SCALES['demo'], {'learning_rat': 1.0})


def python(code):
    return [sys.executable, '-c', code]


def test_tasks_run_side_by_side_and_one_that_fails_stops_no_other(tmp_path):
    meet = (
        'import pathlib, time, sys\n'
        'me, other = map(pathlib.Path, sys.argv[1:])\n'
        'me.touch()\n'
        'end = time.monotonic() + 60\n'
        'while not other.exists():\n'
        '    assert time.monotonic() < end\n'
        '    time.sleep(0.02)\n'
    )
    a, b = tmp_path / 'a', tmp_path / 'b'
    tasks = [
        Task('one', [[*python(meet), str(a), str(b)], python("print('second')")], tmp_path / '1'),
        Task('two', [[*python(meet), str(b), str(a)]], tmp_path / '2'),
        Task('bad', [python("raise SystemExit('no')"), python("print('never')")], tmp_path / '3'),
    ]
    said = []
    failed = run_tasks(tasks, jobs=2, say=said.append)
    assert failed == {'bad': tmp_path / '3'}
    assert (tmp_path / '1').read_text() == 'second\n'
    assert (tmp_path / '3').read_text() == 'no\n'
    assert sum('done after' in line for line in said) == 2
    assert any(line.startswith('bad: FAILED, see ') for line in said)


def test_jobs_share_out_the_processors(tmp_path):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip('one processor cannot be shared out')
    code = 'import os; print(*sorted(os.sched_getaffinity(0)))'
    tasks = [
        Task(str(n), [python(code + '\nimport time; time.sleep(1)')], tmp_path / str(n))
        for n in range(2)
    ]
    assert run_tasks(tasks, jobs=2, say=lambda line: None) == {}
    shares = [set((tmp_path / str(n)).read_text().split()) for n in range(2)]
    assert not shares[0] & shares[1]
    assert shares[0] | shares[1] == {str(n) for n in os.sched_getaffinity(0)}


def test_runs_die_with_the_suite(tmp_path):
    write = f'open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))'
    child = python(f'import os, time; {write}; time.sleep(99)')
    task = f'Task("t", [{child!r}], Path({str(tmp_path / "log")!r}))'
    parent = (
        'from pathlib import Path\n'
        'from cda_jax.suites.runner import Task, run_tasks\n'
        f'run_tasks([{task}], jobs=1, say=print)'
    )
    process = start_program('-c', parent)
    end = time.monotonic() + 60
    while not (tmp_path / 'pid').exists() or not (tmp_path / 'pid').read_text():
        assert time.monotonic() < end
        time.sleep(0.05)
    process.kill()
    process.communicate()
    pid = int((tmp_path / 'pid').read_text())
    while os.path.exists(f'/proc/{pid}') and _state(pid) != 'Z':
        assert time.monotonic() < end
        time.sleep(0.05)


def _state(pid):
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rsplit(')', 1)[1].split()[0]
    except FileNotFoundError:
        return 'Z'


def confusion(hits, of=10):
    return np.array([[hits, of - hits], [0, of]])


def pretend(run, hits, bias=None):
    """Leaves in a run's workdir what a training leaves, with so many hits on each site."""
    run.workdir.mkdir(parents=True)
    confusions = {site: {'shared': confusion(n)} for site, n in zip(SITES, hits, strict=True)}
    write_results(run.workdir, score_confusions(confusions, CLASSES, step=1))
    if bias:
        (run.workdir / 'bias.json').write_text(json.dumps(bias))


def test_tables_hold_what_the_runs_say(tmp_path):
    titles = {'baseline': 'Base', 'cda': 'Full', 'other': '-'}
    methods = {
        name: Method(title, {'dropout': number / 10})
        for number, (name, title) in enumerate(titles.items())
    }
    runs = plan(methods, 2, tmp_path, SCALES['small'], {})
    site = {'accuracy_against_truth': {'value': 0.25}}
    bias = {
        'dataset_classification': {
            'linear': {'balanced_accuracy': {'value': 0.5}, 'chance': 1 / 3}, 'mlp': None
        },
        'annotation': {'by_site': dict.fromkeys(SITES, site)},
    }  # fmt: skip
    pretend(runs[0], (10, 8, 6), bias)
    pretend(runs[1], (8, 6, 4))
    pretend(runs[3], (10, 8, 4))
    pretend(runs[4], (8, 8, 4))
    outcomes = finished(runs)
    assert {name: len(each) for name, each in outcomes.items()} == {'baseline': 2, 'cda': 2}

    # of 20 samples: 10 of the second class are always right
    rows = recognition_table(methods, outcomes, SITES).rows
    assert rows[0] == (
        'Base', '2',
        Measured((1.0, 1.0)), Measured((0.9, 0.9)), Measured((0.8, 0.7)),
        Measured((pytest.approx(0.9), pytest.approx(2.6 / 3))),
        rows[0][6], None,
    )  # fmt: skip
    assert [row[0] for row in rows] == ['Base', 'Full']  # 'other' is not finished
    assert bias_table(methods, outcomes).rows[0][2] is None  # of one seed only
    assert over_seeds(outcomes['baseline'][:1], probe()) == Measured((0.5,))
    assert over_seeds(outcomes['baseline'][:1], probe('mlp')) is None
    assert over_seeds(outcomes['baseline'][:1], true_accuracy('expw')) == Measured((0.25,))

    difference = difference_table(methods, outcomes, 'baseline')
    assert [row[0] for row in difference.rows] == ['Full']
    np.testing.assert_allclose(difference.rows[0][1].values, [-0.1, -0.1 / 3], atol=1e-9)
    assert difference_table(methods, {'baseline': outcomes['baseline']}, 'baseline') is None


def test_the_papers_tables_have_its_figures_beside(tmp_path):
    _, runs = runs_of('paper', tmp_path)
    hits_of_runs = [(0, 0, 0), (9, 5, 3), (7, 6, 3), (8, 6, 5), (9, 7, 5), (9, 8, 6)]
    for run, hits in zip(runs, hits_of_runs, strict=True):
        pretend(run, hits)
    outcomes = finished(runs)
    rows = table_2(outcomes, SITES).rows
    assert [row[0] for row in rows] == [*SITES, 'average']
    assert rows[0][1:5] == (Measured((0.95,)), 0.8207, Measured((0.75,)), 0.5454)
    np.testing.assert_allclose(rows[3][1].values, [(19 + 17 + 18) / 60])
    full = table_4(outcomes, SITES).rows[-1]
    assert full[0] == 'CDA + ACE'
    assert full[1:3] == (Measured((0.95,)), None)
    assert full[8] == 0.7383


def test_leaving_sites_out_counts_the_site_that_was_left_out(tmp_path):
    _, runs = runs_of('leave-one-site-out', tmp_path)
    for run, hits in zip(runs[:3], [(2, 9, 9), (9, 4, 9), (9, 9, 6)], strict=True):
        pretend(run, hits)
    table = left_out_table(LEFT_OUT_BASES, finished(runs), SITES, 'accuracy')
    assert len(table.rows) == 1
    assert table.rows[0][2:5] == (Measured((0.6,)), Measured((0.7,)), Measured((0.8,)))
    np.testing.assert_allclose(table.rows[0][5].values, [0.7])


def request(tmp_path, data_dir, **changes):
    fields = {
        'suite': 'paper', 'scale': 'small', 'out': tmp_path, 'data_dir': str(data_dir),
        'sites': SITES, 'num_seeds': 1, 'methods': (), 'jobs': 1, 'fields': {}, 'report_only': True,
    }  # fmt: skip
    return Request(**fields | changes)


@pytest.mark.parametrize('suite', SUITES)
def test_a_report_says_what_is_there_and_what_is_missing(suite, tmp_path, data_dir, capsys):
    _, runs = runs_of(suite, tmp_path / 'small' / 'runs')
    for run in runs[1:]:
        pretend(run, (9, 8, 7))
    assert reproduce(request(tmp_path, data_dir, suite=suite)) == {}
    page = (tmp_path / 'small' / suite / 'report.html').read_text()
    missing = f'1 runs are not finished: {runs[0].workdir.name}.'
    assert missing in page
    assert missing in capsys.readouterr().out
    for link in re.findall(r'href="([^"#][^"]*)"', page):
        assert (tmp_path / 'small' / suite / link).exists(), link
    assert re.findall(r'tables/[^"]*\.tex', page)
    assert 'learning_rate' not in page  # only the fields in which a run differs


def test_a_killed_suite_goes_on_and_trains_nothing_twice(tmp_path, data_dir):
    settings = SMALL_RUN | {'num_epochs': 3, 'checkpoint_every_steps': 5}
    arguments = [
        '--suite=ablation', '--scale=small', '--methods=baseline', f'--data_dir={data_dir}',
        f'--out={tmp_path}', *(f'--set={name}={value}' for name, value in settings.items()),
    ]  # fmt: skip
    workdir = tmp_path / 'small' / 'runs' / 'baseline-seed0'
    killed = start_program(REPOSITORY / 'tools' / 'reproduce.py', *arguments)
    end = time.monotonic() + 200
    while not (workdir / 'checkpoints' / '5').exists():
        assert time.monotonic() < end
        assert killed.poll() is None
        time.sleep(0.05)
    killed.kill()
    killed.communicate()

    again = start_program(REPOSITORY / 'tools' / 'reproduce.py', *arguments)
    out, err = again.communicate(timeout=200)
    assert again.returncode == 0, err
    assert '1 runs, 0 of them done before' in out
    log = (tmp_path / 'small' / 'runs' / 'logs' / 'baseline-seed0.log').read_text()
    assert 'going on after step' in log
    assert (workdir / 'report.html').exists()
    assert 'probe' in (tmp_path / 'small' / 'ablation' / 'report.html').read_text()

    before = (workdir / 'results.json').stat().st_mtime_ns, log
    third = start_program(REPOSITORY / 'tools' / 'reproduce.py', *arguments)
    out, err = third.communicate(timeout=200)
    assert '1 runs, 1 of them done before' in out, err
    log = (tmp_path / 'small' / 'runs' / 'logs' / 'baseline-seed0.log').read_text()
    assert before == ((workdir / 'results.json').stat().st_mtime_ns, log)


def tool(*arguments):
    return subprocess.run(
        [sys.executable, REPOSITORY / 'tools' / 'reproduce.py', *arguments],
        capture_output=True, text=True, cwd=REPOSITORY, timeout=120,
        env=os.environ | {'PYTHONPATH': str(REPOSITORY)},
    )  # fmt: skip


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--suite=losses', '--methods=loss-no'], "the suite losses has no 'loss-no'"),
        (['--suite=paper', '--scale=full'], '--data_dir: missing'),
        (['--suite=paper', '--sites=mine'], '--sites: mine not in the stand-in data'),
        (['--suite=paper', '--data_dir=x', '--set=batch_sise=3'], "field 'batch_sise'"),
        (['--suite=paper', '--data_dir=x', '--set=oops'], '--set=oops: expected FIELD=VALUE'),
        (['--suite=paper', '--jobs=9999'], 'jobs is 9999'),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments, message, tmp_path):
    done = tool(*arguments, f'--out={tmp_path / "out"}')
    assert done.returncode == 1
    assert done.stderr.startswith('error: ')
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / 'out').exists()
