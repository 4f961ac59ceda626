"""Files that are whole or not there, and JSON files whose every field is checked."""

import contextlib
import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from cda_jax.errors import InputError

T = TypeVar('T')


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Makes a file appear, or be replaced, only when all of it is written.

    The block writes to the path that it is given. That file gets the final name once the block
    ends, and is removed if there is an error; an `InputError` says if it cannot be written.
    """
    temporary = path.with_name(f'{path.name}.tmp')
    try:
        with writing(path):
            yield temporary
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)  # where the disk is full, this helps
        raise


@contextlib.contextmanager
def making(folder: Path, names: Collection[str]) -> Iterator[Path]:
    """Makes a folder appear only when all in it is written; until then it is `<folder>.partial`.

    Files and folders of these names that a stopped run left there are removed first; an
    `InputError` says if there are others.
    """
    partial = folder.with_name(f'{folder.name}.partial')
    with writing(partial):
        if partial.exists():
            if strange := {path.name for path in partial.iterdir()} - set(names):
                raise InputError(
                    f'{partial}: expected what a stopped run left, found {min(strange)}'
                )
            shutil.rmtree(partial)
        yield partial
        partial.replace(folder)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what the file system refuses into an `InputError` that names the file or directory."""
    try:
        yield
    except OSError as error:
        raise InputError(f'{path}: cannot be written: {error.strerror}') from error


@contextlib.contextmanager
def after(error: BaseException | None) -> Iterator[None]:
    """Adds an `InputError` of the block as a note to the error that came first, if there is one."""
    try:
        yield
    except InputError as failure:
        if error is None:
            raise
        error.add_note(str(failure))


def write_text(path: Path, text: str) -> None:
    """Writes a text file, whole or not at all; an `InputError` says if it cannot be written."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding='utf-8')


def write_json(path: Path, value: Any) -> None:
    """Writes structs, dictionaries and lists as `write_text` does; NaN becomes null."""
    with replacing(path) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(value)) + b'\n')


def read_json(path: Path, kind: type[T]) -> T:
    """Reads a JSON file as the type it must hold, such as a `msgspec.Struct` or `dict[str, int]`.

    An `InputError` names the file, and the field where it is not what was expected.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise InputError(f'{path}: {error.strerror}') from error
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        reason = ' '.join(str(error).split())[:200]  # may quote the file, however long its lines
        raise InputError(f'{path}: {reason}') from error
