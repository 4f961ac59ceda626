"""Signals that ask a run to stop: it saves, and ends with an exit code of its own."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator

EXIT_CODE = 75  # EX_TEMPFAIL of sysexits.h: to be started again

_SIGNALS = signal.SIGTERM, signal.SIGINT


class Preempted(Exception):  # noqa: N818 (nothing went wrong)
    """The run stopped because it was asked to; the message says where it will go on."""


class StopSignals:
    """Handles SIGTERM and SIGINT from when it is entered until it is left.

    Within `deferred()` the first of them only sets `requested`, so that the run can save. The
    second, and any outside of it, end the process at once: its files are whole at every instant.
    """

    def __init__(self):
        self.requested = False
        self._deferring = False

    def __enter__(self) -> 'StopSignals':
        # Python's own handlers wait for the main thread, which may be compiling for minutes. The
        # number of a signal is written to this socket at once.
        receiver, self._sender = socket.socketpair()
        self._sender.setblocking(False)
        signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
        threading.Thread(target=self._listen, args=(receiver,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        self._sender.close()

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Makes the first signal in the block a request, which the run finds in `requested`."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False

    def _listen(self, receiver: socket.socket) -> None:
        with receiver:
            while data := receiver.recv(1):
                if data[0] in _SIGNALS:
                    self._take(signal.Signals(data[0]))

    def _take(self, number: signal.Signals) -> None:
        is_deferred = self._deferring  # may change before the process ends
        if is_deferred and not self.requested:
            self.requested = True
            _say(f'{number.name}: saving and stopping; once more stops at once')
            return
        _say(f'{number.name}: stopped; the same command goes on from the last checkpoint')
        # A run that was asked to stop before may not have saved yet.
        os._exit(128 + number if is_deferred else EXIT_CODE)


def _say(text: str) -> None:
    # Not through Python's streams, which the main thread may hold at this moment.
    os.write(2, f'{text}\n'.encode())
