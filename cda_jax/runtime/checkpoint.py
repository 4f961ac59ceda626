"""Checkpoints: saves, finds the newest and the best, and passes over those that are damaged."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import jax
from jax.experimental import multihost_utils

from cda_jax.errors import DamagedError, InputError
from cda_jax.runtime import orbax_files
from cda_jax.runtime.devices import replicate
from cda_jax.runtime.files import after
from cda_jax.runtime.integrity import Seal, checksums, kinds, seal, unseal
from cda_jax.runtime.multihost import all_processes, of_first_process

T = TypeVar('T')

_ELSEWHERE = 'another process cannot read it'


class Checkpoints:
    """The checkpoints in a folder: the latest `keep`, and the best by validation, if any.

    A checkpoint is written while training goes on, and gets its final name only when complete.
    Each holds checksums of all its content. One that is damaged is never restored, and counts
    neither as the newest nor as the best once it is known to be.
    """

    def __init__(self, folder: str | Path, *, keep: int = 1):
        self._folder = Path(folder).absolute()
        self._keep = keep
        self._writer: orbax_files.Writer | None = None
        self._faults: dict[int, str] = {}

    def save(
        self, state: Any, step: int, *, data: dict, validation_score: float | None = None
    ) -> None:
        """Starts to write a checkpoint after so many steps, into a folder made if needed.

        The state, a tree of arrays, may be donated as soon as this returns. Beside it are kept the
        data, a tree for JSON, and the score, which makes the checkpoint a candidate for the
        best. An `InputError` says if it, or the one before, cannot be written.
        """
        with orbax_files.refusals(self._folder):
            if self._writer is None:
                self._writer = orbax_files.open_writer(self._folder, self._keep)
            sealed = seal(data, state, validation_score)
            orbax_files.write(self._writer, step, state, sealed, validation_score)

    def latest_step(self) -> int | None:
        """Steps done in the newest checkpoint; None if there is none."""
        return max(self._facts(), default=None)

    def best_step(self) -> int | None:
        """Steps done in the checkpoint that was best in validation; None without validation."""
        scores = {step: found.validation_score for step, (_, found) in self._facts().items()}
        scored = [step for step, score in scores.items() if score is not None]
        # Among equals the latest, which is also the one that Orbax keeps.
        return max(scored, key=lambda step: (scores[step], step), default=None)

    def faults(self) -> dict[int, str]:
        """The faults that were found in damaged checkpoints, by step."""
        self._facts()
        return dict(self._faults)

    def resume(self, like: T) -> tuple[T, dict, int] | None:
        """Restores the newest checkpoint that is not damaged, with its data and the steps done.

        None if there is no checkpoint at all. Damaged ones, also among the best, are renamed, so
        that a run can write these steps again.
        """
        # The best is only checked; it is read first, so that two states are never in memory.
        if self.best_step() not in (None, self.latest_step()):
            self.read_first(self.best_step, lambda step: self.restore(step, like)[1])
        found = self.read_first(self.latest_step, lambda step: (*self.restore(step, like), step))
        if found is not None:
            self._put_aside()
        return found

    def read_first(self, choose: Callable[[], int | None], read: Callable[[int], T]) -> T | None:
        """Has a checkpoint read; where it is damaged, says so and has another one chosen.

        Gives what `read` makes of its step; None if there is no checkpoint at all. If all are
        damaged, an `InputError` says how.
        """
        while (step := choose()) is not None:
            try:
                return read(step)
            except DamagedError as error:
                self._note(step, error)
        if not self._faults:
            return None
        lines = [
            f'{self._folder}: every checkpoint is damaged; expected one that is whole, or none:',
            *(fault for _, fault in sorted(self._faults.items())),
        ]
        raise InputError('\n  '.join(lines))

    def restore(self, step: int, like: T, *, partly: bool = False) -> tuple[T, dict]:
        """Reads a state onto the devices that there are now, and the data it was saved with.

        It has the shapes of `like`, which may be abstract; with `partly`, the checkpoint may hold
        other branches, too. A `DamagedError` says if it is not what was saved, an `InputError` if
        it is of another network.
        """
        data, found = self._facts_of(step)
        surplus = {} if partly else dict.fromkeys(found.kinds, 'nothing')
        for name, kind in (surplus | kinds(like)).items() if found.kinds else ():
            saved = found.kinds.get(name, 'nothing')
            if saved != kind:
                raise InputError(
                    f'{self._at(step)}: cannot be restored for this config: {name} is {saved} '
                    f'there, {kind} here'
                )
        return self._read(step, found, like), data

    def position(self, step: int) -> dict:
        """The data that a state was saved with."""
        return self._facts_of(step)[0]

    def finish(self) -> None:
        """Waits until everything is written; an `InputError` says if it cannot be."""
        if self._writer is not None:
            with orbax_files.refusals(self._folder):
                self._writer.wait_until_finished()

    def __enter__(self) -> 'Checkpoints':
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if self._writer is not None:
            with after(error), orbax_files.refusals(self._folder):
                self._writer.close()

    def _facts(self) -> dict[int, tuple[dict, Seal]]:
        """Data and seal of every checkpoint that is not known to be damaged, by step."""
        read, errors = {}, {}
        steps = set(orbax_files.list_steps(self._folder)) - self._faults.keys()
        steps = of_first_process(sorted(steps))
        for step in steps:
            try:
                read[step] = self._facts_of(step)
            except DamagedError as error:
                errors[step] = error
        for step, is_whole in zip(steps, all_processes([s in read for s in steps]), strict=True):
            if not is_whole:
                read.pop(step, None)
                # A run beside this one may have removed it meanwhile.
                if self._at(step).exists():
                    self._note(step, errors.get(step, f'{self._at(step)}: {_ELSEWHERE}'))
        return read

    def _facts_of(self, step: int) -> tuple[dict, Seal]:
        try:
            return unseal(*orbax_files.read_data(self._folder, step))
        except PermissionError as error:
            raise InputError(f'{self._at(step)}: cannot be read: {error.strerror}') from error
        except Exception as error:  # damaged files may raise anything
            raise DamagedError(f'{self._at(step)}: {_in_short(error)}') from error

    def _read(self, step: int, found: Seal, like: T) -> T:
        """Reads and verifies arrays; several processes come to one verdict."""
        fault = None
        try:
            restored = orbax_files.read_arrays(self._folder, step, like)
            for name, checksum in checksums(restored).items() if found.checksums else ():
                if checksum != found.checksums[name]:
                    raise DamagedError(f'{name} has other values than when it was saved')
        except (jax.errors.JaxRuntimeError, MemoryError, PermissionError):
            raise  # not the fault of the checkpoint
        except Exception as error:  # damaged files may raise anything
            fault = error
        if not all_processes([fault is None])[0]:
            reason = _ELSEWHERE if fault is None else _in_short(fault)
            raise DamagedError(f'{self._at(step)}: {reason}') from fault
        if not found.checksums:
            _say(f'{self._at(step)}: written without checksums; it is taken as it is, unverified')
        return replicate(restored)

    def _note(self, step: int, fault: object) -> None:
        self._faults[step] = str(fault)
        _say(f'damaged checkpoint: {fault}')

    def _put_aside(self) -> None:
        """Renames damaged checkpoints, so that their steps can be saved again."""
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


def _in_short(error: BaseException) -> str:
    """The first line of the error that was the cause of all."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).strip().partition('\n')[0][:400]
    return text if isinstance(error, DamagedError | OSError) else f'{type(error).__name__}: {text}'


def _say(text: str) -> None:
    if jax.process_index() == 0:
        print(text, file=sys.stderr, flush=True)
