"""Trains or evaluates: `python -m cda_jax.main --config=FILE --workdir=DIR`."""

import re
import sys
from pathlib import Path

from absl import app, flags
from ml_collections import config_flags

from cda_jax.errors import DivergenceError, InputError
from cda_jax.runtime.program import keep_compilations, quieten
from cda_jax.runtime.signals import EXIT_CODE, Preempted, StopSignals

_CONFIG = config_flags.DEFINE_config_file(
    'config',
    help_string='Config file; change a field with --config.FIELD=VALUE.',
    lock_config=True,
)
_WORKDIR = flags.DEFINE_string('workdir', None, 'Directory of the run; made if needed.')
_MODE = flags.DEFINE_enum(
    'mode',
    'train',
    ['train', 'eval'],
    'train: go on to the end of training, then evaluate; eval: evaluate a checkpoint of the run.',
)
# Where several processes train together and JAX cannot find out by itself (docs/scaling.md).
_COORDINATOR = flags.DEFINE_string('coordinator', None, 'HOST:PORT of process 0, any free port.')
_NUM_PROCESSES = flags.DEFINE_integer('num_processes', None, 'How many processes there are.')
_PROCESS_ID = flags.DEFINE_integer('process_id', None, 'Which of them this is, from 0.')
_JOIN_TIMEOUT = flags.DEFINE_integer(
    'join_timeout', 300, 'Seconds to wait until all processes are there.', lower_bound=1
)
flags.mark_flags_as_required(['config', 'workdir'])


def main(argv: list[str], stop: StopSignals) -> None:
    """Does what the flags say."""
    if len(argv) > 1:
        raise InputError(f'unexpected argument {argv[1]!r}; expected flags only')
    quieten()
    keep_compilations()
    # Only now: it imports jax, and `--help` should not wait for it.
    from cda_jax.runtime import multihost

    place = multihost.Place(_COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value)
    # First of all, so that the others learn of any error.
    with multihost.joined(place, _JOIN_TIMEOUT.value):
        _train_or_evaluate(stop)


def _train_or_evaluate(stop: StopSignals) -> None:
    from cda_jax.config import read_config
    from cda_jax.evaluate import evaluate
    from cda_jax.train import train

    config = read_config(_read_config())
    workdir = Path(_WORKDIR.value).absolute()
    if _MODE.value == 'eval':
        evaluate(config, workdir)
        return
    try:
        train(config, workdir, stop)
    except Preempted as notice:
        print(notice, file=sys.stderr)
        sys.exit(EXIT_CODE)


def _parse_flags(argv):
    try:
        return app.parse_flags_with_usage(argv)
    except Exception as error:  # the config file is run here: anything may come out of it
        fields = re.findall(r'--config\.([\w.]+)', ' '.join(argv))
        named = re.search(r'\w+', str(error))
        if named and any(named[0] in field.split('.') for field in fields):
            sys.exit(f'error: the config has no field {named[0]!r}; its file shows all fields')
        sys.exit(f'error: --config: {type(error).__name__}: {error}')


def _read_config():
    try:
        config = _CONFIG.value
        list(config)  # an unreadable file shows only when its content is asked for
    except (OSError, ImportError, SyntaxError, AttributeError, TypeError) as error:
        raise InputError(
            f'--config: expected a Python file with get_config(): {type(error).__name__}: {error}'
        ) from error
    return config.to_dict()


def run() -> None:
    """Runs the program; what the user can mend becomes one line and exit code 1."""

    def guarded(argv):
        try:
            with StopSignals() as stop:
                main(argv, stop)
        except (InputError, DivergenceError) as error:
            sys.exit(f'error: {error}')

    app.run(guarded, flags_parser=_parse_flags)


if __name__ == '__main__':
    run()
