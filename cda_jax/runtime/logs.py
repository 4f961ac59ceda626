"""Where figures of a run go: console, JSON lines and TensorBoard."""

import contextlib
import json
import math
import socket
import struct
import time
from collections.abc import Iterable
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.record_writer import masked_crc32c
from tensorboardX.summary import scalar

from cda_jax.errors import InputError
from cda_jax.runtime.workdir import write_whole, writing

METRICS_FILE = 'metrics.jsonl'

# What tells of the machine and not of the run: it may differ where all else is the same.
TIMING = frozenset({'images_per_second', 'seconds_left'})

# Shown on the console, with a short name each; the files hold everything.
_CONSOLE = {
    'loss_emotion': 'L_e',
    'loss_label': 'L_2',
    'loss_dataset': 'L_d',
    'accuracy_emotion': 'acc e',
    'accuracy_dataset': 'acc d',
    'lambda_1': 'lambda',
    'learning_rate': 'lr',
}


class Logs:
    """The log files of one working directory. Only process 0 of several writes.

    Args:
        workdir: Where the files are.
        first_step: Steps already done. Lines of later steps, written after the checkpoint that the
            run goes on from, are removed: the run writes them again.
        active: Whether to write at all.

    Raises:
        InputError: They cannot be written, from here or from any method.
    """

    def __init__(self, workdir: Path, *, first_step: int, active: bool):
        self._active = active
        if not active:
            return
        self._path = workdir / METRICS_FILE
        with writing(self._path):
            _cut(self._path, first_step)
            self._file = self._path.open('a', encoding='utf-8')
        self._board = _Board(workdir, first_step)

    def write(self, kind: str, step: int, figures: dict[str, float]) -> None:
        """Writes figures to both files.

        Args:
            kind: 'train' or 'validation'; in TensorBoard the group.
            step: Steps done.
            figures: By name.
        """
        if not self._active:
            return
        # JSON has no NaN; null says the same.
        line = {'kind': kind, 'step': step} | {
            name: value if math.isfinite(value) else None for name, value in figures.items()
        }
        with writing(self._path):
            self._file.write(json.dumps(line, allow_nan=False) + '\n')
            self._file.flush()
        self._board.write(kind, step, figures)

    def say(self, text: str) -> None:
        """Prints a line to the console."""
        if self._active:
            print(text, flush=True)

    def __enter__(self) -> 'Logs':
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not self._active:
            return
        try:
            with contextlib.closing(self._board), writing(self._path):
                self._file.close()
        except InputError as failure:
            if error is None:
                raise
            error.add_note(str(failure))  # what ended the run is told first


class _Board:
    """The events file for TensorBoard.

    Written here and not in tensorboardX's thread: that dies of a full disk, and its queue then
    blocks the run for ever.
    """

    def __init__(self, workdir: Path, first_step: int):
        name = f'events.out.tfevents.{int(time.time())}.{socket.gethostname()}'
        self._path = workdir / name
        start = Event(step=first_step + 1, session_log=SessionLog(status=SessionLog.START))
        with writing(self._path):
            self._file = self._path.open('wb')
        # The second makes TensorBoard forget what a stopped run wrote from this step on.
        self._add([Event(file_version='brain.Event:2'), start])

    def write(self, kind: str, step: int, figures: dict[str, float]) -> None:
        self._add(
            Event(step=step, summary=scalar(f'{kind}/{name}', value))
            for name, value in figures.items()
        )

    def close(self) -> None:
        with writing(self._path):
            self._file.close()

    def _add(self, events: Iterable[Event]) -> None:
        with writing(self._path):
            for event in events:
                event.wall_time = time.time()
                content = event.SerializeToString()
                length = struct.pack('<Q', len(content))
                for part in (length, content):
                    self._file.write(part + struct.pack('<I', masked_crc32c(part)))
            self._file.flush()


class Clock:
    """Measures the pace of training since it was made.

    Args:
        step: Steps done by then.
        total_steps: Steps of the whole training.
        batch_size: Images a step.
    """

    def __init__(self, step: int, total_steps: int, batch_size: int):
        self._total_steps = total_steps
        self._batch_size = batch_size
        self._first = self._last = (step, time.monotonic())

    def lap(self, step: int) -> dict[str, float]:
        """Images per second since the last lap, and seconds left at the pace since the start.

        Both are missing where no step was done since the last lap.
        """
        now = (step, time.monotonic())
        steps, seconds = now[0] - self._last[0], now[1] - self._last[1]
        all_steps, all_seconds = now[0] - self._first[0], now[1] - self._first[1]
        self._last = now
        if not steps:
            return {}
        return {
            'images_per_second': steps * self._batch_size / max(seconds, 1e-9),
            'seconds_left': (self._total_steps - step) * all_seconds / all_steps,
        }


def console_line(step: int, total_steps: int, figures: dict[str, float]) -> str:
    """One line on the state of training.

    Args:
        step: Steps done.
        total_steps: Steps of the whole training.
        figures: Metrics of the step, `epoch`, and those of `Clock.lap`.
    """
    shown = '  '.join(
        f'{short} {figures[name]:.3g}' for name, short in _CONSOLE.items() if name in figures
    )
    pace = ''
    if 'images_per_second' in figures:
        left = duration(figures['seconds_left'])
        pace = f'  {figures["images_per_second"]:,.0f} images/s  {left} left'
    width = len(str(total_steps))
    return f'step {step:>{width}}/{total_steps}  epoch {figures["epoch"]:5.1f}  {shown}{pace}'


def duration(seconds: float) -> str:
    """Seconds as a person writes them: '1:02:03' or '2:03'."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02}:{seconds:02}' if hours else f'{minutes}:{seconds:02}'


def _cut(path: Path, last_step: int) -> None:
    """Keeps the lines up to a step; a line that a crash broke off, or damaged, is the end too."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text(encoding='utf-8', errors='replace').splitlines(keepends=True):
        if not line.endswith('\n') or _step_of(line) > last_step:
            break
        kept.append(line)
    write_whole(path, ''.join(kept))


def _step_of(line: str) -> float:
    try:
        return json.loads(line)['step']
    except (ValueError, KeyError, TypeError):
        return math.inf
