"""How a checkpoint is written and read; the only file that knows Orbax."""

import contextlib
import functools
import logging
import os
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.sharding import SingleDeviceSharding
from orbax.checkpoint.checkpoint_managers import preservation_policy

from cda_jax.errors import InputError

Writer = ocp.CheckpointManager

_SCORE = 'validation_accuracy'
_Tree = TypeVar('_Tree')


def open_writer(folder: Path, keep: int) -> Writer:
    """Opens a folder to save in; damaged checkpoints must be out of the way.

    Args:
        folder: Of the checkpoints.
        keep: How many of the latest stay. The best, if any has a score, stays besides.
    """
    _tell_errors_once()

    def score(metrics: dict) -> float:  # one without comes after all others
        return metrics.get(_SCORE, -np.inf)

    latest = preservation_policy.LatestN(keep)
    best = preservation_policy.BestN(
        get_metric_fn=score, n=1, keep_checkpoints_without_metrics=False
    )
    # Both are needed: the policy alone would write no scores.
    options = ocp.CheckpointManagerOptions(
        best_fn=score,
        preservation_policy=preservation_policy.AnyPreservationPolicy([latest, best]),
        cleanup_tmp_directories=True,  # what killed runs left half written
    )
    return ocp.CheckpointManager(folder, options=options)


def write(writer: Writer, step: int, arrays: Any, data: dict, score: float | None) -> None:
    """Starts to write a checkpoint.

    Args:
        writer: Of `open_writer`.
        step: Its number.
        arrays: A tree; their memory may be used again as soon as this returns.
        data: A tree for JSON.
        score: Makes the checkpoint a candidate for the best.
    """
    parts = ocp.args.Composite(state=ocp.args.StandardSave(arrays), data=ocp.args.JsonSave(data))
    metrics = {} if score is None else {_SCORE: score}
    writer.save(step, args=parts, metrics=metrics, force=True)


def list_steps(folder: Path) -> list[int]:
    """All that bear the name of a checkpoint, whole or damaged."""
    if not folder.is_dir():
        return []
    with _open_reader(folder) as reader:
        return reader.all_steps()


def read_data(folder: Path, step: int) -> tuple[Any, float | None]:
    """Reads the JSON of a checkpoint, and its score. Of damaged files, any error may come."""
    with _open_reader(folder) as reader:
        parts = ocp.args.Composite(data=ocp.args.JsonRestore())
        data = reader.restore(step, args=parts).data
        return data, (reader.metrics(step) or {}).get(_SCORE)


def read_arrays(folder: Path, step: int, like: _Tree) -> _Tree:
    """Reads all arrays of a checkpoint, or some branches. Of damaged files, any error may come.

    Args:
        folder: Of the checkpoints.
        step: Which.
        like: What to read: a tree of the same shapes, which may be abstract.

    Returns:
        The same tree, on the host.
    """
    _tell_errors_once()
    here = SingleDeviceSharding(jax.local_devices()[0])
    target = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=here), like)
    how = ocp.checkpoint_utils.construct_restore_args(target)
    partial = ocp.args.PyTreeRestore(item=target, restore_args=how, partial_restore=True)
    with _open_reader(folder) as reader:
        restored = reader.restore(step, args=ocp.args.Composite(state=partial)).state
    if not all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(restored)):
        raise ValueError('arrays are missing')
    return jax.tree.map(_on_host, restored)


def _on_host(leaf: jax.Array):
    """Bound to no device, so that it can be placed on any."""
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        bits = np.asarray(jax.random.key_data(leaf))
        return jax.random.wrap_key_data(bits, impl=jax.random.key_impl(leaf))
    return np.asarray(leaf)


@functools.cache
def _tell_errors_once() -> None:
    """Keeps errors off the error output that are raised as well, by what stores arrays.

    Where one array fails, Orbax logs that in each of its threads, and gives up the others; Python
    would tell of every one of these when it ends.
    """
    for name in ('absl', 'asyncio'):
        logging.getLogger(name).addFilter(lambda record: not record.exc_info)
    tell = sys.unraisablehook

    def hook(unraisable):
        is_given_up = isinstance(unraisable.object, types.CoroutineType)
        if not is_given_up and str(unraisable.exc_value) != 'Event loop is closed':
            tell(unraisable)

    sys.unraisablehook = hook


@contextlib.contextmanager
def refusals(folder: Path) -> Iterator[None]:
    """What the disk refuses becomes an error.

    Raises:
        InputError: A checkpoint cannot be written.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        # TensorStore has no class for what the system refuses.
        number = re.search(r"os_error_code='(\d+)'", str(error))
        if number is None and not isinstance(error, OSError):
            raise
        reason = os.strerror(int(number[1])) if number else error.strerror
        raise InputError(
            f'{folder}: a checkpoint cannot be written: {reason}; those before it are whole'
        ) from error


def _open_reader(folder: Path) -> ocp.CheckpointManager:
    """A fresh one, because a manager that saved is bound to the form in which it saved."""
    options = ocp.CheckpointManagerOptions(create=False, lightweight_initialize=True)
    if jax.process_count() > 1:  # others must not wait for one that meets a fault
        me = jax.process_index()
        options.multiprocessing_options = ocp.options.MultiprocessingOptions(
            primary_host=me, active_processes={me}, barrier_sync_key_prefix=f'process{me}'
        )
    return ocp.CheckpointManager(folder, options=options)
