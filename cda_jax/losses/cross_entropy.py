"""Categorical cross entropy, plain and with a weight for every class."""

import jax
import jax.numpy as jnp


def cross_entropy(
    logits: jax.Array,
    targets: jax.Array,
    mask: jax.Array | None = None,
    *,
    axis_name: str | None = None,
) -> jax.Array:
    """Cross entropy of each sample.

    Source: Han et al. (2020), equation 8, before the mean over the samples.

    Args:
        logits: float[B, C].
        targets: float[B, C], one-hot or soft.
        mask: bool[B], the samples that count; None means all.
        axis_name: Not needed; here so that every loss is called the same way.

    Returns:
        float32[B]; 0 where masked out.
    """
    del axis_name
    return weighted_cross_entropy(logits, targets, mask, jnp.ones(logits.shape[-1], jnp.float32))


def weighted_cross_entropy(
    logits: jax.Array, targets: jax.Array, mask: jax.Array | None, weights: jax.Array
) -> jax.Array:
    """Cross entropy of each sample with a weight for every class.

    Args:
        logits: float[B, C].
        targets: float[B, C], one-hot or soft.
        mask: bool[B], the samples that count; None means all.
        weights: float32[C].

    Returns:
        float32[B], `-sum_j weights_j targets_ij log softmax(logits)_ij`; 0 where masked out.
    """
    logits = keep_rows(logits.astype(jnp.float32), mask)
    targets = keep_rows(targets.astype(jnp.float32), mask)
    return -jnp.sum(weights * targets * jax.nn.log_softmax(logits), axis=-1)


def keep_rows(values: jax.Array, mask: jax.Array | None) -> jax.Array:
    """Replaces the masked-out rows of `values` [B, C] by zeros, so that even a NaN there is gone.

    Rows are replaced before anything is computed from them: a product with 0 afterwards would keep
    a NaN, and its gradient.
    """
    return values if mask is None else jnp.where(mask[:, None], values, 0)
