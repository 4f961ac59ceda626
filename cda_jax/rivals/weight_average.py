"""The average of the weights over training, which is evaluated in place of the last ones."""

import jax.numpy as jnp
import optax
from jaxtyping import Array, Int


def average_weights(average: dict, weights: dict, step: Int[Array, ''], decay: float) -> dict:
    """The exponential moving average after one more step.

        average <- d average + (1 - d) weights,    d = min(decay, (1 + step) / (10 + step))

    d rises over the first steps, so that the untrained weights are soon forgotten and the average
    can be used at any step.

    Source: Polyak & Juditsky (1992), https://doi.org/10.1137/0330046, for averaging; the rise of d
    is that of `num_updates` in TensorFlow's `tf.train.ExponentialMovingAverage`.

    The `weights` are those after this step, batch norm's running statistics included. At step 0 the
    `average` holds those of the untrained network.

    >>> weights = {'params': jnp.float32(1), 'batch_stats': jnp.float32(2)}
    >>> average = {'params': jnp.float32(0), 'batch_stats': jnp.float32(0)}
    >>> average_weights(average, weights, jnp.int32(0), 0.999)['params']  # d is 1/10
    Array(0.9, dtype=float32)
    """
    decay = jnp.minimum(decay, (1 + step) / (10 + step))
    return optax.incremental_update(weights, average, 1 - decay)
