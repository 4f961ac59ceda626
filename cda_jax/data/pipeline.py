"""Batches of training and evaluation, read ahead by threads of this process.

What a batch holds depends on the sites, their shares, the batch size and the seed alone: not on the
number of processes or threads, nor on where reading began.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import grain
import numpy as np

from cda_jax.data.examples import PADDING, Batch, Examples
from cda_jax.data.order import Order

_MAX_THREADS = 16
_BATCHES_AHEAD = 2
_PATIENCE_SECONDS = 60.0


class Reading(NamedTuple):
    """How this process reads.

    Attributes:
        batch_size: Rows of the global batch.
        num_threads: Threads that read and decode, each a batch; 0 takes one a processor, up to 16.
        process_index: Which of the training processes this is.
        process_count: How many there are; each reads its own rows of every batch.
    """

    batch_size: int
    num_threads: int = 0
    process_index: int = 0
    process_count: int = 1

    def rows(self, batch: int) -> np.ndarray:
        """int64[b], this process's rows of a batch in the sequence of all rows."""
        share = self.batch_size // self.process_count
        first = batch * self.batch_size + self.process_index * share
        return np.arange(first, first + share)


def train_batches(
    examples: Examples,
    shares: Sequence[float],
    reading: Reading,
    *,
    seed: int,
    first_step: int,
    total_steps: int,
) -> Iterator[Batch]:
    """The training batches from a step on to the end of training, in `Order`.

    Args:
        examples: A part for each site.
        shares: Positive, one for each site; in proportion to their sizes, an epoch shows every
            example once.
        reading: How this process reads.
        seed: From 0; decides the shuffling.
        first_step: Batches to leave out at the start, those a restored run has seen.
        total_steps: Batches of the whole training, those left out included.

    Returns:
        Iterator of this process's rows, `batch_size / process_count` of each global batch, as
        `Examples.batch` gives them. Close it if it is not read to its end.

    Raises:
        InputError: While reading, if a record is damaged.
    """
    order = Order(seed, examples.sizes, shares)
    return _read_ahead(
        lambda step: examples.batch(order.examples(reading.rows(step))),
        range(first_step, total_steps),
        reading.num_threads,
        examples.folders,
    )


def eval_batches(examples: Examples, reading: Reading) -> Iterator[Batch]:
    """Every example once, in order; in the last batch, rows of padding are masked out.

    Returns:
        Iterator as from `train_batches`.

    Raises:
        InputError: While reading, if a record is damaged.
    """

    def read(batch):
        rows = reading.rows(batch)
        return examples.batch(np.where(rows < len(examples), rows, PADDING))

    num_batches = -(-len(examples) // reading.batch_size)
    return _read_ahead(read, range(num_batches), reading.num_threads, examples.folders)


def _read_ahead(
    read: Callable[[int], Batch], batches: range, num_threads: int, folders: Sequence[str]
) -> Iterator[Batch]:
    num_threads = num_threads or min(_num_processors(), _MAX_THREADS)
    options = grain.ReadOptions(
        num_threads=num_threads, prefetch_buffer_size=num_threads + _BATCHES_AHEAD
    )
    numbers = grain.MapDataset.range(batches.start, batches.stop)
    stream = iter(numbers.map(read).to_iter_dataset(options))
    try:
        yield from watched(stream, ', '.join(folders))
    finally:
        stream.close()


def watched(
    stream: Iterator[Batch], source: str, patience: float = _PATIENCE_SECONDS
) -> Iterator[Batch]:
    """The same batches; a wait for the next is reported on standard error while it lasts.

    A stalled file system comes back at times, so nothing is stopped.

    Args:
        stream: What to wait for.
        source: Where the data come from, for the report.
        patience: Seconds without a batch until each report.
    """
    since, ended = None, threading.Event()

    def watch():
        reports = 0  # of the present wait
        while not ended.wait(patience / 10):
            begun = since
            seconds = time.monotonic() - begun if begun is not None else 0.0
            reports = min(reports, int(seconds / patience))
            if seconds >= (reports + 1) * patience:
                reports += 1
                text = f'warning: no batch of data for {seconds:.0f} s; still waiting for {source}'
                print(text, file=sys.stderr, flush=True)

    threading.Thread(target=watch, daemon=True).start()
    try:
        while True:
            since = time.monotonic()
            batch = next(stream, None)
            since = None
            if batch is None:
                return
            yield batch
    finally:
        ended.set()


def _num_processors() -> int:
    """Those that this process may use, where the system tells."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
