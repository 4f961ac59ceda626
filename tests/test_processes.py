"""Two real processes of one SLURM step on this machine, against one process with two devices."""

import json
import socket

import numpy as np
import pytest
from conftest import free_slurm_job_id


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
        start_main(root / 'two', environment=slurm_environment(process, job_id), **fields)
        for process in range(2)
    ]
    ends = [process.communicate(timeout=300) for process in pair]
    assert [process.returncode for process in pair] == [0, 0], ends
    single = start_main(root / 'one', devices=2, **fields)
    end = single.communicate(timeout=300)
    assert single.returncode == 0, end
    return root / 'two', root / 'one', ends


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
    first, second = (out for out, _ in both[2])
    assert 'Results after' in first
    assert 'step' not in second
    assert 'Results' not in second
