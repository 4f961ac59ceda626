"""Tasks spread over processes that never outlive the one that started them."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import cv2

from cda_jax.errors import InputError
from cda_jax.runtime.children import end_with_parent

T = TypeVar('T')


def run_tasks(work: Callable[[T], None], tasks: Sequence[T], num_processes: int) -> Iterator[T]:
    """Works off tasks in no particular order.

    Args:
        work: Does one task; a function of a module, since processes are spawned.
        tasks: What it is called with.
        num_processes: Number of processes; with 1, this very process does it all.

    Yields:
        Each task once it is done.

    Raises:
        InputError: If a process was killed, as happens when memory runs out.
    """
    num_processes = min(num_processes, len(tasks))
    if num_processes <= 1:
        for task in tasks:
            work(task)
            yield task
        return
    context = multiprocessing.get_context('spawn')
    pool = ProcessPoolExecutor(num_processes, context, _start_worker)
    try:
        futures = {pool.submit(work, task): task for task in tasks}
        for future in as_completed(futures):
            future.result()
            yield futures[future]
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
