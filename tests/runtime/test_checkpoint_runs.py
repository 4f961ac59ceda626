"""Runs that meet a damaged checkpoint, a full disk, or another number of devices."""

import functools
import json
import resource
import shutil

import jax
import msgspec
import numpy as np
import pytest
from helpers.checkpoints import halve, names
from helpers.programs import outputs
from helpers.runs import assert_same_end, final_parameters, metrics

from cda_jax.errors import InputError
from cda_jax.evaluate import evaluate
from cda_jax.runtime.files import write_text
from cda_jax.runtime.logs import Logs
from cda_jax.train import train
from cda_jax.trained import config_of_run

pytestmark = pytest.mark.slow


@pytest.fixture
def stopped(finished, tmp_path):
    """A run of 36 steps without its results."""
    workdir = shutil.copytree(finished[0], tmp_path / 'run')
    (workdir / 'results.json').unlink()
    return workdir


def largest_file(folder):
    return max((p for p in folder.rglob('*') if p.is_file()), key=lambda p: p.stat().st_size)


def test_a_damaged_newest_and_a_full_disk_change_no_bit(finished, stopped, start_main, run_main):
    halve(largest_file(stopped / 'checkpoints' / '36' / 'state'))
    process = start_main(stopped)
    # From here on no file of the run may grow beyond this, as if the disk were full.
    limit = largest_file(stopped / 'checkpoints' / '30').stat().st_size // 2
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    out, err = outputs(process, code=1)
    assert 'going on after step 30' in out
    checkpoints = stopped / 'checkpoints'
    assert f'damaged checkpoint: {checkpoints}/36: ' in err
    assert f'{checkpoints}/36 is now 36.damaged.1; nothing reads it any more\n' in err
    reason = 'File too large; those before it are whole'
    assert err.splitlines()[-1] == f'error: {checkpoints}: a checkpoint cannot be written: {reason}'
    assert {'30', '36.damaged.1'} <= set(names(checkpoints))
    assert '36' not in names(checkpoints)

    assert 'going on after step 30' in run_main(stopped)[0]
    assert names(checkpoints) == ['30', '36', '36.damaged.1']
    assert_same_end(stopped, finished[0])


def test_training_goes_on_with_another_number_of_devices(finished, stopped, capfd):
    shutil.rmtree(stopped / 'checkpoints' / '36')
    train(config_of_run(stopped), stopped)
    out, _ = capfd.readouterr()
    assert '4 device(s)' in out
    assert 'going on after step 30' in out
    (step, parameters), (_, expected) = map(final_parameters, (stopped, finished[0]))
    assert step == 36
    # Of six steps; rounding differs between numbers of devices.
    same = functools.partial(np.testing.assert_allclose, atol=2e-3)
    jax.tree.map(same, parameters, expected)


def test_evaluation_passes_over_a_damaged_newest(finished, tmp_path, capfd):
    workdir = shutil.copytree(finished[0], tmp_path / 'run')
    before = (workdir / 'results.json').read_text()
    halve(workdir / 'checkpoints' / '36' / 'data' / 'metadata')
    results = evaluate(config_of_run(workdir), workdir)
    assert results.step == 30
    assert capfd.readouterr().err.startswith(
        f'damaged checkpoint: {workdir}/checkpoints/36: JSONDecodeError: '
    )
    # What was measured with the newest stays, and so does the folder as it is.
    assert (workdir / 'results.json').read_text() == before
    assert json.loads((workdir / 'results-step30.json').read_text()) == msgspec.to_builtins(results)
    assert names(workdir / 'checkpoints') == ['30', '36']


@pytest.fixture
def file_limit():
    """Sets how large files of this process may become, until the test ends."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# What tensorboardX could not write, it leaves open.
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
@pytest.mark.parametrize(('lines', 'name'), [(0, 'events.out.tfevents'), (400, 'metrics.jsonl')])
def test_logs_on_a_full_disk_are_one_clear_error(tmp_path, file_limit, lines, name):
    earlier = '{"kind": "train", "step": 1, "loss": 0.123456}\n' * lines
    (tmp_path / 'metrics.jsonl').write_text(earlier)
    file_limit(20_000)

    def write_on():
        with Logs(tmp_path, first_step=1, active=True) as logs:
            for step in range(2, 1000):
                logs.write('train', step, {'loss': 0.5})

    with pytest.raises(InputError, match=rf'{name}.*: cannot be written: File too large'):
        write_on()
    file_limit(resource.RLIM_INFINITY)
    with Logs(tmp_path, first_step=5, active=True) as logs:
        logs.write('train', 6, {'loss': 0.5})
    assert [line['step'] for line in metrics(tmp_path)] == [1] * lines + [2, 3, 4, 5, 6]


def test_a_full_disk_leaves_no_temporary_file(tmp_path, file_limit):
    path = tmp_path / 'config.json'
    file_limit(1000)
    with pytest.raises(InputError, match=r'config\.json: cannot be written: File too'):
        write_text(path, 'x' * 2000)
    assert list(tmp_path.iterdir()) == []
