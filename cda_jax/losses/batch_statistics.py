"""What a batch, spread over a mapped axis, says about each class."""

import jax
import jax.numpy as jnp

from cda_jax.losses.cross_entropy import keep_rows


def batch_statistics(
    logits: jax.Array, targets: jax.Array, mask: jax.Array | None, axis_name: str | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Counts of the samples and of the hits of each class, over the whole mapped batch.

    Args:
        logits: float[B, C]; the prediction is the largest, the lowest index among equals.
        targets: float[B, C], one-hot or soft.
        mask: bool[B], the samples that count; None means all.
        axis_name: Mapped axis over which the batch is spread; the counts are summed over it.

    Returns:
        Samples of each class, float32[C]; hits of each class, float32[C]; all samples, float32.
        Constants to differentiation.
    """
    logits = jax.lax.stop_gradient(keep_rows(logits.astype(jnp.float32), mask))
    targets = jax.lax.stop_gradient(keep_rows(targets.astype(jnp.float32), mask))
    predicted = jax.nn.one_hot(jnp.argmax(logits, axis=-1), logits.shape[-1])
    total = jnp.float32(len(logits)) if mask is None else mask.sum(dtype=jnp.float32)
    statistics = targets.sum(axis=0), (targets * predicted).sum(axis=0), total
    return jax.lax.psum(statistics, axis_name) if axis_name else statistics


def miss_rates(class_counts: jax.Array, class_hits: jax.Array) -> jax.Array:
    """1 - recall of each class, float32[C]; 0 for a class that is absent from the batch."""
    return jnp.where(class_counts > 0, 1 - ratio(class_hits, class_counts), 0)


def ratio(numerator: jax.Array, denominator: jax.Array) -> jax.Array:
    """Their quotient, with 0 in place of x / 0."""
    return numerator / jnp.where(denominator > 0, denominator, jnp.inf)
