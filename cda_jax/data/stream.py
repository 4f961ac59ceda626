"""Batches on their way from Grain's workers: started, watched, copied, and ended cleanly."""

import gc
import itertools
import os
from collections.abc import Iterator

import grain
import numpy as np

from cda_jax.data.stalls import report_when_asked, watched
from cda_jax.errors import InputError
from cda_jax.runtime.children import end_with_parent, shielded

Batch = dict[str, np.ndarray]


def read(batches: grain.MapDataset, num_workers: int) -> Iterator[Batch]:
    """Reads batches ahead of their use.

    Args:
        batches: Of dictionaries of arrays.
        num_workers: Processes that read and decode; 0 does it in this one.

    Returns:
        Iterator of the batches. Close it if it is not read to its end.

    Raises:
        InputError: While reading, if a record is damaged, a file cannot be read, or a worker dies.
    """
    stream, fault, kind = iter(_stream(batches, num_workers)), None, None
    arriving = watched(stream)
    try:
        with shielded():  # the first batch starts the workers
            first = iter(list(itertools.islice(arriving, 1)))
        for batch in itertools.chain(first, arriving):
            # Out of the workers' shared memory, of which there is little, and which an error would
            # keep: its traceback holds the batches that are on their way.
            kind = type(next(iter(batch.values())))
            copied = {name: np.array(values) for name, values in batch.items()}
            del batch
            yield copied
    except (ValueError, OSError, RuntimeError) as error:
        fault = _fault(error)  # not the error: its traceback holds the stream, see below
        if fault is None:
            raise
    finally:
        stream.close()
        # The stream is part of a reference cycle that holds the last batch. Left to the end of the
        # program, its shared memory would be reported as leaked.
        del stream, arriving
        gc.collect()
        _finish_deletions(kind)
    if fault:
        raise InputError(fault)


def _stream(batches, num_workers):
    stream = batches.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=2))
    if not num_workers:
        return stream
    workers = grain.MultiprocessingOptions(num_workers=num_workers, per_worker_buffer_size=2)
    return stream.mp_prefetch(workers, worker_init_fn=_set_up_worker)


def _set_up_worker(worker_index: int, worker_count: int) -> None:
    del worker_index, worker_count
    os.environ['JAX_PLATFORMS'] = 'cpu'  # the accelerator is the training process's
    end_with_parent()
    report_when_asked()


def _fault(error: Exception) -> str | None:
    """What the user should know; None of what only a traceback tells."""
    if isinstance(error, ValueError):
        return str(error)
    if isinstance(error, OSError):  # of shared memory, too, which is a file system of its own
        return f'the data cannot be read: {error}'
    if 'exit code' in str(error):  # Grain's word for a worker that is gone
        return (
            f'a process that reads data died, perhaps for lack of memory: {error} Fewer workers '
            '(num_workers) need less; the same command goes on from the last checkpoint'
        )
    return None


def _finish_deletions(kind: type) -> None:
    """Waits for Grain's thread that frees shared memory, which the program's end would cut short.

    Args:
        kind: Grain's class for arrays in shared memory, or that of other arrays.
    """
    thread = getattr(kind, '_del_thread_pool', None)
    if thread is not None:
        thread.apply(int)  # nothing, but after all that waits there
