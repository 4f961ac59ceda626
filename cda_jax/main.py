"""Trains or evaluates: `python -m cda_jax.main --config=FILE --workdir=DIR`."""

import os
from pathlib import Path

from absl import flags

from cda_jax.runtime import program
from cda_jax.runtime.signals import StopSignals

_CONFIG = program.config_flag()
_WORKDIR = flags.DEFINE_string(
    'workdir', None, 'Directory of the run; made if needed.', required=True
)
_MODE = flags.DEFINE_enum(
    'mode',
    'train',
    ['train', 'eval'],
    'train: go on to the end of training, then evaluate; eval: evaluate a checkpoint of the run.',
)
_SPLIT = flags.DEFINE_enum(
    'split',
    'test',
    ['test', 'validation'],
    'What --mode=eval evaluates on: the test sets, or what validation_fraction holds out.',
)
# Where several processes train together and JAX cannot find out by itself (docs/scaling.md).
_COORDINATOR = flags.DEFINE_string('coordinator', None, 'HOST:PORT of process 0, any free port.')
_NUM_PROCESSES = flags.DEFINE_integer('num_processes', None, 'How many processes there are.')
_PROCESS_ID = flags.DEFINE_integer('process_id', None, 'Which of them this is, from 0.')
_JOIN_TIMEOUT = flags.DEFINE_integer(
    'join_timeout', 300, 'Seconds to wait until all processes are there.', lower_bound=1
)


def main() -> None:
    """Does what the flags say."""
    # A hostile record must not ask for gigabytes; no prepared picture has more pixels.
    os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', str(4096**2))
    with StopSignals() as stop:
        # Only now: it imports jax, and `--help` should not wait for it.
        from cda_jax.runtime.launch import Place, joined

        place = Place(_COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value)
        # First of all, so that the others learn of any error.
        with joined(place, _JOIN_TIMEOUT.value):
            from cda_jax.config import read_config
            from cda_jax.evaluate import evaluate
            from cda_jax.runtime.multihost import together
            from cda_jax.train import train

            with together():
                config = read_config(program.config_fields(_CONFIG))
            workdir = Path(_WORKDIR.value).absolute()
            if _MODE.value == 'eval':
                evaluate(config, workdir, _SPLIT.value)
            else:
                train(config, workdir, stop)


if __name__ == '__main__':
    program.run(main)
