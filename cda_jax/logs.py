"""Where figures of a run go: console, JSON lines and TensorBoard."""

import json
import math
import time
from pathlib import Path

from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import scalar

from cda_jax.workdir import write_whole, writing

_FLUSH_SECONDS = 30

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

    def __exit__(self, *error: object) -> None:
        if self._active:
            with writing(self._path):
                self._file.close()
            self._board.close()


class _Board:
    """The events file for TensorBoard.

    Written here and not in tensorboardX's thread: that dies of a full disk, and its queue then
    blocks the run for ever.
    """

    def __init__(self, workdir: Path, first_step: int):
        self._workdir = workdir
        self._flushed = time.monotonic()
        start = SessionLog(status=SessionLog.START)
        with writing(workdir / 'events.out.tfevents'):
            self._events = EventsWriter(str(workdir / 'events'))
            # TensorBoard forgets what a run that was stopped wrote from this step on.
            self._events.write_event(Event(step=first_step + 1, session_log=start))
            self._events.flush()

    def write(self, kind: str, step: int, figures: dict[str, float]) -> None:
        with writing(self._workdir / 'events.out.tfevents'):
            for name, value in figures.items():
                event = Event(step=step, summary=scalar(f'{kind}/{name}', value))
                event.wall_time = time.time()
                self._events.write_event(event)
            if time.monotonic() - self._flushed > _FLUSH_SECONDS:
                self._events.flush()
                self._flushed = time.monotonic()

    def close(self) -> None:
        with writing(self._workdir / 'events.out.tfevents'):
            self._events.close()


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
