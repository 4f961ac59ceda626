"""What one of several processes does when another fails: it says so and ends, instead of waiting.

JAX alone lets the others wait in their next sum over the devices, and after a while kills them with
a stack trace that does not name a cause. Here each process tells the others by a key of its own in
JAX's coordination service, in process 0, that it is alive; process 0 looks for those that fell
silent. A notice under the key of a process ends it.
"""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator

import jax
from jax._src import distributed  # private, but there is no other way to the coordination service

from cda_jax.errors import DivergenceError, InputError

_BEAT_SECONDS = 2
_SILENCE_SECONDS = 20
# Of a process that has something to say itself, before another speaks for it.
_GRACE_SECONDS = 1
# Process 0 is the post office: it stays until the others have read.
_FAREWELL_SECONDS = 3
_DONE = 'done'
_LOST_FIRST = 'process 0 cannot be reached any more: it died, hangs or lost its network'


class Watch:
    """Tells the other processes that this one is alive, and learns when one of them is not.

    Args:
        process: Number of this process.
        num_processes: How many there are.
    """

    def __init__(self, process: int, num_processes: int):
        self._process = process
        self._others = [other for other in range(num_processes) if other != process]
        self._client = distributed.global_state.client
        self._beats = {other: ('', time.monotonic()) for other in self._others}
        self._ending = threading.Event()
        self._last_words = threading.Lock()
        self._thread = threading.Thread(target=self._run, name='watch', daemon=True)
        self._abort_handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(self._on_abort)

    def start(self) -> None:
        """Starts to watch."""
        if self._process:
            ctypes.CDLL(None).signal(signal.SIGABRT, self._abort_handler)
        self._thread.start()

    def stop(self) -> None:
        """Ends in peace: from now on the silence of this process is no fault."""
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        self._ending.set()
        self._set('notice', self._process, _DONE)
        self._thread.join()
        self._set('beat', self._process, _DONE)

    def fail(self, error: BaseException) -> None:
        """Says what went wrong, stops the other processes and ends this one with exit code 1."""
        if _may_be_lost_contact(error):
            # Whom contact was lost with is known only once it has been silent for long enough.
            self._thread.join(_SILENCE_SECONDS + 3 * _BEAT_SECONDS)
        self._ending.set()
        if isinstance(error, InputError | DivergenceError):
            text = str(error)
            shown = f'error: {text}'
        else:
            text = f'{type(error).__name__}: {error}'
            shown = ''.join(traceback.format_exception(error)).rstrip()
        with self._last_words:
            _say(shown)
            self._end_all(f'process {self._process} stopped: {text}')

    def _run(self):
        count = 0
        try:
            while (notice := self._wait()) is None:
                count += 1
                self._set('beat', self._process, str(count))
                silent = self._find_silent() if self._process == 0 else []
                if silent:
                    names = ', '.join(map(str, silent))
                    self._end(
                        f'nothing heard of process {names} for {_SILENCE_SECONDS} s: it died, '
                        'hangs or lost its network; see what it wrote itself',
                        tell=True,
                    )
        except jax.errors.JaxRuntimeError:
            self._end(_LOST_FIRST)
        if notice != _DONE and not self._ending.wait(_GRACE_SECONDS):
            self._end(notice)

    def _wait(self) -> str | None:
        """The notice for this process, or None where none comes for the length of a beat."""
        try:
            return self._client.blocking_key_value_get(
                _key('notice', self._process), _BEAT_SECONDS * 1000
            )
        except jax.errors.JaxRuntimeError as error:
            if 'DEADLINE_EXCEEDED' not in str(error):
                raise
            return None

    def _find_silent(self) -> list[int]:
        now = time.monotonic()
        found = dict(self._client.key_value_dir_get('cda_jax/beat'))
        for other, (beat, _) in self._beats.items():
            current = found.get(_key('beat', other), '')
            if current not in (beat, '') or current == _DONE:
                self._beats[other] = (current, now)
        return [
            other for other, (_, heard) in self._beats.items() if now - heard > _SILENCE_SECONDS
        ]

    def _end(self, text, *, tell=False):
        with self._last_words:
            _say(f'error: {text}')
            if tell:
                self._end_all(text)
            os._exit(1)

    def _on_abort(self, signal_number):
        """Has the last word when JAX's own thread aborts, as it does without process 0.

        Python's handlers run too late for that: the process is dead when they are due.
        """
        del signal_number
        if self._last_words.acquire(timeout=_FAREWELL_SECONDS):
            _say(
                'error: contact with process 0 is lost, or with another one that it waited for; '
                'what JAX says of it stands above'
            )
        os._exit(1)

    def _end_all(self, text):
        with contextlib.suppress(jax.errors.JaxRuntimeError):  # process 0 may be gone already
            for other in self._others:
                self._set('notice', other, text)
            if self._process == 0:
                time.sleep(_FAREWELL_SECONDS)
        os._exit(1)

    def _set(self, kind, process, text):
        self._client.key_value_set(_key(kind, process), text, allow_overwrite=True)


@contextlib.contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Watches over a block; an error that leaves it ends all processes.

    `SystemExit` is no error: all processes leave together, with the same exit code.
    """
    watch.start()
    try:
        yield
    except SystemExit:
        watch.stop()
        raise
    except BaseException as error:
        watch.fail(error)
    else:
        watch.stop()


def _key(kind, process):
    return f'cda_jax/{kind}/{process}'


def _may_be_lost_contact(error):
    return isinstance(error, jax.errors.JaxRuntimeError) or 'Gloo' in str(error)


def _say(text):
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)
