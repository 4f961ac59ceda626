"""What several processes tell each other: that they are about to do the same, and what failed."""

import collections
import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils

import cda_jax
from cda_jax.errors import InputError
from cda_jax.runtime.workdir import CHECKPOINTS

_MISSING = 'missing'
_SHOWN = 5


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Lets an error that one process meets in the block end all processes with its message.

    All must enter it, at the same point of their work. Within it they may not wait for each other.

    Raises:
        InputError: Another process met an error.
    """
    if not jax.distributed.is_initialized():
        yield
        return
    try:
        yield
    except Exception as error:
        gather_texts(in_words(error))
        raise
    for process, text in enumerate(gather_texts('')):
        if text:
            raise InputError(f'process {process} stopped: {text}')


def check_agreement(facts: dict[str, object], workdir: Path) -> None:
    """Checks that all processes are about to do the same; all must ask.

    Args:
        facts: What they must agree on, for JSON, by the name that an error gives it. Versions, code
            and the content of the workdir are added.
        workdir: Of the run.

    Raises:
        InputError: In every process, naming those that differ from the others and in what.
    """
    if jax.process_count() == 1:
        return
    check_devices([device.process_index for device in jax.devices()])
    own = {
        'the version of cda_jax': cda_jax.__version__,
        'the version of JAX': jax.__version__,
        'the code of cda_jax': digest_code(Path(cda_jax.__file__).parent),
        'the content of the workdir': _content(workdir),
    }
    gathered = gather_texts(json.dumps(own | facts))
    found = disagreements([json.loads(text) for text in gathered])
    if found:
        raise InputError(f'the processes do not agree: {found}')


def check_devices(process_of_device: Sequence[int]) -> None:
    """Checks that every process has as many devices as the others.

    Args:
        process_of_device: Number of the process of each device.

    Raises:
        InputError: They have different numbers.
    """
    counts = collections.Counter(process_of_device)
    if len(set(counts.values())) > 1:
        shown = ', '.join(f'process {number} has {counts[number]}' for number in sorted(counts))
        raise InputError(f'the processes have different numbers of devices: {shown}')


def digest_code(folder: Path) -> str:
    """A digest of all Python files in a folder and below, their names included."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob('*.py')):
        content = path.read_bytes()
        digest.update(f'{path.relative_to(folder).as_posix()} {len(content)}\n'.encode() + content)
    return digest.hexdigest()[:16]


def disagreements(of_processes: Sequence[dict[str, object]]) -> str:
    """Says which processes differ from the others, and in what; '' where none does.

    Those that agree with the most others are taken for right; among equals, the first.

    Args:
        of_processes: The facts of each process, as JSON gives them back.
    """
    keys = [json.dumps(one, sort_keys=True) for one in of_processes]
    # Among equals, `most_common` has the one that was met first.
    usual = json.loads(collections.Counter(keys).most_common(1)[0][0])
    base = next(number for number, one in enumerate(of_processes) if one == usual)
    texts = [
        f'process {number} differs from process {base} in {_differences(one, usual)}'
        for number, one in enumerate(of_processes)
        if one != usual
    ]
    more = [f'{len(texts) - _SHOWN} more processes differ'] if len(texts) > _SHOWN else []
    return '; '.join(texts[:_SHOWN] + more)


def all_processes(flags: list[bool]) -> list[bool]:
    """Which flags are set in all processes; all must ask, with as many flags."""
    if jax.process_count() == 1 or not flags:
        return flags
    return multihost_utils.process_allgather(np.array(flags)).all(axis=0).tolist()


def of_first_process(numbers: list[int]) -> list[int]:
    """What the first process has; all must ask.

    Args:
        numbers: Of this process, from 0 to 2^31 - 1; the others' are ignored.
    """
    if jax.process_count() == 1:
        return numbers
    count = int(multihost_utils.broadcast_one_to_all(np.int32(len(numbers))))
    padded = np.resize(np.array([*numbers, 0], np.int32), count)
    return multihost_utils.broadcast_one_to_all(padded).tolist()


def gather_texts(text: str) -> list[str]:
    """The texts of all processes, in their order; all must ask."""
    if jax.process_count() == 1:
        return [text]
    mine = np.frombuffer(text.encode(), np.uint8)
    lengths = multihost_utils.process_allgather(np.int32(len(mine))).ravel()
    padded = np.zeros(lengths.max(), np.uint8)
    padded[: len(mine)] = mine
    rows = multihost_utils.process_allgather(padded)
    return [bytes(row[:length]).decode() for row, length in zip(rows, lengths, strict=True)]


def in_words(error: BaseException) -> str:
    """The error as another process tells of it."""
    text = str(error)
    return text if isinstance(error, InputError) else f'{type(error).__name__}: {text}'


def _differences(one, usual) -> str:
    names = [
        name
        for name in dict.fromkeys([*usual, *one])
        if one.get(name, _MISSING) != usual.get(name, _MISSING)
    ]
    return ', '.join(
        f'{name} ({one.get(name, _MISSING)!r}, not {usual.get(name, _MISSING)!r})' for name in names
    )


def _content(workdir: Path) -> str:
    """What tells a workdir that all processes share from one of each process."""
    names = [path.name for path in workdir.glob('*')]
    names += [f'{CHECKPOINTS}/{path.name}' for path in workdir.glob(f'{CHECKPOINTS}/*')]
    digest = hashlib.sha256('\n'.join(sorted(names)).encode()).hexdigest()[:8]
    return f'{len(names)} files, {digest}'
