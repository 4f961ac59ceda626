"""A line that says how far a long piece of work has come."""

import sys
import time
from typing import TextIO

_SECONDS_BETWEEN_LINES = 5.0


class Progress:
    """Shows done and total, rate and time left.

    On a terminal one line is rewritten; elsewhere, such as in a log file, a new line follows every
    few seconds.
    """

    def __init__(self, what: str, total: int, stream: TextIO | None = None):
        """Starts the clock.

        Args:
            what: What is counted, in the plural.
            total: How many there are to do.
            stream: Where to write; standard error by default.
        """
        self._what, self._total = what, total
        self._stream = sys.stderr if stream is None else stream
        self._done = 0
        self._start = self._last_line = time.monotonic()

    def update(self, count: int) -> None:
        """Adds to what is done, and shows it if it is time to.

        Args:
            count: How many were done since the last call.
        """
        self._done += count
        now = time.monotonic()
        rate = self._done / max(now - self._start, 1e-9)
        left = (self._total - self._done) / max(rate, 1e-9)
        text = (
            f'{self._done:,} of {self._total:,} {self._what}, '
            f'{rate:,.0f} a second, {_duration(left)} left'
        )
        is_last = self._done == self._total
        if self._stream.isatty():
            self._stream.write(f'\r\033[K{text}' + ('\n' if is_last else ''))
        elif is_last or now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._stream.write(f'{text}\n')
            self._last_line = now
        self._stream.flush()


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02}:{seconds:02}' if hours else f'{minutes}:{seconds:02}'
