"""Weights of a network for tests that do not care how they are drawn."""

import math

import jax
import jax.numpy as jnp
import numpy as np


def draw_weights(init, *inputs) -> dict:
    """Variables as `init(key, *inputs)` has them: NumPy draws kernels in no time, XLA in a second.

    Biases are drawn as well; scales and variances are 1, all else is 0.
    """
    rng = np.random.default_rng(0)

    def draw(path, leaf):
        name = path[-1].key
        if name == 'kernel':
            scale = 1 / math.sqrt(math.prod(leaf.shape[:-1]))
            return jnp.asarray(scale * rng.normal(size=leaf.shape), leaf.dtype)
        if name == 'bias':  # at 0 it would not be missed
            return jnp.asarray(0.1 * rng.normal(size=leaf.shape), leaf.dtype)
        return jnp.full(leaf.shape, name in ('scale', 'var'), leaf.dtype)

    shapes = jax.eval_shape(init, jax.random.key(0), *inputs)
    return jax.tree.map_with_path(draw, shapes)
