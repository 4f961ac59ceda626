"""Adaptive Cross Entropy (ACE): class weights from the statistics of the batch at hand."""

import jax
import jax.numpy as jnp

from cda_jax.losses.batch_statistics import batch_statistics, miss_rates, ratio
from cda_jax.losses.cross_entropy import weighted_cross_entropy


def adaptive_cross_entropy(
    logits: jax.Array,
    targets: jax.Array,
    mask: jax.Array | None = None,
    *,
    alpha: float = 1.0,
    axis_name: str | None = None,
) -> jax.Array:
    """Cross entropy of each sample, weighted for rare and for badly recognised classes.

    Source: Han et al. (2020), equation 10, before the mean over the samples. No gradient passes
    through the weights.

    Args:
        logits: float[B, C].
        targets: float[B, C], one-hot or soft.
        mask: bool[B], the samples that count; None means all.
        alpha: How far the weights of the classes may part, 0 to 1. At 0 every class has the mean
            weight, at 1 its own.
        axis_name: Mapped axis over which the batch is spread; its statistics are summed over it.

    Returns:
        float32[B]; 0 where masked out.

    Raises:
        ValueError: `alpha` is outside 0 to 1.
    """
    weights = adaptive_weights(logits, targets, mask, alpha=alpha, axis_name=axis_name)
    return weighted_cross_entropy(logits, targets, mask, weights)


def adaptive_weights(
    logits: jax.Array,
    targets: jax.Array,
    mask: jax.Array | None = None,
    *,
    alpha: float = 1.0,
    axis_name: str | None = None,
) -> jax.Array:
    """The class weights of ACE.

    Source: Han et al. (2020), equations 11 to 13. Where these divide by 0: a class absent from the
    batch has a miss rate of 0; if no class has a miss, only the distribution weights act; with one
    class, or no sample that counts, every weight is 1.

    Args:
        logits: float[B, C]; the prediction is the largest, the lowest index among equals.
        targets: float[B, C], one-hot or soft.
        mask: bool[B], the samples that count; None means all.
        alpha: As in `adaptive_cross_entropy`.
        axis_name: As in `adaptive_cross_entropy`.

    Returns:
        float32[C], constants to differentiation.

    Raises:
        ValueError: `alpha` is outside 0 to 1.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f'alpha of adaptive cross entropy is {alpha}, expected 0 to 1')
    num_classes = logits.shape[-1]
    class_counts, class_hits, total = batch_statistics(logits, targets, mask, axis_name)
    if num_classes == 1:
        return jnp.ones(1, jnp.float32)

    distribution_weights = num_classes * (1 - ratio(class_counts, total)) / (num_classes - 1)
    misses = miss_rates(class_counts, class_hits)
    sum_of_misses = misses.sum()
    precision_weights = jnp.where(sum_of_misses > 0, num_classes * ratio(misses, sum_of_misses), 1)
    products = precision_weights * distribution_weights
    mean = products.mean()
    return jnp.where(total > 0, mean + alpha * (products - mean), 1)
