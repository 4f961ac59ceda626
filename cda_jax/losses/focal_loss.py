"""Focal loss: samples that are recognised already count little."""

import jax
import jax.numpy as jnp

from cda_jax.losses.cross_entropy import keep_rows


def focal_loss(
    logits: jax.Array,
    targets: jax.Array,
    mask: jax.Array | None = None,
    *,
    gamma: float = 2.0,
    axis_name: str | None = None,
) -> jax.Array:
    """Focal loss of each sample, in its softmax form.

    Source: Lin et al. (2017), equation 4, with p_t the softmax's probability of the label. Soft
    targets give the expectation over labels drawn from them. The gradient passes through the
    factor (1 - p_t)^gamma.

    Args:
        logits: float[B, C].
        targets: float[B, C], one-hot or soft.
        mask: bool[B], the samples that count; None means all.
        gamma: Focusing parameter, 0 or more; 0 is cross entropy.
        axis_name: Not needed; here so that every loss is called the same way.

    Returns:
        float32[B]; 0 where masked out.

    Raises:
        ValueError: `gamma` is negative.
    """
    del axis_name
    weights = jnp.ones(logits.shape[-1], jnp.float32)
    return weighted_focal_loss(logits, targets, mask, weights, gamma=gamma)


def weighted_focal_loss(
    logits: jax.Array,
    targets: jax.Array,
    mask: jax.Array | None,
    weights: jax.Array,
    *,
    gamma: float,
) -> jax.Array:
    """Focal loss of each sample with a weight for every class.

    Args:
        logits: float[B, C].
        targets: float[B, C], one-hot or soft.
        mask: bool[B], the samples that count; None means all.
        weights: float32[C].
        gamma: Focusing parameter, 0 or more.

    Returns:
        float32[B], `-sum_j weights_j targets_ij (1 - p_ij)^gamma log p_ij` where p is the softmax;
        0 where masked out.

    Raises:
        ValueError: `gamma` is negative.
    """
    if not gamma >= 0:
        raise ValueError(f'gamma of the focal loss is {gamma}, expected 0 or more')
    logits = keep_rows(logits.astype(jnp.float32), mask)
    targets = keep_rows(targets.astype(jnp.float32), mask)
    log_p = jax.nn.log_softmax(logits)
    # Kept off 0, where a power below 1 has an infinite slope.
    miss = jnp.maximum(-jnp.expm1(log_p), jnp.finfo(jnp.float32).tiny)
    return -jnp.sum(weights * targets * miss**gamma * log_p, axis=-1)
