"""Checksums that a checkpoint keeps of its own content, so that damage shows when it is read."""

import functools
import json
import zlib
from typing import Any

import jax
import msgspec
import numpy as np

from cda_jax.errors import DamagedError

_SEAL = 'integrity'  # its place in the JSON


class Seal(msgspec.Struct):
    """What a checkpoint is checked against; empty if it is from before there were checksums."""

    kinds: dict[str, str]
    checksums: dict[str, int]
    validation_score: float | None
    own_checksum: int = 0  # CRC-32 of all else that the checkpoint has in JSON


def seal(data: dict, arrays: Any, validation_score: float | None) -> dict:
    """Adds to the JSON data of a checkpoint what is needed to check all of it."""
    own = msgspec.to_builtins(Seal(kinds(arrays), checksums(arrays), validation_score))
    own['own_checksum'] = _own_checksum(data, own)
    return data | {_SEAL: own}


def unseal(sealed: Any, validation_score: float | None) -> tuple[dict, Seal]:
    """Takes what `seal` made apart; a `DamagedError` says if it or the score has changed."""
    if not isinstance(sealed, dict):
        raise DamagedError('expected an object in its JSON')
    data = {name: value for name, value in sealed.items() if name != _SEAL}
    if _SEAL not in sealed:
        return data, Seal({}, {}, validation_score)
    try:
        found = msgspec.convert(sealed[_SEAL], Seal)
    except msgspec.ValidationError as error:
        raise DamagedError(f'{_SEAL}: {error}') from error
    if found.own_checksum != _own_checksum(data, sealed[_SEAL]):
        raise DamagedError('its checksum is another than when it was saved')
    if (saved := found.validation_score) != validation_score:
        raise DamagedError(f'validation_score is {validation_score}, was saved as {saved}')
    return data, found


def kinds(tree: Any) -> dict[str, str]:
    """Types and shapes of arrays, which may be abstract: `{'params/a/bias': 'float32[512]'}`."""
    return {
        name: f'{leaf.dtype}[{",".join(map(str, leaf.shape))}]'
        for name, leaf in _leaves(tree).items()
    }


def checksums(tree: Any) -> dict[str, int]:
    """CRC-32 of the bytes of every array, by its place in the tree.

    The arrays are the same on every device. One at a time is copied to the host.
    """
    return {name: zlib.crc32(_as_bytes(leaf)) for name, leaf in _leaves(tree).items()}


def _leaves(tree):
    name = functools.partial(jax.tree_util.keystr, simple=True, separator='/')
    return {name(path): leaf for path, leaf in jax.tree.leaves_with_path(tree)}


def _as_bytes(leaf) -> np.ndarray:
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    # Through an array on one device, because the leaf itself would keep the copy that is made here.
    if isinstance(leaf, jax.Array):
        leaf = leaf.addressable_data(0)
    return np.ascontiguousarray(leaf).reshape(-1).view(np.uint8)


def _own_checksum(data: dict, own: dict) -> int:
    rest = {name: value for name, value in own.items() if name != 'own_checksum'}
    return zlib.crc32(json.dumps(data | {_SEAL: rest}, sort_keys=True).encode())
