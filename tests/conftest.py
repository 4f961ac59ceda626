"""Set up before JAX is imported: four virtual devices, one compilation cache for all tests."""

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags

REPOSITORY = Path(__file__).parent.parent

os.environ['JAX_PLATFORMS'] = 'cpu'
os.environ['JAX_COMPILATION_CACHE_DIR'] = str(REPOSITORY / '.pytest_cache' / 'xla')
os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0.5'
# Virtual devices share a pool of threads that is as large as the machine unless told otherwise.
os.environ['NPROC'] = '16'
_ONE_DEVICE = dict(os.environ)
# Half of the time would be spent on optimising programs that run for a second.
_FAST_COMPILE = '--xla_llvm_disable_expensive_passes=true --xla_backend_optimization_level'
# Here not at the cost of digits: losses are held against their equations.
os.environ['XLA_FLAGS'] = f'{_FAST_COMPILE}=1 --xla_force_host_platform_device_count=4'

# Grain starts workers only in a program whose flags are parsed.
flags.FLAGS.mark_as_parsed()

# From here on JAX takes a port by the number of the SLURM job, modulo 2**12.
_FIRST_SLURM_PORT = 65535 - 2**12 + 1

# A two-block network on small pictures: what a whole run needs, in seconds.
SMALL_RUN = {
    'image_size': 32,
    'resnet_depth': 6,
    'resnet_width': 8,
    'feature_size': 32,
    'classifier_widths': (16,),
    'label_extractor_widths': (16,),
    'compute_dtype': 'float32',
    'batch_size': 32,
    'num_epochs': 2,
    'warmup_epochs': 0.5,
    'num_workers': 1,
    'log_every_steps': 5,
    'checkpoint_every_steps': 10,
}


@pytest.fixture(scope='session')
def standin(tmp_path_factory) -> Path:
    """Three small dataset folders in their own layouts."""
    from cda_jax.data.standin import make_standin

    out = tmp_path_factory.mktemp('standin') / 'raw'
    make_standin(out, seed=7, train_faces=(160, 200, 240), test_faces=70, num_processes=2)
    return out


@pytest.fixture(scope='session')
def data_dir(standin, tmp_path_factory) -> Path:
    """The same three, prepared at 32 pixels."""
    from cda_jax.data.standin.prepared import prepare_standin

    out = tmp_path_factory.mktemp('prepared')
    prepare_standin(standin, out, face_size=32, test_faces=70, num_processes=1)
    return out


def free_slurm_job_id() -> int:
    """A job number whose port is free."""
    for job_id in range(os.getpid() % 2**12, 2**13):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(('', _FIRST_SLURM_PORT + job_id % 2**12))
            return job_id
    raise RuntimeError('no free port in the range that JAX uses under SLURM')


def start_program(
    *arguments, devices: int = 1, environment=None, new_session=False
) -> subprocess.Popen:
    """Starts Python with arguments, in an environment with so many virtual devices."""
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env=_ONE_DEVICE
        | {
            'XLA_FLAGS': f'{_FAST_COMPILE}=0 --xla_force_host_platform_device_count={devices}',
            'PYTHONPATH': str(REPOSITORY),
        }
        | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=new_session,
    )


def small_run_flags(data_dir, config: str = 'cda', **fields) -> list[str]:
    """Flags for the program on the small data."""
    fields = SMALL_RUN | {'data_dir': str(data_dir)} | fields
    overrides = [f'--config.{name}={value}' for name, value in fields.items()]
    return [f'--config={REPOSITORY / "configs" / config}.py', *overrides]


@pytest.fixture(scope='session')
def start_main(data_dir):
    """Starts the program on the small data."""

    def start(workdir, *flags, devices=1, environment=None, new_session=False, **fields):
        fields = {'data_dir': data_dir} | fields
        return start_program(
            *['-m', 'cda_jax.main', *small_run_flags(**fields), f'--workdir={workdir}', *flags],
            devices=devices,
            environment=environment,
            new_session=new_session,
        )

    return start


@pytest.fixture(scope='session')
def run_main(start_main):
    """Runs the program on the small data to its end: exit code, output and error output."""

    def run(*arguments, **options) -> tuple[int, str, str]:
        process = start_main(*arguments, **options)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    return run


@pytest.fixture(scope='session')
def finished(run_main, tmp_path_factory) -> tuple[Path, str, str]:
    """A finished run, not to be changed: its workdir, output and error output."""
    workdir = tmp_path_factory.mktemp('runs') / 'cda'
    code, out, err = run_main(workdir)
    assert code == 0, err
    return workdir, out, err
