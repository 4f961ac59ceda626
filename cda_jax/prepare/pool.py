"""Tasks spread over worker processes, which end when the process that started them does."""

import itertools
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import cv2

from cda_jax.errors import InputError
from cda_jax.runtime.children import end_with_parent

T = TypeVar('T')


def work_off(
    work: Callable[..., T], tasks: Iterable[tuple[object, ...]], num_processes: int
) -> Iterator[T]:
    """Calls `work` with each task's arguments and yields the results in no particular order.

    Processes are spawned, so `work` is a function of a module; a single one is this process itself.
    Tasks are taken only a few at a time, so that they need not all fit in memory. An `InputError`
    says if a process was killed, which happens when memory runs out.
    """
    if num_processes <= 1:
        yield from itertools.starmap(work, tasks)
        return
    pool = ProcessPoolExecutor(num_processes, multiprocessing.get_context('spawn'), _start_worker)
    try:
        running = set()
        for task in tasks:
            running.add(pool.submit(work, *task))
            if len(running) >= 2 * num_processes:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        yield from (future.result() for future in as_completed(running))
    except BrokenProcessPool as error:
        raise InputError(
            'a worker process died, perhaps for lack of memory; the same command with fewer '
            'processes goes on from here'
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    end_with_parent()
    # The parent alone reports that the user pressed Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    cv2.setNumThreads(1)
