"""A sweep from its flags to its page, killed in between."""

import json
import re

import pytest
from helpers.programs import (
    REPOSITORY,
    SMALL_RUN,
    outputs,
    small_run_flags,
    start_program,
)
from helpers.suites import SITES, kill_once

from cda_jax.config import load_config, read_config
from cda_jax.errors import InputError
from cda_jax.evaluate import score_confusions
from cda_jax.runtime.results import write_results
from cda_jax.runtime.workdir import read_fields
from cda_jax.suites import sweep as module
from cda_jax.suites.sweep import Request, sweep

TOOL = REPOSITORY / 'tools' / 'sweep.py'
SEARCH = [
    'learning_rate=log:0.01:1',
    'emotion_loss_args.alpha=choice:0:0.5:1',
    'classifier_widths=choice:(16,):(8, 8)',
]


@pytest.fixture
def request_of(data_dir, tmp_path):
    def make(**own):
        fields = SMALL_RUN | {'data_dir': str(data_dir), 'validation_fraction': 0.3} | own
        names = own.keys() & set(Request._fields)
        options = {name: fields.pop(name) for name in names}
        config = read_config(load_config('cda').to_dict() | fields)
        given = {
            'words': ('--config=x.py',), 'search': SEARCH, 'select': 'training-sites',
            'out': str(tmp_path / 'sweep'), 'trials': 3, 'seed': 0, 'jobs': 1,
        }  # fmt: skip
        return Request(config, **given | options)

    return make


@pytest.fixture
def trained(monkeypatch):
    """Instead of training, writes what a training leaves; gives the commands by trial.

    Trial 1 fails, the others score 0.5, 0.7, 0.9 and so on in their second validation, or on the
    sites left out, in turn, that and two points more or less.
    """
    done = {}

    def run_tasks(tasks, *, jobs, when_done):
        for task in tasks:
            done[task.name] = task.commands
            number = int(task.name.removeprefix('trial-'))
            for command in task.commands:
                fields = dict(re.findall(r'--(?:config\.)?(\w+)=(.*)', '\n'.join(command)))
                if number != 1:
                    leave_behind(module.Path(fields['workdir']), 0.5 + number / 10, fields)
            when_done(task, number != 1)

    def leave_behind(workdir, score, fields):
        workdir.mkdir(parents=True, exist_ok=True)
        if 'split' in fields:
            (site,) = module.as_value(fields['test_sites'])
            right = round(100 * score) + 2 * (SITES.index(site) - 1)
            found = {site: {'mean': [[right, 100 - right], [100 - right, right]]}}
            results = score_confusions(found, ('Fear', 'Anger'), step=1)
            write_results(workdir, results, f'results-{site}-{fields["split"]}')
        else:
            lines = [
                {'kind': 'validation', 'step': step, 'accuracy': 0.9, 'macro_f1': score - less}
                for step, less in ((1, 0.1), (2, 0), (3, 0.2))
            ]
            (workdir / 'metrics.jsonl').write_text('\n'.join(map(json.dumps, lines)))
            confusion = {'rafdb': {'own': [[1, 0], [0, 1]]}}
            write_results(workdir, score_confusions(confusion, ('Fear', 'Anger'), step=1))

    monkeypatch.setattr(module, 'run_tasks', run_tasks)
    return done


def drawn(commands):
    """The searched fields of a trial, as its first command sets them."""
    words = dict(word.split('=', 1) for word in commands[0] if word.startswith('--config.'))
    return {name.removeprefix('--config.'): value for name, value in words.items()}


def test_the_best_by_validation_is_found_and_no_trial_is_repeated(
    request_of, trained, tmp_path, capsys
):
    best = sweep(request_of(select_by='macro_f1'))
    assert list(trained) == ['trial-0', 'trial-1', 'trial-2']
    draws = {name: drawn(commands) for name, commands in trained.items()}
    fields = ['classifier_widths', 'emotion_loss_args', 'learning_rate']
    assert all(sorted(own) == fields for own in draws.values())
    rates = {float(own['learning_rate']) for own in draws.values()}
    assert len(rates) == 3
    assert 0.01 <= min(rates) < max(rates) <= 1
    assert best == ['python', *trained['trial-2'][0][1:]]
    assert best[-1] == f'--workdir={tmp_path}/sweep/runs/trial-2'
    said = capsys.readouterr().out
    for part in ('3 trials, 0 of them done', 'The best of 3 trials: 2, 70.0 %', '1 trials failed'):
        assert part in said
    assert (tmp_path / 'sweep' / 'report.html').exists()
    rows = (tmp_path / 'sweep' / 'tables' / 'trials.csv').read_text().splitlines()
    assert rows[0] == 'trial,classifier_widths,emotion_loss_args.alpha,learning_rate,macro f1'
    assert [row.split(',')[0] for row in rows[1:]] == ['2', '0', '1']
    assert rows[1].endswith(',0.7')
    assert rows[3].endswith(',')

    trained.clear()
    # Nor does it matter where the data are, or how often a run logs.
    sweep(request_of(select_by='macro_f1', trials=5, log_every_steps=9))
    assert list(trained) == ['trial-3', 'trial-4']
    assert '5 trials, 3 of them done before' in capsys.readouterr().out
    for own in ({'trials': 2}, {'trials': 2, 'seed': 1}):
        trained.clear()
        sweep(request_of(select_by='macro_f1', out=f'{tmp_path}/again{len(own)}', **own))
        again = {name: drawn(commands) for name, commands in trained.items()}
        assert (again == {name: draws[name] for name in again}) == ('seed' not in own)


