"""Checkpoints; the only file, beside `orbax_errors.py`, that knows Orbax."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils
from jax.sharding import SingleDeviceSharding
from orbax.checkpoint.checkpoint_managers import preservation_policy

from cda_jax.errors import DamagedError, InputError
from cda_jax.runtime.checkpoint_facts import SCORE, Facts, read_facts
from cda_jax.runtime.devices import replicate, replicated
from cda_jax.runtime.integrity import check_leaves, kinds, seal
from cda_jax.runtime.multihost import all_processes, of_first_process
from cda_jax.runtime.orbax_errors import as_input_error, in_short, quieten_orbax
from cda_jax.step import TrainState

_Read = TypeVar('_Read')


class Checkpoints:
    """The checkpoints of one working directory.

    A checkpoint is written while training goes on, and bears its final name only when complete.
    Each holds checksums of all its content. One that is damaged is never restored, and counts
    neither as the newest nor as the best once it is known to be.

    Args:
        folder: Where they are.
        keep: How many of the latest stay. The best by validation, if any, stays besides.
        read_only: Whether to leave the folder as it is; else it is made if needed.

    Raises:
        InputError: The folder cannot be made.
    """

    def __init__(self, folder: str | Path, *, keep: int = 1, read_only: bool = False):
        quieten_orbax()
        self._folder = Path(folder).absolute()
        self._keep = keep
        self._manager = None
        self._faults: dict[int, str] = {}
        if not read_only:
            with as_input_error(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)

    def save(
        self, state: TrainState, step: int, *, data: dict, validation_accuracy: float | None = None
    ) -> None:
        """Starts to write a checkpoint, unless there is one of this step.

        Args:
            state: To save; its memory may be used again as soon as this returns.
            step: Steps done.
            data: What the position in the data means (see `cda_jax.experiment.data_position`).
            validation_accuracy: Makes the checkpoint a candidate for the best.

        Raises:
            InputError: This checkpoint or the one before cannot be written.
        """
        with as_input_error(self._folder):
            manager = self._writer()
            if step in manager.all_steps():
                return
            score = None if validation_accuracy is None else {SCORE: validation_accuracy}
            manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(state),
                    data=ocp.args.JsonSave(seal(data, state, validation_accuracy)),
                ),
                metrics=score,
                force=True,
            )

    def latest_step(self) -> int | None:
        """Steps done in the newest checkpoint; None if there is none."""
        return max(self._facts(), default=None)

    def best_step(self) -> int | None:
        """Steps done in the checkpoint that was best in validation; None without validation."""
        scores = {s: facts.score for s, facts in self._facts().items() if facts.score is not None}
        # Among equals the latest, which is also the one that Orbax keeps.
        return max(scores, key=lambda step: (scores[step], step), default=None)

    def faults(self) -> dict[int, str]:
        """What is known to be wrong with damaged checkpoints, by step."""
        self._facts()
        return dict(self._faults)

    def resume(self, like: TrainState) -> tuple[TrainState, dict, int] | None:
        """Reads the newest checkpoint that is not damaged, to go on from it.

        Damaged ones, also among the best, are put aside under another name, so that a run can
        write these steps again.

        Args:
            like: A state of the same shapes; may be abstract.

        Returns:
            The state, the `data` it was saved with, and the steps done; None if there is no
            checkpoint at all.

        Raises:
            InputError: All are damaged, or the newest does not fit `like`.
        """
        # First the best, of which nothing is kept in memory.
        if self.best_step() not in (None, self.latest_step()):
            weights = {'params': like.params, 'batch_stats': like.batch_stats}
            self.read_first(self.best_step, lambda step: self.restore_weights(step, weights))
        found = self.read_first(self.latest_step, lambda step: self.restore(step, like))
        if found is None:
            return None
        self._put_aside()
        step, (state, data) = found
        return state, data, step

    def read_first(
        self, choose: Callable[[], int | None], read: Callable[[int], _Read]
    ) -> tuple[int, _Read] | None:
        """Reads a checkpoint; if it is damaged, says so and lets another be chosen.

        Args:
            choose: Such as `best_step`.
            read: From a step to whatever is wanted of it.

        Returns:
            The step, and what was read; None if there is no checkpoint at all.

        Raises:
            InputError: All are damaged; says of each in which way.
        """
        while (step := choose()) is not None:
            try:
                return step, read(step)
            except DamagedError as error:
                self._note(step, error)
        if not self._faults:
            return None
        reasons = [fault for _, fault in sorted(self._faults.items())]
        raise InputError(
            f'{self._folder}: every checkpoint is damaged; expected one that is whole, or none:\n  '
            + '\n  '.join(reasons)
        )

    def restore(self, step: int, like: TrainState) -> tuple[TrainState, dict]:
        """Reads a checkpoint onto the devices of this run, whatever they were when it was written.

        Args:
            step: Which.
            like: A state of the same shapes; may be abstract.

        Returns:
            The state, replicated, and the `data` it was saved with.

        Raises:
            DamagedError: The checkpoint is not what was saved.
            InputError: The checkpoint does not fit `like`.
        """
        facts = read_facts(self._folder / str(step))
        if facts.contents is not None:
            additional = facts.contents['kinds'].keys() - kinds(like).keys()
            self._refuse(step, dict.fromkeys(additional, 'nothing'), facts)
        state = self._read(step, ocp.args.StandardRestore(_on_devices(like)), like)
        return state, facts.data

    def position(self, step: int) -> dict:
        """Reads only the `data` that a checkpoint was saved with.

        Raises:
            DamagedError: It is not what was saved.
        """
        return read_facts(self._folder / str(step)).data

    def restore_weights(self, step: int, like: dict) -> dict:
        """Reads only what a trained network needs.

        Args:
            step: Which checkpoint.
            like: `params` and `batch_stats` of the same shapes; may be abstract.

        Returns:
            The same tree, replicated over the devices of this run.

        Raises:
            DamagedError: The checkpoint is not what was saved.
            InputError: The checkpoint does not fit `like`.
        """
        target = _on_devices(like)
        partial = ocp.args.PyTreeRestore(
            item=target,
            restore_args=ocp.checkpoint_utils.construct_restore_args(target),
            partial_restore=True,
        )
        return self._read(step, partial, like)

    def finish(self) -> None:
        """Waits until everything is written.

        Raises:
            InputError: It cannot be written.
        """
        if self._manager is not None:
            with as_input_error(self._folder):
                self._manager.wait_until_finished()

    def __enter__(self) -> 'Checkpoints':
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if self._manager is None:
            return
        try:
            with as_input_error(self._folder):
                self._manager.close()
        except InputError as failure:
            if error is None:
                raise
            error.add_note(str(failure))  # what ended the run is told first

    def _writer(self) -> ocp.CheckpointManager:
        """Orbax's manager, made when damaged checkpoints are out of its way."""
        if self._manager is None:
            policies = preservation_policy
            best = policies.BestN(
                get_metric_fn=lambda metrics: metrics[SCORE],
                n=1,
                keep_checkpoints_without_metrics=False,
            )
            options = ocp.CheckpointManagerOptions(
                best_fn=lambda metrics: metrics[SCORE],
                # Both are needed: the policy alone would write no scores.
                preservation_policy=policies.AnyPreservationPolicy(
                    [policies.LatestN(self._keep), best]
                ),
                cleanup_tmp_directories=True,  # what killed runs left half written
            )
            self._manager = ocp.CheckpointManager(self._folder, options=options)
        return self._manager

    def _facts(self) -> dict[int, Facts]:
        """Of every checkpoint, by step, but those that are known to be damaged."""
        read, errors = {}, {}
        steps = self._steps()
        for step in steps:
            try:
                read[step] = read_facts(self._folder / str(step))
            except DamagedError as error:
                errors[step] = error
        for step, is_whole in zip(steps, all_processes([s in read for s in steps]), strict=True):
            if is_whole:
                continue
            read.pop(step, None)
            # A run beside this one removes its older checkpoints.
            if (self._folder / str(step)).exists():
                self._note(step, errors.get(step, _elsewhere(self._folder / str(step))))
        return read

    def _steps(self) -> list[int]:
        """All that bear the name of a checkpoint, as the first process sees them.

        Those that are known to be damaged are left out.
        """
        names = [path.name for path in self._folder.iterdir()] if self._folder.is_dir() else []
        steps = {int(name) for name in names if re.fullmatch('0|[1-9][0-9]*', name)}
        return of_first_process(sorted(steps - self._faults.keys()))

    def _read(self, step: int, arguments, like):
        """Reads and verifies `like`; where several processes read, with one verdict of all."""
        folder = self._folder / str(step)
        facts = read_facts(self._folder / str(step))
        if facts.contents is not None:
            self._refuse(step, kinds(like), facts)
        fault = None
        options = ocp.CheckpointManagerOptions(create=False, lightweight_initialize=True)
        if jax.process_count() > 1:
            options.multiprocessing_options = _alone()
        try:
            # Fresh, because a manager that has saved is bound to the form in which it saved.
            with ocp.CheckpointManager(self._folder, options=options) as manager:
                restored = manager.restore(step, args=ocp.args.Composite(state=arguments)).state
            if kinds(restored) != kinds(like):
                raise DamagedError('state: arrays are missing')
            if facts.contents is not None:
                check_leaves(restored, facts.contents)
        except (jax.errors.JaxRuntimeError, MemoryError, PermissionError):
            raise  # these say nothing of the checkpoint
        except Exception as error:  # anything may come out of damaged files
            fault = error
        if not all_processes([fault is None])[0]:
            if fault is None:
                raise _elsewhere(folder)
            raise DamagedError(f'{folder}: {in_short(fault)}') from fault
        if facts.contents is None:
            _say(f'{folder}: written without checksums; it is taken as it is, unverified')
        if jax.process_count() > 1:
            return replicate(jax.tree.map(_on_host, restored))
        return restored

    def _refuse(self, step: int, expected: dict[str, str], facts: Facts) -> None:
        """Raises an error if arrays of other names or shapes were saved."""
        for name, kind in expected.items():
            saved = facts.contents['kinds'].get(name, 'nothing')
            if saved != kind:
                raise InputError(
                    f'{self._folder}/{step}: cannot be restored for this config: {name} is {saved} '
                    f'there, {kind} here'
                )

    def _note(self, step: int, error: DamagedError) -> None:
        self._faults[step] = str(error)
        _say(f'damaged checkpoint: {error}')

    def _put_aside(self) -> None:
        """Renames damaged checkpoints, which would be in the way when the step is saved again."""
        if self._faults and jax.process_index() == 0:
            for step in self._faults:
                old, number = self._folder / str(step), 1
                while (new := self._folder / f'{step}.damaged.{number}').exists():
                    number += 1
                with as_input_error(self._folder):
                    old.rename(new)
                _say(f'{old} is now {new.name}; nothing reads it any more')
        if self._faults and jax.process_count() > 1:
            multihost_utils.sync_global_devices('damaged checkpoints are out of the way')
        self._faults.clear()


def _elsewhere(folder: Path) -> DamagedError:
    return DamagedError(f'{folder}: another process cannot read it')


def _say(text: str) -> None:
    if jax.process_index() == 0:
        print(text, file=sys.stderr, flush=True)


def _alone() -> ocp.options.MultiprocessingOptions:
    """Of a process that reads by itself: others must not wait for one that meets a fault."""
    me = jax.process_index()
    return ocp.options.MultiprocessingOptions(
        primary_host=me, active_processes={me}, barrier_sync_key_prefix=f'process{me}'
    )


def _on_devices(tree):
    """Where a process reads to by itself."""
    several = jax.process_count() > 1
    sharding = SingleDeviceSharding(jax.local_devices()[0]) if several else replicated()
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), tree)


def _on_host(leaf: jax.Array):
    """Bound to no device, as `replicate` needs it where several processes take part."""
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        bits = np.asarray(jax.random.key_data(leaf))
        return jax.random.wrap_key_data(bits, impl=jax.random.key_impl(leaf))
    return np.asarray(leaf)
