"""What a checkpoint says of itself, besides its arrays."""

import json
from pathlib import Path
from typing import NamedTuple

from cda_jax.errors import DamagedError, InputError
from cda_jax.runtime.integrity import unseal

SCORE = 'validation_accuracy'


class Facts(NamedTuple):
    """What a checkpoint says of itself.

    Attributes:
        data: As given to `save`.
        contents: Of `unseal`; None if it was written before there were checksums.
        score: Its accuracy in validation, or None.
    """

    data: dict
    contents: dict | None
    score: float | None


def read_facts(folder: Path) -> Facts:
    """Reads what a checkpoint says of itself.

    Args:
        folder: Of the checkpoint.

    Raises:
        DamagedError: It is not what was saved.
        InputError: It may not be read.
    """
    path = folder / 'data' / 'metadata'
    sealed = _read_json(path)
    if not isinstance(sealed, dict):
        raise DamagedError(f'{path}: expected what belongs to a checkpoint')
    try:
        data, contents = unseal(sealed)
    except DamagedError as error:
        raise DamagedError(f'{path}: {error}') from error
    path = folder / 'metrics' / 'metrics'
    metrics = _read_json(path) if path.parent.exists() else {}
    score = metrics.get(SCORE) if isinstance(metrics, dict) else None
    if contents is not None and score != contents[SCORE]:
        raise DamagedError(f'{path}: {SCORE} is {score}, was saved as {contents[SCORE]}')
    if not (folder / 'state').is_dir():
        raise DamagedError(f'{folder}/state: no such folder')
    return Facts(data, contents, score)


def _read_json(path: Path):
    try:
        return json.loads(path.read_bytes())
    except PermissionError as error:
        raise InputError(f'{path}: cannot be read: {error.strerror}') from error
    except OSError as error:
        raise DamagedError(f'{path}: {error.strerror}') from error
    except (ValueError, RecursionError) as error:
        raise DamagedError(f'{path}: expected JSON: {error}') from error
