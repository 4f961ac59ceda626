"""Keeps Orbax from printing, often at length, what it raises as well."""

import logging
import sys
import types

# Where an error is logged with its traceback, in each of several threads, before it is raised.
_RAISING_MODULES = ('future.py', 'async_checkpointer.py', 'checkpoint_manager.py', 'checkpoint.py')


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


_hooks = []


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
