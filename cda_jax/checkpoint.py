"""Checkpoints, and the only file that knows Orbax."""

import logging
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from cda_jax.errors import InputError
from cda_jax.parallel import replicated
from cda_jax.step import TrainState

_SCORE = 'validation_accuracy'

# Only checkpoints at the end of a validation have a score; Orbax would warn of every other.
logging.getLogger('absl').addFilter(lambda record: 'did not provide metrics' not in str(record.msg))


class Checkpoints:
    """The checkpoints of one working directory.

    A checkpoint is written while training goes on, and bears its final name only when complete.

    Args:
        folder: Where they are; made if needed.
        keep: How many of the latest stay. The best by validation, if any, stays besides.
    """

    def __init__(self, folder: str | Path, *, keep: int = 1):
        policies = preservation_policy
        options = ocp.CheckpointManagerOptions(
            best_fn=_score,
            # Both are needed: the policy alone would write no scores.
            preservation_policy=policies.AnyPreservationPolicy(
                [
                    policies.LatestN(keep),
                    policies.BestN(
                        get_metric_fn=_score, n=1, keep_checkpoints_without_metrics=False
                    ),
                ]
            ),
        )
        self._manager = ocp.CheckpointManager(Path(folder).absolute(), options=options)

    def save(
        self, state: TrainState, step: int, *, data: dict, validation_accuracy: float | None = None
    ) -> None:
        """Starts to write a checkpoint, unless there is one of this step.

        Args:
            state: To save; its memory may be used again as soon as this returns.
            step: Steps done.
            data: What the position in the data means (see `cda_jax.experiment.data_position`).
            validation_accuracy: Makes the checkpoint a candidate for the best.
        """
        if step in self._manager.all_steps():
            return
        score = None if validation_accuracy is None else {_SCORE: validation_accuracy}
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(state), data=ocp.args.JsonSave(data)
            ),
            metrics=score,
            force=True,
        )

    def latest_step(self) -> int | None:
        """Steps done in the newest checkpoint; None if there is none."""
        return self._manager.latest_step()

    def best_step(self) -> int | None:
        """Steps done in the checkpoint that was best in validation; None without validation."""
        scored = [
            step for step in self._manager.all_steps() if self._manager.metrics(step) is not None
        ]
        # Among equals the latest, which is also the one that Orbax keeps.
        return max(
            scored, key=lambda step: (_score(self._manager.metrics(step)), step), default=None
        )

    def restore(self, step: int, like: TrainState) -> tuple[TrainState, dict]:
        """Reads a checkpoint onto the devices of this run, whatever they were when it was written.

        Args:
            step: Which.
            like: A state of the same shapes; may be abstract.

        Returns:
            The state, replicated, and the `data` it was saved with.

        Raises:
            InputError: The checkpoint does not fit `like`.
        """
        arguments = ocp.args.Composite(
            state=ocp.args.StandardRestore(_on_all_devices(like)), data=ocp.args.JsonRestore()
        )
        restored = self._read(self._manager, step, arguments)
        return restored.state, restored.data

    def position(self, step: int) -> dict:
        """Reads only the `data` that a checkpoint was saved with.

        Raises:
            InputError: It cannot be read.
        """
        arguments = ocp.args.Composite(data=ocp.args.JsonRestore())
        with ocp.CheckpointManager(self._manager.directory) as manager:
            return self._read(manager, step, arguments).data

    def restore_weights(self, step: int, like: dict) -> dict:
        """Reads only what a trained network needs.

        Args:
            step: Which checkpoint.
            like: `params` and `batch_stats` of the same shapes; may be abstract.

        Returns:
            The same tree, replicated over the devices of this run.

        Raises:
            InputError: The checkpoint does not fit `like`.
        """
        target = _on_all_devices(like)
        partial = ocp.args.PyTreeRestore(
            item=target,
            restore_args=ocp.checkpoint_utils.construct_restore_args(target),
            partial_restore=True,
        )
        # Fresh, because a manager that has saved is bound to the form in which it saved.
        with ocp.CheckpointManager(self._manager.directory) as manager:
            return self._read(manager, step, ocp.args.Composite(state=partial)).state

    def _read(self, manager, step, arguments):
        try:
            return manager.restore(step, args=arguments)
        except (ValueError, KeyError, TypeError, FileNotFoundError) as error:
            raise InputError(
                f'{self._manager.directory}/{step}: cannot be restored for this config: {error}'
            ) from error

    def finish(self) -> None:
        """Waits until everything is written."""
        self._manager.wait_until_finished()

    def __enter__(self) -> 'Checkpoints':
        return self

    def __exit__(self, *error: Any) -> None:
        self._manager.close()


def _on_all_devices(tree):
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=replicated()), tree
    )


def _score(metrics: dict[str, float]) -> float:
    return metrics[_SCORE]
