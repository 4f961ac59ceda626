"""A suite from its flags to its page, killed in between."""

import importlib
import re

import pytest
from absl.testing import flagsaver
from helpers.programs import REPOSITORY, SMALL_RUN, outputs, start_program
from helpers.runs import saved_steps
from helpers.suites import kill_once, pretend, report_of, runs_of

from cda_jax.errors import InputError
from cda_jax.suites import SUITES
from cda_jax.suites.reproduce import reproduce

TOOL = REPOSITORY / 'tools' / 'reproduce.py'

COMPARED = {'bias', 'recognition', 'recall'}
TABLES = {
    'demonstration': {'side-by-side'},
    'paper': {'table-2', 'table-4', 'figure-4', 'figure-6'} | COMPARED,
    'real': {'left-out-accuracy'} | COMPARED,
    'stability': {'gradient'},
    'leave-one-site-out': {'left-out-accuracy', 'left-out-macro_f1'},
}


@pytest.mark.parametrize('suite', SUITES)
def test_a_report_says_what_is_there_and_what_is_missing(suite, tmp_path, data_dir, capsys):
    _, runs = runs_of(suite, tmp_path / 'small' / 'runs')
    for run in runs[1:]:
        pretend(run, (9, 8, 7))
    assert reproduce(report_of(suite, tmp_path, data_dir)) == {}
    page = (tmp_path / 'small' / suite / 'report.html').read_text()
    missing = f'1 runs are not finished: {runs[0].workdir.name}.'
    assert missing in page
    assert missing in capsys.readouterr().out
    for link in re.findall(r'href="([^"#][^"]*)"', page):
        assert (tmp_path / 'small' / suite / link).exists(), link
    assert TABLES.get(suite, COMPARED) <= set(re.findall(r'tables/([^"]*)\.tex', page))
    # Figures 6 (a site's, or all) and 3; figure 4 needs the run that is missing here, 5 and 7
    # features.
    assert page.count('<img') == {'paper': 2, 'demonstration': 4, 'stability': 1}.get(suite, 0)
    assert 'learning_rate' not in page  # only the fields in which a run differs


@pytest.mark.slow
def test_a_killed_suite_goes_on_and_trains_nothing_twice(tmp_path, data_dir, capsys):
    settings = SMALL_RUN | {'num_epochs': 3, 'checkpoint_every_steps': 5}
    changes = [f'{name}={value}' for name, value in settings.items()]
    arguments = [
        '--suite=ablation', '--scale=small', '--methods=baseline', f'--data_dir={data_dir}',
        f'--out={tmp_path}', *(f'--set={change}' for change in changes),
    ]  # fmt: skip
    workdir = tmp_path / 'small' / 'runs' / 'baseline-seed0'
    log = workdir.parent / 'logs' / 'baseline-seed0.log'
    kill_once(start_program(TOOL, *arguments), lambda: saved_steps(workdir))
    out, _ = outputs(start_program(TOOL, *arguments))
    assert '1 runs, 0 of them done before' in out
    assert 'going on after step' in log.read_text()
    assert (workdir / 'report.html').exists()
    assert 'probe' in (tmp_path / 'small' / 'ablation' / 'report.html').read_text()

    files = log, workdir / 'results.json'
    before = [file.stat().st_mtime_ns for file in files]
    request = report_of('ablation', tmp_path, data_dir)
    request = request._replace(methods=('baseline',), set=changes, report_only=False)
    assert reproduce(request) == {}
    assert '1 runs, 1 of them done before' in capsys.readouterr().out
    assert [file.stat().st_mtime_ns for file in files] == before


@pytest.mark.parametrize(
    ('own', 'message'),
    [
        ({'suite': 'losses', 'methods': 'loss-no'}, "the suite losses has no 'loss-no'"),
        ({'scale': 'full'}, '--data_dir: missing'),
        ({'sites': 'mine'}, '--sites: mine not in the stand-in data'),
        ({'data_dir': 'x', 'set': ['batch_sise=3']}, "field 'batch_sise'"),
        ({'data_dir': 'x', 'set': ['oops']}, '^--set=oops: expected FIELD=VALUE$'),
        ({'data_dir': 'x', 'jobs': '9999'}, 'jobs is 9999'),
    ],
)
def test_what_cannot_be_done_is_refused(own, message, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(TOOL.parent)
    tool = importlib.import_module(TOOL.stem)
    given = {'suite': 'paper', 'out': str(tmp_path / 'out')} | own
    with flagsaver.as_parsed(**given), pytest.raises(InputError, match=message):
        tool.main()
    assert not (tmp_path / 'out').exists()
