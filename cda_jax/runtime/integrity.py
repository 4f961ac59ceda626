"""What a checkpoint says of its own content, so that damage shows when it is read."""

import json
import zlib

import jax
import numpy as np

from cda_jax.errors import DamagedError

_SEAL = 'integrity'


def kinds(tree) -> dict[str, str]:
    """Data type and shape of every leaf, by its place: `{'params/dense1/bias': 'float32[512]'}`.

    Args:
        tree: Of arrays, which may be abstract.
    """
    return {
        name: f'{leaf.dtype}[{",".join(map(str, leaf.shape))}]'
        for name, leaf in _leaves(tree).items()
    }


def checksums(tree) -> dict[str, int]:
    """CRC-32 of the bytes of every leaf, by its place.

    One leaf at a time is on the host; no copy stays behind.

    Args:
        tree: Of arrays that are the same on every device; of each the first local copy is read.
    """
    return {name: zlib.crc32(_bytes(leaf)) for name, leaf in _leaves(tree).items()}


def seal(data: dict, state, validation_accuracy: float | None) -> dict:
    """Adds to the data of a checkpoint what is needed to check all of it.

    Args:
        data: A tree for JSON.
        state: Of arrays, the rest of the checkpoint.
        validation_accuracy: Its score, or None.

    Returns:
        A tree for JSON; `unseal` takes it apart.
    """
    contents = {
        'kinds': kinds(state),
        'checksums': checksums(state),
        'validation_accuracy': validation_accuracy,
    }
    own = _checksum_of_json(data | {_SEAL: contents})
    return data | {_SEAL: contents | {'own_checksum': own}}


def unseal(sealed: dict) -> tuple[dict, dict | None]:
    """Takes apart what `seal` made.

    Returns:
        The data, and `kinds`, `checksums` and `validation_accuracy`; None in their place if the
        data were never sealed.

    Raises:
        DamagedError: It is not what `seal` made.
    """
    data = {name: value for name, value in sealed.items() if name != _SEAL}
    if _SEAL not in sealed:
        return data, None
    contents = sealed[_SEAL]
    if not isinstance(contents, dict) or 'own_checksum' not in contents:
        raise DamagedError(f'{_SEAL} has no own_checksum')
    contents = dict(contents)
    own = contents.pop('own_checksum')
    if own != _checksum_of_json(data | {_SEAL: contents}):
        raise DamagedError('its checksum is another than when it was saved')
    return data, contents


def check_leaves(tree, contents: dict) -> None:
    """Compares restored arrays with what was saved.

    Args:
        tree: All of the sealed state, or branches of it.
        contents: Of `unseal`.

    Raises:
        DamagedError: Names the first array that is another.
    """
    for name, checksum in checksums(tree).items():
        if checksum != contents['checksums'][name]:
            raise DamagedError(f'{name} has other values than when it was saved')


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


def _checksum_of_json(tree) -> int:
    return zlib.crc32(json.dumps(tree, sort_keys=True).encode())
