"""Writes the figures of a run to the console, to JSON lines and for TensorBoard."""

import contextlib
import itertools
import time
from datetime import timedelta
from pathlib import Path

import msgspec
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import scalar

from cda_jax.runtime.files import after, replacing, writing
from cda_jax.runtime.workdir import METRICS

# Figures of the machine and not of the training: they may differ where all else is the same.
TIMING = frozenset({'images_per_second', 'seconds_left'})

# The figures that the console shows, by short names; the files hold all of them.
_CONSOLE = {
    'loss_emotion': 'L_e',
    'loss_label': 'L_2',
    'loss_dataset': 'L_d',
    'loss_distance': 'distance',
    'accuracy_emotion': 'acc e',
    'accuracy_dataset': 'acc d',
    'lambda_1': 'lambda',
    'learning_rate': 'lr',
}


class Logs:
    """The log files of a working directory; an `InputError` says if one cannot be written.

    The run goes on after `first_step`: lines of later steps, written since the checkpoint, are
    removed. Only the first of several processes is `active` and writes.
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
        # TensorBoard drops what a stopped run wrote from this step on.
        start = SessionLog(status=SessionLog.START)
        self._add_events(Event(step=first_step + 1, session_log=start))

    def write(self, kind: str, step: int, figures: dict[str, float]) -> None:
        """Writes figures by name to both files, NaN as null; `kind` is 'train' or 'validation'."""
        if not self._active:
            return
        with writing(self._lines):
            self._file.write(msgspec.json.encode({'kind': kind, 'step': step} | figures) + b'\n')
            self._file.flush()
        summaries = [scalar(f'{kind}/{name}', value) for name, value in figures.items()]
        self._add_events(*(Event(step=step, summary=summary) for summary in summaries))

    def say(self, text: str) -> None:
        """Prints a line on the console."""
        if self._active:
            print(text, flush=True)

    def __enter__(self) -> 'Logs':
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._active:
            with after(error), writing(self._lines.parent), contextlib.closing(self._board):
                self._file.close()

    def _add_events(self, *events: Event) -> None:
        # Not by tensorboardX's own thread, which dies of a full disk and then blocks the run.
        with writing(self._events):
            for event in events:
                event.wall_time = time.time()
                self._board.write_event(event)
            self._board.flush()


class Clock:
    """Measures the pace of training from this step on."""

    def __init__(self, step: int, total_steps: int, batch_size: int):
        self._total_steps = total_steps
        self._batch_size = batch_size
        self._first = self._last = (step, time.monotonic())

    def lap(self, step: int) -> dict[str, float]:
        """Images per second since the last lap, and seconds left at the pace since the start.

        Both are missing where no step was done since the last lap.
        """
        (first, start), (last, before), now = self._first, self._last, time.monotonic()
        self._last = step, now
        if step == last:
            return {}
        return {
            'images_per_second': (step - last) * self._batch_size / max(now - before, 1e-9),
            'seconds_left': (self._total_steps - step) * (now - start) / (step - first),
        }


def console_line(step: int, total_steps: int, figures: dict[str, float]) -> str:
    """One line from the metrics of a step, its `epoch`, and the figures of `Clock.lap`."""
    shown = [f'{short} {figures[name]:.3g}' for name, short in _CONSOLE.items() if name in figures]
    if 'images_per_second' in figures:
        shown.append(f'{figures["images_per_second"]:,.0f} images/s')
        shown.append(f'{timedelta(seconds=round(figures["seconds_left"]))} left')
    start = f'step {step:>{len(str(total_steps))}}/{total_steps}  epoch {figures["epoch"]:5.1f}'
    return '  '.join([start, *shown])


def _cut(path: Path, last_step: int) -> None:
    """Keeps the lines up to a step, or to the first that is damaged or that a crash broke off."""
    if not path.exists():
        return
    kind = msgspec.defstruct('Line', [('step', int)])

    def is_kept(line: bytes) -> bool:
        try:
            step = msgspec.json.decode(line, type=kind).step
        except msgspec.MsgspecError:
            return False
        return step <= last_step and line.endswith(b'\n')

    lines = path.read_bytes().splitlines(keepends=True)
    with replacing(path) as temporary:
        temporary.write_bytes(b''.join(itertools.takewhile(is_kept, lines)))
