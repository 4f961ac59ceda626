"""One frame for every command: its flags, its errors, its exit codes."""

import itertools
import os
import re
import sys
from collections.abc import Callable
from importlib import metadata
from typing import Any

from absl import app, flags, logging
from ml_collections import ConfigDict, config_flags

from cda_jax.errors import DivergenceError, InputError
from cda_jax.runtime.signals import EXIT_CODE, Preempted
from cda_jax.runtime.workdir import CONFIG


def progress_seconds() -> float:
    """How often a progress bar is drawn anew: in a log file, a line every few seconds is enough."""
    return 0.1 if sys.stderr.isatty() else 5


def run(command: Callable[..., None], *, passes_on: bool = False) -> None:
    """Runs a command once its flags are read; with `passes_on`, on the list of what follows `--`.

    What the user can mend becomes one line, `error: ...`, and exit code 1; so does a config that
    cannot be read. Ctrl-C ends with 1, too; a training that was asked to stop, and saved, with 75.
    """

    def guarded(argv: list[str]) -> None:
        _settle()
        try:
            if passes_on:
                command(argv[1:])
            elif len(argv) > 1:
                raise InputError(f'unexpected argument {argv[1]!r}; expected flags only')
            else:
                command()
        except (InputError, DivergenceError) as error:
            sys.exit(f'error: {error}')
        except Preempted as notice:
            print(notice, file=sys.stderr)
            sys.exit(EXIT_CODE)
        except KeyboardInterrupt:
            sys.exit('interrupted; the same command goes on from here')

    app.run(guarded, flags_parser=_parse_flags)


def config_flag() -> flags.FlagHolder:
    """Defines --config and the flags that change its fields; `config_fields` reads them."""
    holder = config_flags.DEFINE_config_file(
        'config',
        lock_config=False,  # who reads the fields refuses those that he does not know
        accept_new_attributes=True,
        help_string='Config file; change a field with --config.FIELD=VALUE.',
    )
    flags.mark_flag_as_required('config')
    return holder


def config_fields(holder: flags.FlagHolder) -> dict[str, Any]:
    """The fields of the config that the flag names; an `InputError` if its file cannot be used."""
    try:
        return holder.value.to_dict()  # here an unreadable file shows
    except (OSError, ImportError, SyntaxError, AttributeError, TypeError) as error:
        raise InputError(
            '--config: expected a Python file with get_config(), or the config.json of a run: '
            f'{type(error).__name__}: {" ".join(str(error).split())}'
        ) from error


def config_words(holder: flags.FlagHolder) -> tuple[str, ...]:
    """The words by which another program is given the same config."""
    flag = flags.FLAGS[holder.name]
    # As plain values: the text of a ConfigDict is none that the flag reads.
    changes = ConfigDict(config_flags.get_override_values(flag)).to_dict()
    return (
        f'--config={config_flags.get_config_filename(flag)}',
        *(f'--config.{name}={value}' for name, value in changes.items()),
    )


def _settle() -> None:
    """Sets what must be set before JAX is used, unless the user decided otherwise."""
    if not flags.FLAGS['verbosity'].present:
        logging.set_verbosity(logging.WARNING)  # libraries report a lot
    if 'JAX_COMPILATION_CACHE_DIR' not in os.environ:
        caches = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
        folder = os.environ['JAX_COMPILATION_CACHE_DIR'] = os.path.join(caches, 'cda_jax', 'xla')
        if 'jax' in sys.modules:  # which has read its environment
            sys.modules['jax'].config.update('jax_compilation_cache_dir', folder)
    # On a CPU, one of XLA's two libraries is the faster for convolutions, the other for sums and
    # products. Only versions that are known to know the flag are given it: XLA ends a program at
    # an unknown one.
    name = '--xla_cpu_experimental_ynn_fusion_type'
    xla_flags = os.environ.get('XLA_FLAGS', '')
    if name not in xla_flags and metadata.version('jaxlib') < '0.13':
        kinds = ','.join(f'LIBRARY_FUSION_TYPE_{kind}' for kind in ('REDUCE', 'INDIVIDUAL_DOT'))
        os.environ['XLA_FLAGS'] = f'{xla_flags} {name}={kinds}'.strip()


def _parse_flags(argv: list[str]) -> list[str]:
    if 'config' in flags.FLAGS:
        argv = _with_config(argv)
    try:
        return app.parse_flags_with_usage(argv)
    except Exception as error:  # the config file is run here: anything may come out of it
        reason = f'{type(error).__name__}: {" ".join(str(error).split())}'
        entries = re.findall(r'--?config\.\w+\.[\w.]+', ' '.join(argv))
        if entries and isinstance(error, KeyError | TypeError):
            expected = 'expected an entry of a field that is there (configs/cda.py shows all)'
            sys.exit(f'error: {", ".join(entries)}: {expected}: {reason}')
        sys.exit(f'error: --config: {reason}')


def _with_config(argv: list[str]) -> list[str]:
    """The words with the config of a run in a form that the flag can read.

    Without --config that is the run of --workdir, if there is one. Two configs are refused, and so
    are tuples that are given twice: the flag would add them up.
    """
    own = list(itertools.takewhile(lambda word: word != '--', argv))
    rest = argv[len(own) :]
    once = r'--?config(=|$)|--config\.[\w.]+=\('
    names = [word.partition('=')[0] for word in own if re.match(once, word)]
    if twice := [name for name in names if names.count(name) > 1]:
        form = ", as \"('a', 'b')\"" if '.' in twice[0] else ''
        sys.exit(f'error: {twice[0]} is given twice; expected it once{form}')
    if not any(re.match('--?config(=|$)', word) for word in own):
        workdir = re.search(r'(?:^|\n)--?workdir[=\n](.*)', '\n'.join(own))  # in one word or in two
        of_run = os.path.join(workdir[1] if workdir else '', CONFIG)
        own[1:1] = [f'--config={of_run}'] if os.path.isfile(of_run) else []
    as_python = os.path.join(os.path.dirname(__file__), 'config_of_run.py')
    own = [re.sub(r'^(--?config=)(.*\.json)$', rf'\1{as_python}:\2', word) for word in own]
    return own + rest
