"""Two real processes of one SLURM step on this machine, against one process with two devices."""

import json
import signal
import socket
import time

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from helpers.programs import free_slurm_job_id
from helpers.runs import assert_same_bits, metrics
from helpers.several import ends, start_several

pytestmark = pytest.mark.slow


def slurm_environment(process: int, job_id: int) -> dict[str, str]:
    return {
        'SLURM_JOB_ID': str(job_id),
        'SLURM_STEP_NODELIST': socket.gethostname(),
        'SLURM_STEP_NUM_TASKS': '2',
        'SLURM_NTASKS': '2',
        'SLURM_PROCID': str(process),
        'SLURM_LOCALID': str(process),
    }


@pytest.fixture(scope='module')
def both(start_main, tmp_path_factory):
    """Workdirs of a run by two processes, and of the same run by one."""
    root = tmp_path_factory.mktemp('processes')
    fields = {'num_epochs': 1}
    job_id = free_slurm_job_id()
    pair = [
        start_main(
            root / 'two',
            environment=slurm_environment(process, job_id),
            **fields,
        )
        for process in range(2)
    ]
    codes, outs, errors = ends(pair)
    assert codes == [0, 0], errors
    single = start_main(root / 'one', devices=2, **fields)
    codes, _, errors = ends([single])
    assert codes == [0], errors
    return root / 'two', root / 'one', outs


def train_lines(workdir):
    lines = [json.loads(line) for line in (workdir / 'metrics.jsonl').read_text().splitlines()]
    return [line for line in lines if line['kind'] == 'train']


def test_they_train_as_one_process_does(both):
    two, one, _ = both
    for left, right in zip(train_lines(two), train_lines(one), strict=True):
        assert left['step'] == right['step']
        for name in ('loss_emotion', 'loss_label', 'loss_dataset', 'gradient_norm'):
            # Rounding grows from step to step.
            np.testing.assert_allclose(left[name], right[name], rtol=0.02, err_msg=name)
    np.testing.assert_allclose(train_lines(two)[0]['loss'], train_lines(one)[0]['loss'], rtol=1e-3)


def test_they_evaluate_every_example_once(both):
    for workdir in both[:2]:
        results = json.loads((workdir / 'results.json').read_text())
        counts = [heads['own']['num_examples'] for heads in results['test_sites'].values()]
        assert counts == [70, 70, 70]


def test_only_the_first_process_reports(both):
    first, second = both[2]
    assert 'Results after' in first
    assert 'step' not in second
    assert 'Results' not in second


def weights(workdir):
    with ocp.CheckpointManager(workdir / 'checkpoints') as manager:
        step = manager.latest_step()
    folder = workdir / 'checkpoints' / str(step) / 'state'
    with ocp.PyTreeCheckpointer() as reader:
        tree = reader.metadata(folder).item_metadata.tree
        # Not onto where it was: these devices are gone.
        on_host = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
        return step, reader.restore(folder, restore_args=on_host)['params']


def test_one_killed_ends_the_other_and_the_rerun_has_the_same_bits(both, start_main, tmp_path):
    pair = start_several(start_main, tmp_path, num_epochs=1)
    for line in pair[0].stdout:
        if line.startswith('step 15'):
            break
    pair[1].send_signal(signal.SIGKILL)
    start = time.monotonic()
    (code, killed), _, _ = ends(pair, timeout=60)
    assert time.monotonic() - start < 60
    assert code not in (0, 75)
    assert killed == -signal.SIGKILL

    codes, outs, errors = ends(start_several(start_main, tmp_path, num_epochs=1))
    assert codes == [0, 0], errors
    assert 'going on after step 10' in outs[0]
    assert metrics(tmp_path) == metrics(both[0])
    assert (tmp_path / 'results.json').read_text() == (both[0] / 'results.json').read_text()
    (step, left), (expected, right) = weights(tmp_path), weights(both[0])
    assert step == expected
    assert_same_bits(left, right)
