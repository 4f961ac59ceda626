"""Checkpoints: the newest, the best, and what becomes of one that is damaged."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax
from jax.experimental import multihost_utils

from cda_jax.errors import DamagedError, InputError
from cda_jax.runtime import orbax_files
from cda_jax.runtime.devices import replicate
from cda_jax.runtime.files import writing
from cda_jax.runtime.integrity import Seal, checksums, kinds, seal, unseal
from cda_jax.runtime.multihost import all_processes, of_first_process

_Tree = TypeVar('_Tree')
_Read = TypeVar('_Read')


class _Facts(NamedTuple):
    """What a checkpoint says of itself; it has no seal if it is older than seals are."""

    data: dict
    seal: Seal | None
    score: float | None


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
        self._folder = Path(folder).absolute()
        self._keep = keep
        self._writer: orbax_files.Writer | None = None
        self._faults: dict[int, str] = {}
        if not read_only:
            with writing(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)

    def save(
        self, state: Any, step: int, *, data: dict, validation_accuracy: float | None = None
    ) -> None:
        """Starts to write a checkpoint, unless there is one of this step.

        Args:
            state: A tree of arrays; their memory may be used again as soon as this returns.
            step: Steps done.
            data: A tree for JSON, kept beside the state.
            validation_accuracy: Makes the checkpoint a candidate for the best.

        Raises:
            InputError: This checkpoint or the one before cannot be written.
        """
        with orbax_files.refusals(self._folder):
            if self._writer is None:
                self._writer = orbax_files.open_writer(self._folder, self._keep)
            if step not in self._writer.all_steps():
                sealed = seal(data, state, validation_accuracy)
                orbax_files.write(self._writer, step, state, sealed, validation_accuracy)

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

    def resume(self, like: _Tree) -> tuple[_Tree, dict, int] | None:
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
            self.read_first(self.best_step, lambda step: self.restore(step, like)[1])
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

    def restore(self, step: int, like: _Tree) -> tuple[_Tree, dict]:
        """Reads a checkpoint onto the devices of this run, whatever they were when it was written.

        Args:
            step: Which.
            like: A state of the same shapes; may be abstract.

        Returns:
            The state, replicated, and the `data` it was saved with.

        Raises:
            DamagedError: The checkpoint is not what was saved.
            InputError: It does not fit `like`.
        """
        facts = self._facts_of(step)
        saved = facts.seal.kinds if facts.seal else {}
        self._check_fit(step, facts.seal, dict.fromkeys(saved, 'nothing') | kinds(like))
        return self._read(step, facts.seal, like), facts.data

    def restore_weights(self, step: int, like: _Tree) -> _Tree:
        """As `restore`, of some branches of a state, such as what a trained network needs."""
        facts = self._facts_of(step)
        self._check_fit(step, facts.seal, kinds(like))
        return self._read(step, facts.seal, like)

    def position(self, step: int) -> dict:
        """As `restore`, only of the `data` that the state was saved with."""
        return self._facts_of(step).data

    def finish(self) -> None:
        """Waits until everything is written.

        Raises:
            InputError: It cannot be written.
        """
        if self._writer is not None:
            with orbax_files.refusals(self._folder):
                self._writer.wait_until_finished()

    def __enter__(self) -> 'Checkpoints':
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if self._writer is None:
            return
        try:
            with orbax_files.refusals(self._folder):
                self._writer.close()
        except InputError as failure:
            if error is None:
                raise
            error.add_note(str(failure))  # what ended the run is told first

    def _facts(self) -> dict[int, _Facts]:
        """Of every checkpoint, by step, but those that are known to be damaged."""
        read, errors = {}, {}
        steps = set(orbax_files.list_steps(self._folder)) - self._faults.keys()
        steps = of_first_process(sorted(steps))
        for step in steps:
            try:
                read[step] = self._facts_of(step)
            except DamagedError as error:
                errors[step] = error
        for step, is_whole in zip(steps, all_processes([s in read for s in steps]), strict=True):
            if is_whole:
                continue
            read.pop(step, None)
            if self._at(step).exists():  # a run beside this one removes its older checkpoints
                self._note(step, errors.get(step, self._elsewhere(step)))
        return read

    def _facts_of(self, step: int) -> _Facts:
        try:
            sealed, score = orbax_files.read_data(self._folder, step)
            data, found = unseal(sealed)
            if found is not None and score != found.validation_accuracy:
                saved = found.validation_accuracy
                raise DamagedError(f'validation_accuracy is {score}, was saved as {saved}')
        except PermissionError as error:
            raise InputError(f'{self._at(step)}: cannot be read: {error.strerror}') from error
        except Exception as error:  # anything may come out of damaged files
            raise DamagedError(f'{self._at(step)}: {_in_short(error)}') from error
        return _Facts(data, found, score)

    def _check_fit(self, step: int, found: Seal | None, expected: dict[str, str]) -> None:
        for name, kind in expected.items() if found else ():
            saved = found.kinds.get(name, 'nothing')
            if saved != kind:
                raise InputError(
                    f'{self._at(step)}: cannot be restored for this config: {name} is {saved} '
                    f'there, {kind} here'
                )

    def _read(self, step: int, found: Seal | None, like: _Tree) -> _Tree:
        """Reads and verifies arrays; where several processes read, with one verdict of all."""
        fault = None
        try:
            restored = orbax_files.read_arrays(self._folder, step, like)
            for name, checksum in checksums(restored).items() if found else ():
                if checksum != found.checksums[name]:
                    raise DamagedError(f'{name} has other values than when it was saved')
        except (jax.errors.JaxRuntimeError, MemoryError, PermissionError):
            raise  # these say nothing of the checkpoint
        except Exception as error:  # anything may come out of damaged files
            fault = error
        if not all_processes([fault is None])[0]:
            if fault is None:
                raise self._elsewhere(step)
            raise DamagedError(f'{self._at(step)}: {_in_short(fault)}') from fault
        if found is None:
            _say(f'{self._at(step)}: written without checksums; it is taken as it is, unverified')
        return replicate(restored)

    def _note(self, step: int, error: DamagedError) -> None:
        self._faults[step] = str(error)
        _say(f'damaged checkpoint: {error}')

    def _put_aside(self) -> None:
        """Renames damaged checkpoints, which would be in the way when the step is saved again."""
        for step in self._faults if jax.process_index() == 0 else ():
            number = 1
            while (new := self._folder / f'{step}.damaged.{number}').exists():
                number += 1
            with orbax_files.refusals(self._folder):
                self._at(step).rename(new)
            _say(f'{self._at(step)} is now {new.name}; nothing reads it any more')
        if self._faults:
            multihost_utils.sync_global_devices('damaged checkpoints are out of the way')
        self._faults.clear()

    def _at(self, step: int) -> Path:
        return self._folder / str(step)

    def _elsewhere(self, step: int) -> DamagedError:
        return DamagedError(f'{self._at(step)}: another process cannot read it')


def _in_short(error: BaseException) -> str:
    """The first line of what an error comes from."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).strip().partition('\n')[0][:400]
    return text if isinstance(error, DamagedError | OSError) else f'{type(error).__name__}: {text}'


def _say(text: str) -> None:
    if jax.process_index() == 0:
        print(text, file=sys.stderr, flush=True)
