"""The whole program as its user runs it: real records, real workers, real checkpoints."""

import json
import os
import re
import shutil
import time

import numpy as np
import pytest
from helpers.files import change_manifest
from helpers.programs import REPOSITORY, outputs, small_config, start_program, wait_for
from helpers.runs import assert_same_end, metrics, saved_steps

from cda_jax.errors import DivergenceError, InputError
from cda_jax.evaluate import evaluate
from cda_jax.runtime.results import Averages, read_results
from cda_jax.train import train
from cda_jax.trained import config_of_run

pytestmark = pytest.mark.slow


def heads_of(results):
    return {site: list(heads) for site, heads in results.test_sites.items()}


def complaints(err):
    """The lines of error output, but for Orbax's of where a slow disk made it wait."""
    return [line for line in err.splitlines() if 'Waiting for previous save' not in line]


def test_a_run_leaves_results_logs_and_checkpoints(finished):
    workdir, out, err = finished
    assert complaints(err) == []
    results = read_results(workdir)
    assert results.step == 36  # 600 images, batches of 32: 18 steps an epoch
    heads = [(site, ['own', 'mean']) for site in ('rafdb', 'expw', 'affectnet')]
    assert list(heads_of(results).items()) == heads
    for heads in results.test_sites.values():
        for scores in heads.values():
            assert scores.num_examples == np.sum(scores.confusion) == 70
            assert scores.accuracy == np.trace(scores.confusion) / 70
    assert results.pooled.num_examples == 210
    own = [scores.accuracy for scores in results.answers().values()]
    np.testing.assert_allclose(results.average.accuracy, np.mean(own))
    lines = metrics(workdir)
    assert [line['step'] for line in lines] == [5, 10, 15, 20, 25, 30, 35, 36]
    figures = 'loss loss_emotion loss_label loss_dataset accuracy_emotion accuracy_dataset epoch'
    figures += ' pseudo_label_agreement lambda_1 lambda_2 learning_rate gradient_norm'
    figures += ' balanced_accuracy_dataset largest_share_dataset reversed_gradient_ratio'
    assert set(lines[0]) >= set(figures.split())
    assert sorted(p.name for p in (workdir / 'checkpoints').iterdir()) == ['30', '36']
    assert 'step 36/36' in out


def test_tensorboard_has_the_same_figures(finished):
    from tensorboardX.proto.event_pb2 import Event

    workdir = finished[0]
    data = next(workdir.glob('events.out.tfevents*')).read_bytes()
    figures = {}
    while data:  # length, its checksum, the event, its checksum
        length = int.from_bytes(data[:8], 'little')
        event = Event.FromString(data[12 : 12 + length])
        figures |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
        data = data[16 + length :]
    for line in metrics(workdir):
        assert figures['train/loss', line['step']] == np.float32(line['loss'])


def test_a_finished_run_only_reports(finished, capfd):
    workdir, out, _ = finished
    before = metrics(workdir)
    train(config_of_run(workdir), workdir)
    again, err = capfd.readouterr()
    assert complaints(err) == []
    assert again.strip() == out[out.index('Results after') :].strip()
    assert metrics(workdir) == before


@pytest.mark.parametrize('devices', [1, 4])
def test_a_checkpoint_is_evaluated_on_any_number_of_devices(
    finished, run_main, tmp_path, devices, capfd
):
    workdir = shutil.copytree(finished[0], tmp_path / 'run')
    (workdir / 'results.json').unlink()
    if devices == 4:  # as here
        evaluate(config_of_run(workdir), workdir)
        err = capfd.readouterr().err
    else:
        err = run_main(workdir, '--mode=eval')[1]
    assert complaints(err) == []
    got = read_results(workdir)
    for site, heads in read_results(finished[0]).test_sites.items():
        for head, scores in heads.items():
            # Rounding may differ between numbers of devices; a face or two may change sides.
            difference = np.subtract(got.test_sites[site][head].confusion, scores.confusion)
            assert np.abs(difference).sum() <= (0 if devices == 1 else 4)


@pytest.fixture(scope='module')
def other(run_main, tmp_path_factory):
    """The workdir of a run with a loss of one's own, a common head and validation."""
    folder = tmp_path_factory.mktemp('other')
    readme = (REPOSITORY / 'README.md').read_text()
    (code_block,) = re.findall(r'```python\n(.*?)```', readme, flags=re.DOTALL)
    flags = re.search(r'Run it with `(.*?)`', readme)[1].split()
    (folder / 'my_losses.py').write_text(code_block)
    path = {'PYTHONPATH': os.pathsep.join([str(REPOSITORY), str(folder)])}
    fields = {'sites': ('rafdb', 'expw'), 'test_sites': ('rafdb', 'affectnet')}
    fields |= {'validation_fraction': 0.3, 'num_epochs': 5, 'keep_checkpoints': 1}
    # The learning rate is high enough for the score to fall now and then.
    fields |= {'common_head': True, 'learning_rate': 2.0, 'select_by': 'macro_f1'}
    run_main(folder / 'run', *flags, environment=path, **fields)
    return folder / 'run'


def test_a_run_as_the_readme_shows_it_keeps_the_best_checkpoint_by_validation(other):
    config = json.loads((other / 'config.json').read_text())
    assert (config['emotion_loss'], config['emotion_loss_args']) == ('my_losses.brier', {})
    heads = {'rafdb': ['own', 'common', 'mean'], 'affectnet': ['common', 'mean']}
    assert heads_of(read_results(other)) == heads
    lines = [line for line in metrics(other) if line['kind'] == 'validation']
    scores = {line['step']: line['macro_f1'] for line in lines}
    chosen, last = read_results(other).step, max(scores)
    assert (len(scores), scores[chosen]) == (5, max(scores.values()))
    stored = (other / 'checkpoints' / str(chosen) / 'metrics' / 'metrics').read_text()
    assert json.loads(stored)['validation_score'] == scores[chosen]
    assert chosen != last
    assert {int(path.name) for path in (other / 'checkpoints').iterdir()} == {chosen, last}


