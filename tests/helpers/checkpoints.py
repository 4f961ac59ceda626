"""Small states, as quick to save as they are to compare."""

import jax
import jax.numpy as jnp
import numpy as np

from cda_jax.runtime.devices import replicate


def small_state(step: int) -> dict:
    """Arrays of every kind that a training has; those of noise stay as they are in a file."""
    noise = np.random.default_rng(step).integers(0, 2**32, 8192, dtype=np.uint32)
    params = {'noise': noise, 'bias': np.full(3, step / 3, np.float32)}
    return replicate(
        {
            'step': jnp.int32(step),
            'params': params,
            'batch_stats': {'mean': np.zeros(2, np.float32)},
            'key': jax.random.key(step),
        }
    )


def assert_same_state(left, right):
    """Two trees have the same structure and bits, also in their random keys."""

    def raw(leaf):
        is_key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(leaf) if is_key else leaf)

    assert jax.tree.structure(left) == jax.tree.structure(right)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(raw(a), raw(b)), left, right)
