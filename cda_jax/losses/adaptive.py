"""Losses whose class weights come from the batch at hand: ACE and the recall loss."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from cda_jax.losses.cross_entropy import Mask, PerClass, PerSample, cross_entropy, keep_rows


def adaptive_cross_entropy(
    logits: PerClass,
    targets: PerClass,
    mask: Mask = None,
    *,
    alpha: float = 1.0,
    prior: float = 0.0,
    unit_mean: bool = False,
    axis_name: str | None = None,
) -> PerSample:
    """Adaptive cross entropy (ACE): classes weigh more if rare or badly recognised in the batch.

        -w_y log p_y

    with the weights w of `adaptive_weights`.

    Source: Han et al. (2020), equation 10, https://doi.org/10.1109/ACCESS.2020.3018738

    >>> logits = jnp.array([[2.0, 0], [0, 2], [2, 0]])
    >>> targets = jax.nn.one_hot(jnp.array([0, 0, 1]), 2)
    >>> print(adaptive_cross_entropy(logits, targets))
    [0.056... 0.945... 3.781...]
    """
    statistics = batch_statistics(logits, targets, mask, axis_name)
    weights = adaptive_weights(*statistics, alpha=alpha, prior=prior, unit_mean=unit_mean)
    return cross_entropy(logits, weights * targets, mask)


def adaptive_weights(
    class_counts: Float[Array, ' C'],
    class_hits: Float[Array, ' C'],
    total: Float[Array, ''],
    *,
    alpha: float = 1.0,
    prior: float = 0.0,
    unit_mean: bool = False,
) -> Float[Array, ' C']:
    """The class weights of ACE, from b_j samples of each class, h_j of them recognised, and all b.

        w_d = C (1 - b_j / b) / (C - 1)                   how rare class j is
        w_p = C r_j / sum_i r_i,  r_j = 1 - h_j / b_j     how badly it is recognised
        w_j = mean + alpha (w_p w_d - mean)               the mean of w_p w_d over the classes

    `alpha`, 0 to 1, is how far the weights may part. `prior` adds so many pseudo-samples to the
    batch, the same number of every class, of which as large a share is recognised as of the
    samples, so that a class with few samples weighs about as much as an average one; `unit_mean`
    divides the weights by their mean over the samples. At 1, 0 and False they are the paper's.

    Where the formulas divide by 0: a class absent from the batch has r_j = 0; if no class has a
    miss, every w_p is 1; with one class, or without a sample that counts, every weight is 1.

    Source: Han et al. (2020), equations 11 to 13, https://doi.org/10.1109/ACCESS.2020.3018738

    >>> counts, hits = jnp.array([2.0, 1.0]), jnp.array([1.0, 0.0])
    >>> print(adaptive_weights(counts, hits, jnp.float32(3)))  # 2/3 x 2/3 and 4/3 x 4/3
    [0.444... 1.777...]
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f'alpha of adaptive cross entropy is {alpha}, expected 0 to 1')
    if not 0 <= prior < math.inf:
        raise ValueError(f'prior of adaptive cross entropy is {prior}, expected a number from 0')
    num_classes = len(class_counts)
    if num_classes == 1:
        return jnp.ones(1, jnp.float32)

    counts, hits, size = class_counts, class_hits, total
    if prior:
        counts = class_counts + prior / num_classes
        hits = class_hits + prior / num_classes * ratio(class_hits.sum(), class_counts.sum())
        size = total + prior

    # Equation 11: the distribution weights.
    distribution = num_classes * (1 - ratio(counts, size)) / (num_classes - 1)
    # Equation 12: the precision weights.
    misses = miss_rates(counts, hits)
    sum_of_misses = misses.sum()
    precision = jnp.where(sum_of_misses > 0, num_classes * ratio(misses, sum_of_misses), 1)
    # Equation 13: their product, drawn towards its mean.
    products = precision * distribution
    mean = products.mean()
    weights = mean + alpha * (products - mean)
    if unit_mean:
        weights *= ratio(class_counts.sum(), (class_counts * weights).sum())
    return jnp.where(total > 0, weights, 1)


def recall_loss(
    logits: PerClass, targets: PerClass, mask: Mask = None, *, axis_name: str | None = None
) -> PerSample:
    """Recall loss: a class weighs as much as the share of its samples in the batch that is missed.

        -(1 - h_y / b_y) log p_y

    A class without a miss weighs 0, and so does one that is absent from the batch.

    Source: Tian et al. (2021), https://arxiv.org/abs/2106.14917

    >>> logits = jnp.array([[2.0, 0], [0, 2], [2, 0]])
    >>> targets = jax.nn.one_hot(jnp.array([0, 0, 1]), 2)
    >>> print(recall_loss(logits, targets))  # half of class 0 is missed, and all of class 1
    [0.063... 1.063... 2.126...]
    """
    class_counts, class_hits, _ = batch_statistics(logits, targets, mask, axis_name)
    return cross_entropy(logits, miss_rates(class_counts, class_hits) * targets, mask)


def batch_statistics(
    logits: PerClass, targets: PerClass, mask: Mask = None, axis_name: str | None = None
) -> tuple[Float[Array, ' C'], Float[Array, ' C'], Float[Array, '']]:
    """Samples and hits of each class, and all samples, over the whole mapped batch.

    A sample is taken for the class of its largest logit, the lowest among equals. All are constants
    to differentiation.
    """
    logits = jax.lax.stop_gradient(keep_rows(logits, mask))
    targets = jax.lax.stop_gradient(keep_rows(targets, mask))
    predicted = jax.nn.one_hot(jnp.argmax(logits, axis=-1), logits.shape[-1])
    total = jnp.float32(len(logits)) if mask is None else mask.sum(dtype=jnp.float32)
    statistics = targets.sum(axis=0), (targets * predicted).sum(axis=0), total
    return jax.lax.psum(statistics, axis_name) if axis_name else statistics


def miss_rates(
    class_counts: Float[Array, ' C'], class_hits: Float[Array, ' C']
) -> Float[Array, ' C']:
    """1 - recall of each class; 0 for a class that is absent from the batch."""
    return jnp.where(class_counts > 0, 1 - ratio(class_hits, class_counts), 0)


def ratio(numerator: Float[Array, '*C'], denominator: Float[Array, '*D']) -> Float[Array, '*C']:
    """Their quotient, with 0 in place of x / 0."""
    return numerator / jnp.where(denominator > 0, denominator, jnp.inf)