def test_a_checkpoint_is_evaluated_on_validation_data(other, run_main):
    fields = {'sites': ('rafdb', 'expw'), 'common_head': True, 'validation_fraction': 0.3}
    run_main(other, '--mode=eval', '--split=validation', test_sites=('rafdb', 'expw'), **fields)
    found = read_results(other, 'results-rafdb-expw-validation')
    lines = [line for line in metrics(other) if line['kind'] == 'validation']
    (line,) = [line for line in lines if line['step'] == found.step]
    assert found.average == Averages(line['accuracy'], line['macro_f1'], line['mean_recall'])
    config = config_of_run(other, validation_fraction=0.2)
    with pytest.raises(InputError, match=r'validation_fraction: 0\.3 there, 0\.2 here'):
        evaluate(config, other, 'validation')


def test_naming_the_dataset(data_dir, tmp_path):
    train(small_config(data_dir, 'dataset_id', num_epochs=1), tmp_path)
    results = read_results(tmp_path)
    assert results.class_names == ['rafdb', 'expw', 'affectnet']
    confusions = [heads['shared'].confusion for heads in results.test_sites.values()]
    np.testing.assert_array_equal(np.sum(confusions, axis=2), 70 * np.eye(3))
    np.testing.assert_array_equal(np.sum(confusions, axis=0), results.pooled.confusion)


def test_killed_at_any_moment_it_ends_with_the_same_bits(finished, start_main, run_main, tmp_path):
    for line, delay, needs_save in (('step 10', 0.0, False), ('step 15', 0.25, True)):
        process = start_main(tmp_path)
        wait_for(process, line)
        time.sleep(delay)
        while needs_save and not saved_steps(tmp_path):  # a slow disk may still be at the first
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        process.communicate()
        assert not (tmp_path / 'results.json').exists()
    # A look at it in between neither ends nor changes it. A fast machine may have saved the last
    # step by then: what is left of such a run is its evaluation.
    step = evaluate(config_of_run(tmp_path), tmp_path).step
    name = 'results' if step == 36 else f'results-step{step}'
    assert [path.stem for path in tmp_path.glob('results*.json')] == [name]
    out, _ = run_main(tmp_path)
    assert step == 36 or f'going on after step {step}' in out
    assert_same_end(tmp_path, finished[0])


def test_a_loss_that_is_not_finite_stops_the_run(data_dir, tmp_path):
    with pytest.raises(DivergenceError, match=r'^step \d+: not finite: loss_.*'):
        train(small_config(data_dir, learning_rate=1e12), tmp_path)
    assert not list((tmp_path / 'checkpoints').iterdir())


def test_help_and_the_demonstration_import_no_more_than_they_need():
    program = start_program('-X', 'importtime', '-m', 'cda_jax.main', '--help')
    out, err = outputs(program, code=1, timeout=60)  # as absl ends after its help
    assert '--workdir' in out
    imported = {line.rsplit('|')[-1].strip() for line in err.splitlines() if '|' in line}
    assert 'absl' in imported
    assert not imported & {'jax', 'tensorflow', 'orbax.checkpoint'}
    # What the demonstration starts must do without the extras.
    code = 'import sys, cda_jax.train, make_standin; print(*sys.modules)'
    out, _ = outputs(start_program('-c', code), timeout=60)
    imported = {name.partition('.')[0] for name in out.split()}
    assert 'cda_jax' in imported
    assert not imported & {'tensorflow', 'matplotlib', 'pandas', 'sklearn', 'jinja2', 'umap'}


def test_other_test_sites_have_results_of_their_own(finished, data_dir, tmp_path):
    workdir = shutil.copytree(finished[0], tmp_path / 'run')
    for name, copy in (('expw', 'expw'), ('affectnet', 'unseen'), ('expw', 'alien')):
        shutil.copytree(data_dir / name, tmp_path / copy)
    fields = {'data_dir': str(tmp_path), 'test_sites': ('unseen', 'expw')}
    evaluate(config_of_run(workdir, **fields), workdir)
    results = read_results(workdir, 'results-unseen-expw')
    # One was not trained on.
    assert heads_of(results) == {'unseen': ['mean'], 'expw': ['own', 'mean']}
    assert (workdir / 'results-unseen-expw.csv').exists()
    assert (workdir / 'results.json').read_text() == (finished[0] / 'results.json').read_text()
    change_manifest(tmp_path / 'alien', 'class_names', to=list('abcdefg'))
    config = config_of_run(workdir, data_dir=str(tmp_path), test_sites=('alien',))
    with pytest.raises(InputError, match=r'alien: no records in the test split .* of Surprise'):
        evaluate(config, workdir)


def test_other_data_under_the_same_name_are_refused(finished, data_dir, tmp_path):
    workdir = shutil.copytree(finished[0], tmp_path / 'run')
    (workdir / 'results.json').unlink()
    for name, other in (('rafdb', 'affectnet'), ('expw', 'expw'), ('affectnet', 'rafdb')):
        (tmp_path / name).symlink_to(data_dir / other)
    message = '^the data are not those that checkpoint 36 was trained on: site'
    with pytest.raises(InputError, match=message):
        train(config_of_run(workdir, data_dir=str(tmp_path)), workdir)
