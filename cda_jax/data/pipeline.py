"""Batches for training and evaluation, read ahead by threads of this process.

A batch depends only on the sites, their shares, the batch size and the seed: not on the number of
processes or threads, nor on the step at which reading began.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import grain
import numpy as np

from cda_jax.data.examples import PADDING, Batch, Examples
from cda_jax.data.order import Order
from cda_jax.runtime.children import num_processors

_MAX_THREADS = 16
_BATCHES_AHEAD = 2
_PATIENCE_SECONDS = 60.0


class Reading(NamedTuple):
    """How this process reads."""

    batch_size: int  # rows of the global batch
    num_threads: int = 0  # each reads and decodes a batch; 0 means one per processor, up to 16
    process_index: int = 0
    process_count: int = 1  # each of them reads its own rows of every batch

    def rows(self, batch: int) -> np.ndarray:
        """This process's rows of a batch, int64[b], in the sequence of all rows."""
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
    class_balance: float = 0.0,
) -> Iterator[Batch]:
    """Iterates over the training batches from a step to the last; close it if you stop before.

    It gives this process's rows of each batch as `Examples.batch` does, from `Order` of these
    shares and class balance. A restored run has seen the batches before `first_step`.
    """
    order = Order(seed, examples.sizes, shares, examples.labels, class_balance)
    return _read_ahead(
        lambda step: examples.batch(order.examples(reading.rows(step))),
        range(first_step, total_steps),
        reading.num_threads,
        examples.folders,
    )


def eval_batches(examples: Examples, reading: Reading) -> Iterator[Batch]:
    """Iterates likewise over every example once, in order; rows of padding are masked out."""

    def read(batch):
        rows = reading.rows(batch)
        return examples.batch(np.where(rows < len(examples), rows, PADDING))

    num_batches = -(-len(examples) // reading.batch_size)
    return _read_ahead(read, range(num_batches), reading.num_threads, examples.folders)


def _read_ahead(
    read: Callable[[int], Batch], batches: range, num_threads: int, folders: Sequence[str]
) -> Iterator[Batch]:
    threads = num_threads or min(num_processors(), _MAX_THREADS)
    ahead = threads + _BATCHES_AHEAD
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=ahead)
    numbers = grain.MapDataset.range(batches.start, batches.stop)
    stream = iter(numbers.map(read).to_iter_dataset(options))
    try:
        yield from _watched(stream, ', '.join(folders), _PATIENCE_SECONDS)
    finally:
        stream.close()


def _watched(stream: Iterator[Batch], source: str, patience: float) -> Iterator[Batch]:
    """Passes on batches; reports on standard error every `patience` seconds without one.

    Nothing is stopped, because a stalled file system may recover.
    """
    since, ended = None, threading.Event()

    def watch():
        reports = 0  # during the current wait
        while not ended.wait(patience / 10):
            # In this order, or a wait may seem to go on after its end.
            now, begun = time.monotonic(), since
            seconds = now - begun if begun is not None else 0.0
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
