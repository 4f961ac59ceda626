"""The working directory of a run: what lies in it, and which run it belongs to."""

import contextlib
import fcntl
import os
import socket
from collections.abc import Collection, Iterator
from pathlib import Path

from cda_jax.errors import InputError
from cda_jax.runtime.files import read_json, write_json, writing

# Everything in it, by name; TensorBoard's files, which it finds itself, lie beside these.
CONFIG = 'config.json'
METRICS = 'metrics.jsonl'
CHECKPOINTS = 'checkpoints'
RESULTS = 'results'  # .json and .csv
FEATURES = 'features.npz'
BIAS = 'bias.json'
REPORT = 'report.html'
TABLES = 'tables'
_LOCK = 'lock'


def read_fields(workdir: Path) -> dict:
    """The config fields of the run in this directory; an `InputError` if there was none."""
    path = workdir / CONFIG
    if not path.exists():
        raise InputError(f'{path}: no such file; expected the workdir of a run')
    return read_json(path, dict)


def check_owner(workdir: Path, fields: dict, *, changeable: Collection[str]) -> None:
    """Checks that the directory is new, or that its run has these config fields, read from JSON.

    Those named `changeable` may differ; an `InputError` names all others that do.
    """
    if (workdir / CONFIG).exists():
        every = read_fields(workdir).keys() | fields.keys()
        check_network(workdir, fields, network=every - set(changeable))


def check_network(workdir: Path, fields: dict, *, network: Collection[str]) -> None:
    """Checks as `check_owner`, but that there was a run, and only the fields of these names."""
    own = read_fields(workdir)
    found = [
        f'{name}: {own.get(name)!r} there, {fields.get(name)!r} here'
        for name in sorted(network)
        if own.get(name) != fields.get(name)
    ]
    if found:
        raise InputError(
            f'workdir {workdir} belongs to a run of another config; expected the same, or a new '
            'workdir:\n  ' + '\n  '.join(found)
        )


def claim(workdir: Path, fields: dict, *, changeable: Collection[str]) -> None:
    """Makes the directory, which is `occupied`, that of a run with these config fields.

    It may belong to that run already. An `InputError` as of `check_owner` says if it is another's,
    which may have begun and ended there since it was last checked.
    """
    check_owner(workdir, fields, changeable=changeable)
    if not (workdir / CONFIG).exists():
        write_json(workdir / CONFIG, fields)
    elif not os.access(workdir, os.W_OK):
        raise InputError(f'workdir {workdir} cannot be written: no permission')


@contextlib.contextmanager
def occupied(workdir: Path) -> Iterator[None]:
    """Makes the directory and keeps other trainings out; an `InputError` if there is one already.

    The lock ends with its process, however that ends.
    """
    with writing(workdir):
        workdir.mkdir(parents=True, exist_ok=True)
        lock = (workdir / _LOCK).open('a+', encoding='utf-8')
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise InputError(
                f'workdir {workdir} is in use by {file.read()}; expected one training at a time'
            ) from error
        file.truncate(0)
        file.write(f'process {os.getpid()} on {socket.gethostname()}')
        file.flush()
        yield
