"""Small states, as quick to save as they are to compare."""

import jax
import jax.numpy as jnp
import numpy as np
from helpers.runs import assert_same_bits

from cda_jax.runtime.checkpoint import Checkpoints
from cda_jax.runtime.devices import replicate


def small_state(step: int) -> dict:
    """Arrays of every kind that a training has; those of noise stay as they are in a file."""
    noise = np.random.default_rng(step).integers(0, 2**32, 8192, dtype=np.uint32)
    state = {'step': jnp.int32(step), 'key': jax.random.key(step)}
    state['params'] = {'noise': noise, 'bias': np.full(3, step / 3, np.float32)}
    return replicate(state | {'batch_stats': {'mean': np.zeros(2, np.float32)}})


def save(folder, scores, keep=1, state=None):
    """Saves a state, or small ones, after steps with these scores of validation."""
    with Checkpoints(folder, keep=keep) as checkpoints:
        for step, score in scores.items():
            saved = state or small_state(step)
            checkpoints.save(saved, step, data={'read': step}, validation_score=score)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path, place):
    """Flips a bit of the byte there."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def assert_same_state(left, right):
    """Two trees have the same structure and bits, also in their random keys."""

    def raw(leaf):
        is_key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return jax.random.key_data(leaf) if is_key else leaf

    assert_same_bits(*(jax.tree.map(raw, state) for state in (left, right)))
