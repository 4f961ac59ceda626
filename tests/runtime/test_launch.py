"""How a process becomes one of several."""

import shutil
import subprocess

import pytest
from helpers.programs import REPOSITORY, outputs, start_program
from helpers.several import free_address

from cda_jax.errors import InputError
from cda_jax.runtime import launch


@pytest.mark.parametrize(
    'place',
    [
        (None, 2, 0),
        ('a:1', None, None),
        ('a', 2, 0),
        ('a:70000', 2, 0),
        ('a:1', 0, 0),
        ('a:1', 2, 2),
        ('a:1', 2, -1),
    ],
)
def test_a_place_that_is_none(place):
    found = '--coordinator is {}, --num_processes is {}, --process_id is {}; expected --coordinator'
    with (
        pytest.raises(InputError, match=found.format(*place)),
        launch.joined(launch.Place(*place), 1),
    ):
        pytest.fail('joined')


@pytest.mark.slow
@pytest.mark.parametrize(
    ('process', 'why'), [(0, 'expected 2 processes to come there'), (1, 'nothing answers at')]
)
def test_waiting_for_the_others_has_an_end(process, why):
    code = (
        'from cda_jax.runtime.launch import Place, joined\n'
        f'with joined(Place({free_address()!r}, 2, {process}), timeout=2): pass'
    )
    _, err = outputs(start_program('-c', code), code=1, timeout=60)
    assert err.splitlines()[-1].startswith('error: the processes did not join within 2 s: ')
    assert why in err


SLURM = {'SLURM_JOB_ID': '7', 'SLURM_STEP_NODELIST': 'a', 'SLURM_PROCID': '0', 'SLURM_LOCALID': '0'}
OPEN_MPI = {'OMPI_COMM_WORLD_RANK': '1', 'OMPI_COMM_WORLD_LOCAL_RANK': '1'}
URI = {'OMPI_MCA_orte_hnp_uri': '1531576320.0;tcp://127.0.0.1:34911'}


@pytest.mark.parametrize(
    ('environment', 'several'),
    [
        ({}, False),
        (SLURM | {'SLURM_NTASKS': '2', 'SLURM_STEP_NUM_TASKS': '2'}, True),
        (SLURM | {'SLURM_NTASKS': '1', 'SLURM_STEP_NUM_TASKS': '1'}, False),
        # One step of an allocation for four, and a batch script that is no step.
        (SLURM | {'SLURM_NTASKS': '4', 'SLURM_STEP_NUM_TASKS': '1'}, False),
        (SLURM | {'SLURM_NTASKS': '4'}, False),
        (OPEN_MPI | URI | {'OMPI_COMM_WORLD_SIZE': '2'}, True),
        (OPEN_MPI | URI | {'OMPI_COMM_WORLD_SIZE': '1'}, False),
        (OPEN_MPI | {'OMPI_COMM_WORLD_SIZE': '1'}, False),
        ({'TPU_WORKER_HOSTNAMES': 'a,b', 'TPU_WORKER_ID': '1'}, True),
        ({'TPU_WORKER_HOSTNAMES': 'localhost', 'TPU_WORKER_ID': '0'}, False),
        ({'TPU_WORKER_HOSTNAMES': 'a', 'MEGASCALE_NUM_SLICES': '2'}, True),
    ],
)
def test_what_started_several_processes(monkeypatch, environment, several):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert launch.was_launched_as_several() == several


def test_open_mpi_that_does_not_say_where_the_first_process_is(monkeypatch):
    monkeypatch.setenv('OMPI_COMM_WORLD_SIZE', '4')
    with pytest.raises(InputError, match='one of 4 processes of Open MPI'):
        launch.was_launched_as_several()


@pytest.mark.parametrize(
    ('words', 'code', 'message'),
    [
        (['--help'], 0, './launch.sh predict --workdir=DIR FILES'),
        (['--config=configs/demo.py'], 1, 'error: --workdir is missing'),
        (['predict', 'me.jpg'], 1, 'error: --workdir is missing'),
        (['reproduce'], 1, 'error: --suite is missing'),
    ],
)
def test_what_a_command_lacks_is_said_before_an_installation(tmp_path, words, code, message):
    script = shutil.copy(REPOSITORY / 'launch.sh', tmp_path)
    done = subprocess.run([script, *words], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert message in done.stdout + done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ['launch.sh']
