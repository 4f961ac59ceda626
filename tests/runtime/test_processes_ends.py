"""How several real processes end when one of them fails or differs from the others."""

import json
import shutil
import signal

import pytest
from helpers.programs import REPOSITORY, start_program
from helpers.several import ends, free_address, start_several

from cda_jax.errors import InputError
from cda_jax.runtime import multihost
from cda_jax.runtime.agreement import check_devices, digest_code, disagreements


def test_all_stop_where_one_differs(start_main, data_dir, tmp_path):
    other = shutil.copytree(data_dir, tmp_path / 'data')
    manifest = other / 'expw' / 'manifest.json'
    manifest.write_text(manifest.read_text() + '\n')
    own = {1: {'seed': 3, 'data_dir': other, 'num_threads': 2}}
    codes, _, errors = ends(start_several(start_main, tmp_path / 'run', own=own))
    assert codes == [1, 1]
    for error in errors:
        assert error.splitlines()[-1].endswith(')')
        assert 'process 1 differs from process 0 in config field seed (3, not 0), the' in error
        assert 'the manifest of site expw' in error
        assert 'num_threads' not in error
        assert 'rafdb' not in error
    assert not (tmp_path / 'run').exists()


def test_all_stop_where_one_lacks_data(start_main, data_dir, tmp_path):
    other = shutil.copytree(data_dir, tmp_path / 'data')
    missing = next((other / 'expw').glob('train*record*'))
    missing.unlink()
    own = {1: {'data_dir': other}}
    codes, _, errors = ends(start_several(start_main, tmp_path / 'run', own=own))
    assert codes == [1, 1]
    what = f'{missing}: no such file, but the manifest lists it'
    assert f'error: process 1 stopped: {what}' in errors[0].splitlines()
    assert f'error: {what}' in errors[1].splitlines()
    assert not (tmp_path / 'run' / 'metrics.jsonl').exists()


def test_four_count_each_example_once_and_end_without_the_first():
    address = free_address()
    peers = [
        start_program(REPOSITORY / 'tests' / 'helpers' / 'peers.py', address, 4, i)
        for i in range(4)
    ]
    for peer in peers:
        lines = iter(peer.stdout.readline, '')
        line = next((line for line in lines if line.startswith('{')), None)
        assert line, [end.splitlines()[-3:] for end in ends(peers, timeout=60)[2]]
        learned = json.loads(line)
        assert learned['counts'] == [1] * 37 + [0] * 11
        assert learned['any'] == [True] * 4 + [False]
        assert learned['texts'] == ['', 'ä', 'ää', 'äää']
    peers[0].send_signal(signal.SIGKILL)
    codes, _, errors = ends(peers, timeout=60)
    assert codes == [-signal.SIGKILL, 1, 1, 1]
    for error in errors[1:]:
        assert error.splitlines()[-1].startswith('error: ')
        assert 'process 0' in error.splitlines()[-1]


@pytest.mark.parametrize(
    ('place', 'message'),
    [
        ((None, 2, 0), '--coordinator missing'),
        (('a:1', None, None), '--num_processes and --process_id missing'),
        (('a', 2, 0), "--coordinator is 'a', expected HOST:PORT"),
        (('a:70000', 2, 0), 'has port 70000'),
        (('a:1', 0, 0), '--num_processes is 0'),
        (('a:1', 2, 2), '--process_id is 2, expected 0 to 1'),
        (('a:1', 2, -1), '--process_id is -1, expected 0 to 1'),
    ],
)
def test_a_place_that_is_none(place, message):
    with pytest.raises(InputError, match=message), multihost.joined(multihost.Place(*place), 1):
        pytest.fail('joined')


@pytest.mark.parametrize(
    ('process', 'why'),
    [(0, 'expected 2 processes to come there'), (1, 'nothing answers at')],
)
def test_waiting_for_the_others_has_an_end(process, why):
    code = (
        'from cda_jax.runtime import multihost\n'
        f'with multihost.joined(multihost.Place({free_address()!r}, 2, {process}), timeout=2): pass'
    )
    codes, _, errors = ends([start_program('-c', code)], timeout=60)
    assert codes == [1]
    assert errors[0].splitlines()[-1].startswith('error: the processes did not join within 2 s: ')
    assert why in errors[0]


