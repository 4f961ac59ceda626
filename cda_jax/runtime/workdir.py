"""The working directory: whose it is, and files in it that are whole or not there."""

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from cda_jax.config import CHANGEABLE, NETWORK, Config, as_fields, differences
from cda_jax.errors import InputError

_CONFIG = 'config.json'
_LOCK = 'lock'


def check_owner(workdir: Path, config: Config) -> None:
    """Checks that the directory is new, or of a run with this config.

    Raises:
        InputError: It belongs to a run of another config.
    """
    if (workdir / _CONFIG).exists():
        _refuse(workdir, differences(read_fields(workdir), as_fields(config), ignore=CHANGEABLE))


def claim(workdir: Path, config: Config) -> None:
    """Makes the directory, if it is new, and this config its own.

    Raises:
        InputError: It cannot be written.
    """
    if (workdir / _CONFIG).exists():
        if not os.access(workdir, os.W_OK):
            raise InputError(f'workdir {workdir} cannot be written: no permission')
        return
    with writing(workdir):
        workdir.mkdir(parents=True, exist_ok=True)
        write_whole(workdir / _CONFIG, json.dumps(as_fields(config), indent=2) + '\n')


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


def check_network(workdir: Path, config: Config) -> None:
    """Checks that the checkpoints of a directory are of this config's network.

    Raises:
        InputError: They are not, or there was no run.
    """
    old, new = read_fields(workdir), as_fields(config)
    _refuse(workdir, differences(old, new, ignore=frozenset(old.keys() | new.keys()) - NETWORK))


def write_whole(path: Path, text: str) -> None:
    """Writes a file that is never seen half written."""
    temporary = path.with_name(path.name + '.tmp')
    try:
        temporary.write_text(text, encoding='utf-8')
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)  # where the disk is full, this helps
        raise


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what the file system refuses into an error that names what was to be written.

    Args:
        path: A file or directory.

    Raises:
        InputError: It cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise InputError(f'{path}: cannot be written: {error.strerror}') from error


def read_fields(workdir: Path) -> dict:
    """The config of the run in this directory, as `as_fields` gives it.

    Raises:
        InputError: There is none, or it is damaged.
    """
    try:
        return json.loads((workdir / _CONFIG).read_text(encoding='utf-8'))
    except FileNotFoundError as error:
        raise InputError(
            f'{workdir / _CONFIG}: no such file; expected the workdir of a run'
        ) from error
    except ValueError as error:
        raise InputError(f'{workdir / _CONFIG}: expected the config of a run: {error}') from error


def _refuse(workdir, found):
    if found:
        raise InputError(
            f'workdir {workdir} belongs to a run of another config; expected the same, or a new '
            'workdir:\n  ' + '\n  '.join(found)
        )
