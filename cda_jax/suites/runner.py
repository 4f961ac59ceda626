"""Works through the runs of a suite, several at once, and reports progress."""

import os
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from cda_jax.runtime.children import bound

_POLL_SECONDS = 0.5
_SECONDS_BETWEEN_LINES = 30  # where the output is no terminal
_STEP = re.compile(rb'step +(\d+)/(\d+) ')
_TAIL_BYTES = 2000


class Task(NamedTuple):
    """Commands that have to succeed one after another; their output is appended to `log`."""

    name: str  # for the console
    commands: Sequence[Sequence[str]]
    log: Path


def run_tasks(
    tasks: Sequence[Task],
    *,
    jobs: int,
    when_done: Callable[[Task, bool], None] = lambda task, is_good: None,
) -> dict[str, Path]:
    """Runs every task to its end, even if others fail; gives the logs of those that failed.

    So many `jobs` run at once, each with its share of the processors. They die with this process,
    however it ends; what they have done stays. As each ends, `when_done` learns whether all its
    commands succeeded.
    """
    waiting, active, failed, done = deque(tasks), {}, {}, 0
    with tqdm(
        total=len(tasks),
        bar_format='{n:.1f} of {total} runs done; {elapsed} so far, {remaining} left{postfix}',
        mininterval=0.5 if sys.stderr.isatty() else _SECONDS_BETWEEN_LINES,
        smoothing=0,
    ) as progress:
        try:
            while waiting or active:
                for slot in sorted(set(range(jobs)) - active.keys())[: len(waiting)]:
                    task = waiting.popleft()
                    active[slot] = task, _work(task, slot, jobs)
                time.sleep(_POLL_SECONDS)
                for slot, (task, work) in list(active.items()):
                    if (is_good := next(work)) is not None:
                        del active[slot]
                        done += 1
                        when_done(task, is_good)
                        if not is_good:
                            failed[task.name] = task.log
                        said = 'done' if is_good else f'FAILED, see {task.log}'
                        tqdm.write(f'{task.name}: {said}')
                progress.set_postfix_str(', '.join(t.name for t, _ in active.values()), False)
                shares = sum(_share_done(task.log) for task, _ in active.values())
                progress.update(max(done + shares - progress.n, 0))
        finally:
            for _, work in active.values():
                work.close()
    return failed


def _work(task: Task, slot: int, jobs: int) -> Iterator[bool | None]:
    """Yields None while a command runs, and at the end whether all succeeded."""
    task.log.parent.mkdir(parents=True, exist_ok=True)
    for command in task.commands:
        with task.log.open('ab') as log:
            process = subprocess.Popen(
                bound(command, slot=slot, slots=jobs),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            while process.poll() is None:
                yield None
        finally:
            process.terminate()
            process.wait()
        if process.returncode:
            yield False
            return
    yield True


def _share_done(log: Path) -> float:
    """How far a training has come, by the last step in its log."""
    with log.open('rb') as file:
        file.seek(max(file.seek(0, os.SEEK_END) - _TAIL_BYTES, 0))
        steps = _STEP.findall(file.read())
    return int(steps[-1][0]) / int(steps[-1][1]) if steps else 0.0
