"""What several processes tell each other: what they are about to do, and which error ended them."""

import collections
import contextlib
import hashlib
import json
import statistics
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

import cda_jax
from cda_jax.errors import InputError
from cda_jax.runtime.workdir import CHECKPOINTS

T = TypeVar('T')

_SHOWN = 5


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Lets an error that one process meets in the block end all, as an `InputError` in the others.

    All must enter it at the same point of their work. Within it they may not wait for each other.
    """
    try:
        yield
    except Exception as error:
        gather_texts(in_words(error))
        raise
    for process, text in enumerate(gather_texts('')):
        if text:
            raise InputError(f'process {process} stopped: {text}')


def check_agreement(facts: dict[str, object], workdir: Path) -> None:
    """Checks that all processes are about to do the same; all must call it.

    They must agree on these facts, on versions and code, and on the content of the workdir. If not,
    an `InputError` in every process names those that differ from the others, and in what.
    """
    if jax.process_count() == 1:
        return
    check_devices(device.process_index for device in jax.devices())
    # Tells a workdir that all processes share from one that each has for itself.
    paths = sorted([*workdir.glob('*'), *workdir.glob(f'{CHECKPOINTS}/*')])
    names = '\n'.join(path.relative_to(workdir).as_posix() for path in paths)
    digest = hashlib.sha256(names.encode()).hexdigest()[:8]
    own = {
        'the version of cda_jax': cda_jax.__version__,
        'the version of JAX': jax.__version__,
        'the code of cda_jax': digest_code(Path(cda_jax.__file__).parent),
        'the content of the workdir': f'{len(paths)} files, {digest}',
    }
    gathered = gather_texts(json.dumps(own | facts))
    if found := disagreements([json.loads(text) for text in gathered]):
        raise InputError(f'the processes do not agree: {found}')


def check_devices(process_of_device: Iterable[int]) -> None:
    """Checks that every process has as many devices as the others."""
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


def disagreements(facts: Sequence[dict[str, object]]) -> str:
    """Says which processes have other facts than most, and which; '' where all have the same.

    The facts that most processes have are taken for right; among equals, those of the first.
    """
    keys = [json.dumps(own, sort_keys=True) for own in facts]
    base = keys.index(statistics.mode(keys))
    texts, usual = [], facts[base]
    for number, own in enumerate(facts):
        pairs = {k: (own.get(k, 'missing'), usual.get(k, 'missing')) for k in usual | own}
        found = [f'{k} ({a!r}, not {b!r})' for k, (a, b) in pairs.items() if a != b]
        if found:
            texts.append(f'process {number} differs from process {base} in {", ".join(found)}')
    more = [f'{len(texts) - _SHOWN} more processes differ'] if len(texts) > _SHOWN else []
    return '; '.join(texts[:_SHOWN] + more)


def all_processes(flags: list[bool]) -> list[bool]:
    """Which flags are set in all processes; all must call it with as many flags."""
    if jax.process_count() == 1 or not flags:
        return flags
    return multihost_utils.process_allgather(np.array(flags)).all(axis=0).tolist()


def of_first_process(value: T) -> T:
    """The value, fit for JSON, that the first process has; all must call it."""
    return json.loads(gather_texts(json.dumps(value))[0])


def gather_texts(text: str) -> list[str]:
    """The texts of all processes, in their order; all must call it."""
    if jax.process_count() == 1:
        return [text]
    mine = np.frombuffer(text.encode(), np.uint8)
    lengths = multihost_utils.process_allgather(np.int32(len(mine))).ravel()
    padded = np.zeros(lengths.max(), np.uint8)
    padded[: len(mine)] = mine
    rows = multihost_utils.process_allgather(padded)
    return [bytes(row[:length]).decode() for row, length in zip(rows, lengths, strict=True)]


def in_words(error: BaseException) -> str:
    """The error in the words in which another process reports it."""
    text = str(error)
    return text if isinstance(error, InputError) else f'{type(error).__name__}: {text}'
