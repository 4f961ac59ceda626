"""Class-balanced losses: fixed class weights by the effective number of training examples."""

import jax

from cda_jax.losses.class_counts import effective_number_weights
from cda_jax.losses.cross_entropy import weighted_cross_entropy
from cda_jax.losses.focal_loss import weighted_focal_loss


def class_balanced_cross_entropy(
    logits: jax.Array,
    targets: jax.Array,
    mask: jax.Array | None = None,
    *,
    class_counts: jax.Array,
    beta: float = 0.9999,
    axis_name: str | None = None,
) -> jax.Array:
    """Cross entropy of each sample, weighted by the inverse effective number of its class.

    Source: Cui et al. (2019), section 4.1; `effective_number_weights` has the weights. Soft targets
    weigh each class's share on its own.

    Args:
        logits: float[B, C].
        targets: float[B, C], one-hot or soft.
        mask: bool[B], the samples that count; None means all.
        class_counts: float[C], training examples of every class; a class without any weighs 0.
        beta: 0 (no weighting) to below 1 (towards inverse counts).
        axis_name: Not needed; here so that every loss is called the same way.

    Returns:
        float32[B]; 0 where masked out.

    Raises:
        ValueError: `beta` is outside its range, or `class_counts` does not fit the classes.
    """
    del axis_name
    weights = effective_number_weights(class_counts, logits.shape[-1], beta=beta)
    return weighted_cross_entropy(logits, targets, mask, weights)


def class_balanced_focal_loss(
    logits: jax.Array,
    targets: jax.Array,
    mask: jax.Array | None = None,
    *,
    class_counts: jax.Array,
    beta: float = 0.9999,
    gamma: float = 2.0,
    axis_name: str | None = None,
) -> jax.Array:
    """Focal loss of each sample, weighted by the inverse effective number of its class.

    Source: Cui et al. (2019), section 4.3, with the softmax form of the focal loss in place of the
    sigmoid's, as everywhere here.

    Args:
        logits: float[B, C].
        targets: float[B, C], one-hot or soft.
        mask: bool[B], the samples that count; None means all.
        class_counts: float[C], training examples of every class; a class without any weighs 0.
        beta: 0 (no weighting) to below 1 (towards inverse counts).
        gamma: Focusing parameter, 0 or more.
        axis_name: Not needed; here so that every loss is called the same way.

    Returns:
        float32[B]; 0 where masked out.

    Raises:
        ValueError: `beta` or `gamma` is outside its range, or `class_counts` does not fit the
            classes.
    """
    del axis_name
    weights = effective_number_weights(class_counts, logits.shape[-1], beta=beta)
    return weighted_focal_loss(logits, targets, mask, weights, gamma=gamma)
