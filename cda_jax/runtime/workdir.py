"""The working directory of a run: what lies in it, and whose it is."""

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
    """The config fields of the run in this directory.

    Raises:
        InputError: There are none, or they are damaged.
    """
    path = workdir / CONFIG
    if not path.exists():
        raise InputError(f'{path}: no such file; expected the workdir of a run')
    return read_json(path, dict)


def check_owner(workdir: Path, fields: dict, *, changeable: Collection[str]) -> None:
    """Checks that the directory is new, or of a run with these config fields.

    Args:
        workdir: The directory.
        fields: Of this run, as JSON gives them back.
        changeable: Names of fields that may be others than when the directory was made.

    Raises:
        InputError: It belongs to another run; names the fields that differ.
    """
    if (workdir / CONFIG).exists():
        old = read_fields(workdir)
        _refuse(workdir, differences(old, fields, (old.keys() | fields.keys()) - set(changeable)))


def check_network(workdir: Path, fields: dict, *, network: Collection[str]) -> None:
    """Checks that the checkpoints of a directory are of this network.

    Args:
        workdir: Of a run.
        fields: Of the config that asks.
        network: Names of the fields that say which network it is.

    Raises:
        InputError: They are of another, or there was no run.
    """
    _refuse(workdir, differences(read_fields(workdir), fields, network))


def differences(old: dict, new: dict, names: Collection[str]) -> list[str]:
    """Describes which of the named fields differ, one text each."""
    return [
        f'{name}: {old.get(name)!r} there, {new.get(name)!r} here'
        for name in sorted(names)
        if old.get(name) != new.get(name)
    ]


def claim(workdir: Path, fields: dict) -> None:
    """Makes the directory, if it is new, and these config fields its own.

    Raises:
        InputError: It cannot be written.
    """
    if (workdir / CONFIG).exists():
        if not os.access(workdir, os.W_OK):
            raise InputError(f'workdir {workdir} cannot be written: no permission')
        return
    with writing(workdir):
        workdir.mkdir(parents=True, exist_ok=True)
    write_json(workdir / CONFIG, fields)


@contextlib.contextmanager
def occupied(workdir: Path) -> Iterator[None]:
    """Keeps other trainings out of the directory while the block lasts.

    The lock goes with its process, however that ends.

    Raises:
        InputError: Another process trains in it.
    """
    with (workdir / _LOCK).open('a+', encoding='utf-8') as file:
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


def _refuse(workdir: Path, found: list[str]) -> None:
    if found:
        raise InputError(
            f'workdir {workdir} belongs to a run of another config; expected the same, or a new '
            'workdir:\n  ' + '\n  '.join(found)
        )
