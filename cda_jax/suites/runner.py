"""Works off the runs of a suite, several at once, and says how far it has come."""

import os
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from cda_jax.errors import InputError
from cda_jax.runtime.children import bound
from cda_jax.runtime.logs import duration

_POLL_SECONDS = 0.5
_SECONDS_BETWEEN_LINES = 30
_STEP = re.compile(rb'step +(\d+)/(\d+) ')
_TAIL_BYTES = 2000


class Task(NamedTuple):
    """Commands that have to succeed one after another.

    Attributes:
        name: For the console.
        commands: Those still to be run.
        log: Where their output goes, appended.
    """

    name: str
    commands: Sequence[Sequence[str]]
    log: Path


class _Active(NamedTuple):
    task: Task
    slot: int
    process: subprocess.Popen
    rest: Sequence[Sequence[str]]
    start: float


def run_tasks(tasks: Sequence[Task], *, jobs: int, say: Callable[[str], None]) -> dict[str, Path]:
    """Runs every task to its end, also if others fail.

    Children die with this process, however it ends; what they have done stays.

    Args:
        tasks: To do.
        jobs: How many at once; each gets its share of the processors.
        say: Takes a line on what happens.

    Returns:
        The logs of the tasks that failed, by name.
    """
    waiting, active, failed, seconds = list(tasks), [], {}, []
    last_line = time.monotonic()
    try:
        while waiting or active:
            free = sorted(set(range(jobs)) - {entry.slot for entry in active})
            for slot in free[: len(waiting)]:
                task = waiting.pop(0)
                active.append(_start(task, task.commands, slot, jobs, time.monotonic()))
            time.sleep(_POLL_SECONDS)
            for entry in list(active):
                if entry.process.poll() is None:
                    continue
                active.remove(entry)
                if entry.process.returncode == 0 and entry.rest:
                    active.append(_start(entry.task, entry.rest, entry.slot, jobs, entry.start))
                    continue
                seconds.append(time.monotonic() - entry.start)
                if entry.process.returncode:
                    failed[entry.task.name] = entry.task.log
                say(_ended(entry, seconds[-1]))
                last_line = 0
            if active and time.monotonic() - last_line >= _SECONDS_BETWEEN_LINES:
                last_line = time.monotonic()
                say(_overview(len(tasks), waiting, active, seconds, jobs))
    finally:
        for entry in active:
            entry.process.terminate()
        for entry in active:
            entry.process.wait()
    return failed


def check_jobs(jobs: int) -> None:
    """Checks that the machine has a processor for every job.

    Raises:
        InputError: It has not.
    """
    if not 1 <= jobs <= (os.cpu_count() or 1):
        raise InputError(f'jobs is {jobs}, expected 1 to the {os.cpu_count()} processors there are')


def _start(task, commands, slot, jobs, start) -> _Active:
    task.log.parent.mkdir(parents=True, exist_ok=True)
    with task.log.open('ab') as log:
        process = subprocess.Popen(
            bound(commands[0], slot=slot, slots=jobs),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    return _Active(task, slot, process, commands[1:], start)


def _ended(entry: _Active, seconds: float) -> str:
    how = 'done' if entry.process.returncode == 0 else f'FAILED, see {entry.task.log}'
    return f'{entry.task.name}: {how} after {duration(seconds)}'


def _overview(total, waiting, active, seconds, jobs) -> str:
    shares = [_share_done(entry.task.log) for entry in active]
    done = total - len(waiting) - len(active)
    running = ', '.join(
        f'{entry.task.name} {100 * share:.0f} %'
        for entry, share in zip(active, shares, strict=True)
    )
    now = time.monotonic()
    elapsed = sum(seconds) + sum(now - entry.start for entry in active)
    worked = len(seconds) + sum(shares)
    left = ''
    if worked > 0:
        to_do = len(waiting) + len(active) - sum(shares)
        left = f'; {duration(to_do * elapsed / worked / min(jobs, max(to_do, 1)))} left'
    return f'{done} of {total} runs done; {running}{left}'


def _share_done(log: Path) -> float:
    """How far a training has come by its own last word."""
    with log.open('rb') as file:
        file.seek(max(file.seek(0, os.SEEK_END) - _TAIL_BYTES, 0))
        steps = _STEP.findall(file.read())
    return int(steps[-1][0]) / int(steps[-1][1]) if steps else 0.0