def test_each_site_is_left_out_in_turn(request_of, trained, tmp_path):
    best = sweep(request_of(select='leave-one-site-out', site_weights=(1.0, 2.0, 3.0)))
    commands = trained['trial-2']
    assert [command[-1] for command in commands[1::2]] == [
        f"--config.test_sites=('{site}',)" for site in SITES
    ]
    for number, site in enumerate(SITES):
        train, evaluate = commands[2 * number : 2 * number + 2]
        kept = [n for n in range(3) if n != number]
        assert f'--config.sites={tuple(SITES[n] for n in kept)}' in train
        assert f'--config.site_weights={tuple(float(n + 1) for n in kept)}' in train
        assert train[-1] == f'--workdir={tmp_path}/sweep/runs/trial-2-without-{site}'
        assert evaluate[:-1] == [*train, '--mode=eval', '--split=validation']
    # The best trains on all sites.
    assert not [word for word in best if 'sites' in word]
    assert best[-1] == f'--workdir={tmp_path}/sweep/best'
    rows = (tmp_path / 'sweep' / 'tables' / 'trials.csv').read_text().splitlines()
    assert rows[0].endswith(',without rafdb,without expw,without affectnet,accuracy')
    scores = [float(score) for score in rows[1].split(',')[-4:]]
    assert scores == pytest.approx([0.68, 0.7, 0.72, 0.7])


@pytest.mark.parametrize(
    ('own', 'message'),
    [
        ({'validation_fraction': 0.0}, 'validation_fraction is 0.0, expected more'),
        ({'validation_fraction': 1e-9}, 'no records in the validation split'),
        ({'search': ['momentum=uniform:0:1']}, 'momentum is 1.0, expected a number from 0 to'),
        ({'search': ['momentun=uniform:0:1']}, "'momentun' .*; did you mean 'momentum'"),
        ({'search': ['learning_rate=log:0:1']}, 'learning_rate=log:0:1: expected FIELD=log'),
        ({'search': ['num_epochs=int:1:2.5']}, 'num_epochs=int:1:2.5: expected'),
        ({'search': ['dropout.rate=uniform:0:1']}, 'config field dropout has no entries'),
        ({'search': ['select_by=choice:accuracy']}, 'select_by: expected another field'),
        (
            {'select': 'leave-one-site-out', 'sites': SITES[:1], 'alignment': 'none'},
            'sites is .*, expected two or more to leave out',
        ),
    ],
)
def test_what_cannot_be_searched_is_refused_before_anything_is_written(
    own, message, request_of, trained, tmp_path
):
    with pytest.raises(InputError, match=message):
        sweep(request_of(**own))
    assert not trained
    assert not (tmp_path / 'sweep').exists()


def test_another_sweep_needs_another_folder(request_of, trained):
    sweep(request_of())
    search = ['learning_rate=log:0.1:1']
    for own in ({'seed': 1}, {'search': search}, {'momentum': 0.5}, {'select_by': 'macro_f1'}):
        with pytest.raises(InputError, match=r'expected the same, or a new workdir:\n  .*: '):
            sweep(request_of(**own))


def test_where_every_trial_fails_the_logs_are_named(request_of, monkeypatch):
    def run_tasks(tasks, *, jobs, when_done):
        for task in tasks:
            when_done(task, False)

    monkeypatch.setattr(module, 'run_tasks', run_tasks)
    with pytest.raises(InputError, match=r'every trial failed.*\n.*/runs/logs/trial-0\.log\n'):
        sweep(request_of())


@pytest.mark.slow
def test_a_killed_sweep_goes_on_and_trains_nothing_twice(data_dir, tmp_path):
    arguments = [
        *small_run_flags(data_dir, validation_fraction=0.3, num_epochs=1),
        "--config.emotion_loss_args={'alpha': 1.0}", f'--out={tmp_path}', '--trials=2',
        '--search=learning_rate=log:0.01:1', '--search=emotion_loss_args.alpha=uniform:0:1',
    ]  # fmt: skip
    results = [tmp_path / 'runs' / f'trial-{number}' / 'results.json' for number in (0, 1)]
    kill_once(start_program(TOOL, *arguments), results[0].exists)
    before = results[0].stat().st_mtime_ns
    out, _ = outputs(start_program(TOOL, *arguments))
    assert results[0].stat().st_mtime_ns == before
    best = max(map(read_score, results))
    assert 'The best of 2 trials: ' in out
    assert f', {100 * best:.1f} %' in out
    alphas = [read_fields(result.parent)['emotion_loss_args']['alpha'] for result in results]
    assert 0 < min(alphas) < max(alphas) < 1


def read_score(results):
    lines = map(json.loads, results.with_name('metrics.jsonl').read_text().splitlines())
    return max(line['accuracy'] for line in lines if line['kind'] == 'validation')
