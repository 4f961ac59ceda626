"""What a checkpoint says of its own content, so that damage shows when it is read."""

import json
import zlib
from typing import Any

import jax
import msgspec
import numpy as np

from cda_jax.errors import DamagedError

_SEAL = 'integrity'


class Seal(msgspec.Struct):
    """What is needed to check a checkpoint.

    Attributes:
        kinds: Data type and shape of every array, by its place.
        checksums: CRC-32 of the bytes of every array.
        validation_accuracy: The checkpoint's score, if it has one.
        own_checksum: CRC-32 of all else that the checkpoint has in JSON.
    """

    kinds: dict[str, str]
    checksums: dict[str, int]
    validation_accuracy: float | None
    own_checksum: int = 0


def seal(data: dict, arrays: Any, validation_accuracy: float | None) -> dict:
    """Adds to the JSON data of a checkpoint what is needed to check all of it.

    Returns:
        A tree for JSON; `unseal` takes it apart.
    """
    own = msgspec.to_builtins(Seal(kinds(arrays), checksums(arrays), validation_accuracy))
    own['own_checksum'] = _own_checksum(data, own)
    return data | {_SEAL: own}


def unseal(sealed: Any) -> tuple[dict, Seal | None]:
    """Takes apart what `seal` made.

    Returns:
        The data, and the seal; None in its place if the data were never sealed.

    Raises:
        DamagedError: It is not what `seal` made.
    """
    if not isinstance(sealed, dict):
        raise DamagedError('expected what belongs to a checkpoint')
    data = {name: value for name, value in sealed.items() if name != _SEAL}
    if _SEAL not in sealed:
        return data, None
    try:
        found = msgspec.convert(sealed[_SEAL], Seal)
    except msgspec.ValidationError as error:
        raise DamagedError(f'{_SEAL}: {error}') from error
    if found.own_checksum != _own_checksum(data, sealed[_SEAL]):
        raise DamagedError('its checksum is another than when it was saved')
    return data, found


def kinds(tree: Any) -> dict[str, str]:
    """Data type and shape of every array, by its place: `{'params/dense1/bias': 'float32[512]'}`.

    Args:
        tree: Of arrays, which may be abstract.
    """
    return {
        name: f'{leaf.dtype}[{",".join(map(str, leaf.shape))}]'
        for name, leaf in _leaves(tree).items()
    }


def checksums(tree: Any) -> dict[str, int]:
    """CRC-32 of the bytes of every array, by its place.

    One array at a time is on the host; no copy stays behind.

    Args:
        tree: Of arrays that are the same on every device; of each the first local copy is read.
    """
    return {name: zlib.crc32(_bytes(leaf)) for name, leaf in _leaves(tree).items()}


def _leaves(tree):
    return {
        jax.tree_util.keystr(path, simple=True, separator='/'): leaf
        for path, leaf in jax.tree.leaves_with_path(tree)
    }


def _bytes(leaf) -> np.ndarray:
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    # Of a fresh array for one device: the leaf itself would keep the copy that is made here.
    if isinstance(leaf, jax.Array):
        leaf = leaf.addressable_data(0)
    return np.ascontiguousarray(leaf).reshape(-1).view(np.uint8)


def _own_checksum(data: dict, own: dict) -> int:
    rest = {name: value for name, value in own.items() if name != 'own_checksum'}
    return zlib.crc32(json.dumps(data | {_SEAL: rest}, sort_keys=True).encode())
