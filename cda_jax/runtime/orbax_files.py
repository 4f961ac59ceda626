"""Writes and reads the files of checkpoints; the only module that knows Orbax."""

import contextlib
import functools
import logging
import os
import re
import sys
import types
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.sharding import SingleDeviceSharding
from orbax.checkpoint.checkpoint_managers import preservation_policy as policies

from cda_jax.errors import InputError

T = TypeVar('T')
Writer = ocp.CheckpointManager
_SCORE = 'validation_score'


def open_writer(folder: Path, keep: int) -> Writer:
    """Opens a folder without damaged checkpoints to save in; the latest few and the best stay."""
    _report_errors_once()

    def score(metrics: dict) -> float:  # a checkpoint without one comes after all others
        return metrics.get(_SCORE, -np.inf)

    latest = policies.LatestN(keep)
    best = policies.BestN(get_metric_fn=score, n=1, keep_checkpoints_without_metrics=False)
    options = ocp.CheckpointManagerOptions(
        best_fn=score,  # needed besides the policy, which alone would write no scores
        preservation_policy=policies.AnyPreservationPolicy([latest, best]),
        cleanup_tmp_directories=True,  # which killed runs leave behind
    )
    return ocp.CheckpointManager(folder, options=options)


def write(writer: Writer, step: int, arrays: Any, data: dict, score: float | None) -> None:
    """Starts to write a tree of arrays and one for JSON; the arrays may be donated at once."""
    parts = ocp.args.Composite(state=ocp.args.StandardSave(arrays), data=ocp.args.JsonSave(data))
    writer.save(step, args=parts, metrics={} if score is None else {_SCORE: score}, force=True)


def list_steps(folder: Path) -> list[int]:
    """The steps of all checkpoints in a folder, whole or damaged."""
    if not folder.is_dir():
        return []
    with _open_reader(folder) as reader:
        return reader.all_steps()


def read_data(folder: Path, step: int) -> tuple[Any, float | None]:
    """Reads the JSON of a checkpoint, and its score. Damaged files may raise any error."""
    with _open_reader(folder) as reader:
        parts = ocp.args.Composite(data=ocp.args.JsonRestore())
        data = reader.restore(step, args=parts).data
        return data, (reader.metrics(step) or {}).get(_SCORE)


def read_arrays(folder: Path, step: int, like: T) -> T:
    """Reads arrays of these shapes and types onto the host. Damaged files may raise any error."""

    def on_host(leaf):  # bound to no device, it can be placed on any
        if not jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return np.asarray(leaf)
        bits = np.asarray(jax.random.key_data(leaf))
        return jax.random.wrap_key_data(bits, impl=jax.random.key_impl(leaf))

    _report_errors_once()
    here = SingleDeviceSharding(jax.local_devices()[0])
    target = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=here), like)
    how = ocp.checkpoint_utils.construct_restore_args(target)
    partial = ocp.args.PyTreeRestore(item=target, restore_args=how, partial_restore=True)
    with _open_reader(folder) as reader:
        restored = reader.restore(step, args=ocp.args.Composite(state=partial)).state
    if not all(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(restored)):
        raise ValueError('arrays are missing')
    return jax.tree.map(on_host, restored)


@functools.cache
def _report_errors_once() -> None:
    """Keeps errors that are raised anyway from being printed, too.

    Where one array fails, Orbax logs it in each of its threads and abandons the others; Python
    would report every one of these when it ends, those that had not begun by a warning.
    """
    warnings.filterwarnings('ignore', "coroutine '.*' was never awaited", RuntimeWarning)
    for name in ('absl', 'asyncio'):
        logging.getLogger(name).addFilter(lambda record: not record.exc_info)
    report = sys.unraisablehook

    def hook(unraisable):
        is_abandoned = isinstance(unraisable.object, types.CoroutineType)
        if not is_abandoned and str(unraisable.exc_value) != 'Event loop is closed':
            report(unraisable)

    sys.unraisablehook = hook


@contextlib.contextmanager
def refusals(folder: Path) -> Iterator[None]:
    """Turns what the disk refuses while checkpoints are written into an `InputError`."""
    try:
        yield
    except (OSError, ValueError) as error:
        # TensorStore raises ValueError for an error of the system, and has its number in the text.
        number = re.search(r"os_error_code='(\d+)'", str(error))
        if number is None and not isinstance(error, OSError):
            raise
        reason = os.strerror(int(number[1])) if number else error.strerror
        raise InputError(
            f'{folder}: a checkpoint cannot be written: {reason}; those before it are whole'
        ) from error


def _open_reader(folder: Path) -> ocp.CheckpointManager:
    # A new one, because a manager that saved can read only what it would save.
    options = ocp.CheckpointManagerOptions(create=False, lightweight_initialize=True)
    if jax.process_count() > 1:  # none may wait for another that meets a fault
        me = jax.process_index()
        options.multiprocessing_options = ocp.options.MultiprocessingOptions(
            primary_host=me, active_processes={me}, barrier_sync_key_prefix=f'process{me}'
        )
    return ocp.CheckpointManager(folder, options=options)
