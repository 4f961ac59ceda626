"""Says so when no batch comes, and what the processes that read are doing."""

import contextlib
import faulthandler
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar('T')

_PATIENCE_SECONDS = 60.0
# Ignored by a process that has not asked for it.
_SHOW_STACK = signal.SIGURG


def report_when_asked() -> None:
    """Makes this process print its stack to standard error when `watched` asks for it."""
    faulthandler.register(_SHOW_STACK, all_threads=True)


def watched(stream: Iterator[T], patience: float = _PATIENCE_SECONDS) -> Iterator[T]:
    """The same stream; a wait for its next item is reported while it lasts.

    A stalled file system comes back at times, so nothing is stopped.

    Args:
        stream: Read by child processes, which have called `report_when_asked`, or by this one.
        patience: Seconds without an item until each report.
    """
    watch = _Watch(patience)
    try:
        while True:
            with watch.waiting():
                item = next(stream, watch)
            if item is watch:
                return
            yield item
    finally:
        watch.stop()


class _Watch:
    def __init__(self, patience: float):
        self._patience = patience
        self._since = None
        self._stopped = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    @contextlib.contextmanager
    def waiting(self):
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None

    def stop(self):
        self._stopped.set()

    def _run(self):
        reported, reports = None, 0
        while not self._stopped.wait(self._patience / 10):
            since = self._since
            if since is None:
                continue
            reports = reports if since == reported else 0
            seconds = time.monotonic() - since
            if seconds >= (reports + 1) * self._patience:
                reported, reports = since, reports + 1
                _report(seconds)


def _report(seconds):
    text = f'warning: no batch of data for {seconds:.0f} s; still waiting. Those who read are at:'
    print(text, file=sys.stderr, flush=True)
    workers = multiprocessing.active_children()
    for worker in workers:
        os.kill(worker.pid, _SHOW_STACK)
    if not workers:
        faulthandler.dump_traceback(all_threads=True)
