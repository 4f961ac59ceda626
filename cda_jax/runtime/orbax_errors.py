"""What Orbax and TensorStore raise and print, often at length, as one clear error."""

import contextlib
import logging
import os
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path

from cda_jax.errors import DamagedError, InputError

# Where an error is logged with its traceback, in each of several threads, before it is raised.
_RAISING_MODULES = ('future.py', 'async_checkpointer.py', 'checkpoint_manager.py', 'checkpoint.py')
_hooks = []


def quieten_orbax() -> None:
    """Leaves out what says nothing new, and what becomes of reads and writes given up.

    When one fails, Orbax closes the event loop of the others. Each of these then complains of that,
    or of not having been waited for, whenever it ends.
    """
    logging.getLogger('absl').addFilter(_is_news)
    logging.getLogger('asyncio').addFilter(_is_awaited)
    if sys.unraisablehook is not _unless_given_up:
        _hooks.append(sys.unraisablehook)
        sys.unraisablehook = _unless_given_up


@contextlib.contextmanager
def as_input_error(folder: Path) -> Iterator[None]:
    """What the disk refuses becomes an `InputError`.

    Args:
        folder: Of the checkpoints.

    Raises:
        InputError: Something cannot be written.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else _reason_of_system(str(error))
        if reason is None:
            raise
        raise InputError(
            f'{folder}: a checkpoint cannot be written: {reason}; those before it are whole'
        ) from error


def _reason_of_system(text: str) -> str | None:
    """What the system refused, in an error of TensorStore, which has no class for that."""
    number = re.search(r"os_error_code='(\d+)'", text)
    return os.strerror(int(number[1])) if number else None


def in_short(error: BaseException) -> str:
    """The first line of what an error comes from."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).strip().partition('\n')[0][:400]
    return text if isinstance(error, DamagedError | OSError) else f'{type(error).__name__}: {text}'


def _is_news(record: logging.LogRecord) -> bool:
    # Only checkpoints at the end of a validation have a score; Orbax would warn of every other.
    if 'did not provide metrics' in str(record.msg):
        return False
    return not (record.exc_info and record.filename in _RAISING_MODULES)


def _is_awaited(record: logging.LogRecord) -> bool:
    return 'exception was never retrieved' not in record.getMessage()


def _unless_given_up(unraisable) -> None:
    error, subject = unraisable.exc_value, unraisable.object
    is_late = isinstance(error, RuntimeError) and str(error) == 'Event loop is closed'
    is_unawaited = (
        isinstance(subject, types.CoroutineType) and 'orbax' in subject.cr_code.co_filename
    )
    if not (is_late or is_unawaited):
        _hooks[-1](unraisable)
