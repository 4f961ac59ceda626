"""Set up before JAX is imported: four virtual devices, one compilation cache for all tests."""

import contextlib
import fcntl
import gc
import json
import os
from pathlib import Path

import pytest
from absl import flags
from helpers.programs import FAST_COMPILE, REPOSITORY, outputs, small_run_flags, start_program

os.environ['JAX_PLATFORMS'] = 'cpu'
os.environ['JAX_COMPILATION_CACHE_DIR'] = str(REPOSITORY / '.pytest_cache' / 'xla')
os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0'
# What another process is writing there just now cannot be read, and is compiled.
os.environ['PYTHONWARNINGS'] = 'ignore:Error reading persistent compilation cache'
# Lowering takes a tenth of a small run's time to write down which line asked for what.
os.environ['JAX_TRACEBACK_IN_LOCATIONS_LIMIT'] = '0'
# UMAP would compile for longer than it runs on a few points.
os.environ['NUMBA_DISABLE_JIT'] = '1'
# Virtual devices share a pool of threads that is as large as the machine unless told otherwise.
os.environ['NPROC'] = '16'
os.environ['XLA_FLAGS'] = f'{FAST_COMPILE} --xla_force_host_platform_device_count=4'


# The longest first, so that no worker ends long after the others: whole programs, then what
# compiles networks, at the top of tests/.
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: (item.get_closest_marker('slow') is None, len(item.path.parents)))


# Tracing makes many objects of which few are garbage.
gc.set_threshold(50_000, 20, 20)
# Grain starts workers only in a program whose flags are parsed.
flags.FLAGS.mark_as_parsed()


@pytest.fixture(scope='session')
def shared(tmp_path_factory, worker_id):
    """The folder of all workers of pytest, for one at a time; what is whole there is kept."""
    root = tmp_path_factory.getbasetemp()
    root = root if worker_id == 'master' else root.parent

    @contextlib.contextmanager
    def shared():
        with (root / 'lock').open('w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield root

    return shared


@pytest.fixture(scope='session')
def standin(shared) -> Path:
    """Three small dataset folders in their own layouts."""
    from cda_jax.standin.build import make_standin

    sizes = {'train_faces': (160, 200, 240), 'test_faces': 70}
    with shared() as root:
        make_standin(root / 'standin', seed=7, num_processes=1, **sizes)
    return root / 'standin'


@pytest.fixture(scope='session')
def data_dir(standin, shared) -> Path:
    """The same three, prepared at 32 pixels."""
    from cda_jax.standin.build import prepare_standin

    with shared() as root:
        prepare_standin(standin, root / 'prepared', face_size=32, num_processes=1)
    return root / 'prepared'


@pytest.fixture(scope='session')
def start_main(data_dir):
    """Starts the program on the small data."""

    def start(workdir, *flags, devices=1, environment=None, new_session=False, **fields):
        words = *small_run_flags(**{'data_dir': data_dir} | fields), f'--workdir={workdir}', *flags
        options = {'environment': environment, 'new_session': new_session}
        return start_program('-m', 'cda_jax.main', *words, devices=devices, **options)

    return start


@pytest.fixture(scope='session')
def run_main(start_main):
    """Runs the program on the small data to its end: output and error output."""
    return lambda *arguments, code=0, **options: outputs(start_main(*arguments, **options), code)


@pytest.fixture(scope='session')
def finished(run_main, shared) -> tuple[Path, str, str]:
    """A finished run, not to be changed: its workdir, output and error output."""
    with shared() as root:
        said = root / 'finished.json'
        if not said.exists():
            said.write_text(json.dumps(run_main(root / 'finished')))
        return root / 'finished', *json.loads(said.read_text())
