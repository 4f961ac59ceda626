"""Keeps Orbax from printing, often at length, what it raises as well."""

import logging
import sys
import types

# Where an error is logged with its traceback, in each of several threads, before it is raised.
_RAISING_MODULES = ('future.py', 'async_checkpointer.py', 'checkpoint_manager.py')


def quieten_logs() -> None:
    """Leaves out of the log what says nothing new."""
    logging.getLogger('absl').addFilter(_is_news)


def quieten_abandoned_reads() -> None:
    """Leaves out what becomes of reads that are still under way when another one has failed.

    Orbax closes their event loop; each then complains of that, or of not having been waited for,
    whenever it ends. Call it when a restore has failed.
    """
    if sys.excepthook is not _but_closed_loops:
        _hooks['excepthook'], sys.excepthook = sys.excepthook, _but_closed_loops
    if sys.unraisablehook is not _but_coroutines:
        _hooks['unraisablehook'], sys.unraisablehook = sys.unraisablehook, _but_coroutines
    logging.getLogger('asyncio').addFilter(_is_awaited)


_hooks = {}


def _is_news(record: logging.LogRecord) -> bool:
    # Only checkpoints at the end of a validation have a score; Orbax would warn of every other.
    if 'did not provide metrics' in str(record.msg):
        return False
    return not (record.exc_info and record.filename in _RAISING_MODULES)


def _is_awaited(record: logging.LogRecord) -> bool:
    return 'exception was never retrieved' not in record.getMessage()


def _but_closed_loops(kind, error, trace) -> None:
    # TensorStore's threads hand their results over through this hook's error.
    if not (kind is RuntimeError and str(error) == 'Event loop is closed'):
        _hooks['excepthook'](kind, error, trace)


def _but_coroutines(unraisable) -> None:
    subject = unraisable.object
    if not (isinstance(subject, types.CoroutineType) and 'orbax' in subject.cr_code.co_filename):
        _hooks['unraisablehook'](unraisable)
