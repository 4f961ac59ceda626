"""Two real processes of one SLURM step on this machine, against one process with two devices."""

import signal
import socket
import time

import numpy as np
import pytest
from helpers.programs import outputs, wait_for
from helpers.runs import assert_same_end, metrics, saved_steps
from helpers.several import ends, free_address, start_several

from cda_jax.runtime.results import read_results

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def both(start_main, tmp_path_factory):
    """Workdirs of a run by two processes, and of the same run by one; output of the two."""
    root = tmp_path_factory.mktemp('processes')
    port = free_address().rpartition(':')[2]  # the one of the job's number may be taken
    step = {
        'SLURM_JOB_ID': '7',
        'JAX_COORDINATOR_PORT': port,
        'SLURM_STEP_NODELIST': socket.gethostname(),
        'SLURM_STEP_NUM_TASKS': '2',
        'SLURM_NTASKS': '2',
    }
    places = [{'SLURM_PROCID': str(process), 'SLURM_LOCALID': str(process)} for process in (0, 1)]
    pair = [start_main(root / 'two', environment=step | own, num_epochs=1) for own in places]
    codes, outs, errors = ends(pair)
    assert codes == [0, 0], errors
    outputs(start_main(root / 'one', devices=2, num_epochs=1))
    return root / 'two', root / 'one', outs


def test_they_train_as_one_process_does(both):
    two, one = ([m for m in metrics(workdir) if m['kind'] == 'train'] for workdir in both[:2])
    for left, right in zip(two, one, strict=True):
        assert left['step'] == right['step']
        for name in ('loss_emotion', 'loss_label', 'loss_dataset', 'gradient_norm'):
            # Rounding grows from step to step.
            np.testing.assert_allclose(left[name], right[name], rtol=0.02, err_msg=name)
    np.testing.assert_allclose(two[0]['loss'], one[0]['loss'], rtol=1e-3)


def test_they_evaluate_every_example_once_and_only_the_first_reports(both):
    for workdir in both[:2]:
        answers = read_results(workdir).answers().values()
        assert [scores.num_examples for scores in answers] == [70, 70, 70]
    first, second = both[2]
    assert 'Results after' in first
    assert 'step' not in second
    assert 'Results' not in second


def test_one_killed_ends_the_other_and_the_rerun_has_the_same_bits(both, start_main, tmp_path):
    pair = start_several(start_main, tmp_path, num_epochs=1)
    wait_for(pair[0], 'step 15')
    while not saved_steps(tmp_path):  # a slow disk may still be at the first
        assert pair[0].poll() is None
        time.sleep(0.01)
    pair[1].send_signal(signal.SIGKILL)
    (code, killed), _, _ = ends(pair, timeout=60)
    assert code not in (0, 75)
    assert killed == -signal.SIGKILL
    step = saved_steps(tmp_path)[-1]
    assert step in (10, 18)

    codes, outs, errors = ends(start_several(start_main, tmp_path, num_epochs=1))
    assert codes == [0, 0], errors
    assert step == 18 or f'going on after step {step}' in outs[0]
    assert_same_end(tmp_path, both[0])
