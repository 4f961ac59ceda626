"""Where figures of a run go: console, JSON lines and TensorBoard."""

import contextlib
import math
import time
from pathlib import Path

import msgspec
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import scalar

from cda_jax.errors import InputError
from cda_jax.runtime.files import write_text, writing
from cda_jax.runtime.workdir import METRICS

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


class _Line(msgspec.Struct):
    step: int


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
        self._lines, self._events = workdir / METRICS, workdir / 'events.out.tfevents'
        _cut(self._lines, first_step)
        with writing(self._lines):
            self._file = self._lines.open('ab')
        with writing(self._events):
            self._board = EventsWriter(str(workdir / 'events'))
        # TensorBoard forgets what a stopped run wrote from this step on.
        start = SessionLog(status=SessionLog.START)
        self._add_events(Event(step=first_step + 1, session_log=start))

    def write(self, kind: str, step: int, figures: dict[str, float]) -> None:
        """Writes figures to both files.

        Args:
            kind: 'train' or 'validation'; in TensorBoard the group.
            step: Steps done.
            figures: By name; NaN is written as null to the lines.
        """
        if not self._active:
            return
        with writing(self._lines):
            self._file.write(msgspec.json.encode({'kind': kind, 'step': step} | figures) + b'\n')
            self._file.flush()
        summaries = [scalar(f'{kind}/{name}', value) for name, value in figures.items()]
        self._add_events(*(Event(step=step, summary=summary) for summary in summaries))

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
            with writing(self._lines.parent), self._file, contextlib.closing(self._board):
                pass
        except InputError as failure:
            if error is None:
                raise
            error.add_note(str(failure))  # what ended the run is told first

    def _add_events(self, *events: Event) -> None:
        # Not by tensorboardX's own thread, which dies of a full disk and then blocks the run.
        with writing(self._events):
            for event in events:
                event.wall_time = time.time()
                self._board.write_event(event)
            self._board.flush()


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
    write_text(path, ''.join(kept))


def _step_of(line: str) -> float:
    try:
        return msgspec.json.decode(line, type=_Line).step
    except (msgspec.MsgspecError, UnicodeError):
        return math.inf