SLURM = {'SLURM_JOB_ID': '7', 'SLURM_STEP_NODELIST': 'a', 'SLURM_PROCID': '0', 'SLURM_LOCALID': '0'}
OPEN_MPI = {'OMPI_COMM_WORLD_RANK': '1', 'OMPI_COMM_WORLD_LOCAL_RANK': '1'}
URI = {'OMPI_MCA_orte_hnp_uri': '1531576320.0;tcp://127.0.0.1:34911'}


@pytest.mark.parametrize(
    ('environment', 'launcher'),
    [
        ({}, None),
        (SLURM | {'SLURM_NTASKS': '2', 'SLURM_STEP_NUM_TASKS': '2'}, 'slurm'),
        (SLURM | {'SLURM_NTASKS': '1', 'SLURM_STEP_NUM_TASKS': '1'}, None),
        # One step of an allocation for four, and a batch script that is no step.
        (SLURM | {'SLURM_NTASKS': '4', 'SLURM_STEP_NUM_TASKS': '1'}, None),
        (SLURM | {'SLURM_NTASKS': '4'}, None),
        (OPEN_MPI | URI | {'OMPI_COMM_WORLD_SIZE': '2'}, 'ompi'),
        (OPEN_MPI | URI | {'OMPI_COMM_WORLD_SIZE': '1'}, None),
        (OPEN_MPI | {'OMPI_COMM_WORLD_SIZE': '1'}, None),
        ({'TPU_WORKER_HOSTNAMES': 'a,b', 'TPU_WORKER_ID': '1'}, 'gketpu'),
        ({'TPU_WORKER_HOSTNAMES': 'localhost', 'TPU_WORKER_ID': '0'}, None),
        ({'TPU_WORKER_HOSTNAMES': 'a', 'MEGASCALE_NUM_SLICES': '2'}, 'gketpu'),
    ],
)
def test_what_started_several_processes(monkeypatch, environment, launcher):
    monkeypatch.setattr(
        'jax._src.clusters.cloud_tpu_cluster.running_in_cloud_tpu_vm',
        any(name.startswith('TPU') for name in environment),
    )
    # Without it JAX asks Google's metadata server for what the environment does not say.
    environment = {'MEGASCALE_NUM_SLICES': '', 'TPU_SKIP_MDS_QUERY': '1'} | environment
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert multihost.find_launcher() == launcher


def test_open_mpi_that_does_not_say_where_the_first_process_is(monkeypatch):
    monkeypatch.setenv('OMPI_COMM_WORLD_SIZE', '4')
    with pytest.raises(InputError, match='one of 4 processes of SLURM or Open MPI'):
        multihost.find_launcher()


def test_who_differs_in_what():
    one, other = {'a': 1, 'b': 2}, {'a': 1, 'b': 3}
    assert disagreements([one, one]) == ''
    assert disagreements([one, other]) == 'process 1 differs from process 0 in b (3, not 2)'
    # Most are taken for right.
    assert disagreements([other, one, one]) == 'process 0 differs from process 1 in b (3, not 2)'
    assert "c ('missing', not 4)" in disagreements([one | {'c': 4}, one])
    assert disagreements([one] * 9 + [other] * 8).endswith('; 3 more processes differ')


def test_code_has_the_same_digest_only_where_it_is_the_same(tmp_path):
    for name in ('left', 'right'):
        (tmp_path / name / 'below').mkdir(parents=True)
        (tmp_path / name / 'below' / 'a.py').write_text('x = 1\n')
        (tmp_path / name / 'notes.txt').write_text(name)
    left, right = tmp_path / 'left', tmp_path / 'right'
    assert digest_code(left) == digest_code(right)
    (right / 'below' / 'a.py').write_text('x = 2\n')
    assert digest_code(left) != digest_code(right)
    (right / 'below' / 'a.py').write_text('x = 1\n')
    (right / 'below' / 'a.py').rename(right / 'a.py')
    assert digest_code(left) != digest_code(right)


def test_all_have_as_many_devices():
    check_devices([0, 0, 1, 1])
    with pytest.raises(InputError, match='process 0 has 2, process 1 has 1'):
        check_devices([0, 0, 1])
