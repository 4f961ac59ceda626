"""Two real processes of one SLURM step on this machine, against one process."""

import signal
import socket

import numpy as np
import pytest
from helpers.programs import wait_for
from helpers.runs import assert_same_end, metrics
from helpers.several import ends, free_address, start_several

from cda_jax.runtime.results import read_results

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def pair(start_main, tmp_path_factory):
    """The workdir of the run of `finished` by two processes, and their output."""
    workdir = tmp_path_factory.mktemp('processes') / 'two'
    port = free_address().rpartition(':')[2]  # the one of the job's number may be taken
    step = {
        'SLURM_JOB_ID': '7',
        'JAX_COORDINATOR_PORT': port,
        'SLURM_STEP_NODELIST': socket.gethostname(),
        'SLURM_STEP_NUM_TASKS': '2',
        'SLURM_NTASKS': '2',
    }
    places = [{'SLURM_PROCID': str(process), 'SLURM_LOCALID': str(process)} for process in (0, 1)]
    codes, outs, errors = ends([start_main(workdir, environment=step | own) for own in places])
    assert codes == [0, 0], errors
    return workdir, outs


def test_they_train_as_one_process_does(finished, pair):
    two, one = (metrics(workdir) for workdir in (pair[0], finished[0]))
    assert [line['step'] for line in two] == [line['step'] for line in one]
    for left, right in zip(two[:4], one[:4], strict=True):
        for name in ('loss_emotion', 'loss_label', 'loss_dataset', 'gradient_norm'):
            # Rounding grows from step to step.
            np.testing.assert_allclose(left[name], right[name], rtol=0.02, err_msg=name)
    np.testing.assert_allclose(two[0]['loss'], one[0]['loss'], rtol=1e-3)


def test_they_evaluate_every_example_once_and_only_the_first_reports(pair):
    answers = read_results(pair[0]).answers().values()
    assert [scores.num_examples for scores in answers] == [70, 70, 70]
    first, second = pair[1]
    assert 'Results after' in first
    assert 'step' not in second
    assert 'Results' not in second


def test_one_killed_ends_the_other_and_the_rerun_has_the_same_bits(pair, start_main, tmp_path):
    again = start_several(start_main, tmp_path)
    wait_for(again[0], 'step 15')
    again[1].send_signal(signal.SIGKILL)
    (code, killed), _, _ = ends(again, timeout=60)
    assert code not in (0, 75)
    assert killed == -signal.SIGKILL

    codes, outs, errors = ends(start_several(start_main, tmp_path))
    assert codes == [0, 0], errors
    assert 'going on after step 10' in outs[0]
    assert_same_end(tmp_path, pair[0])
