"""Recall loss: class weights from the misses of the batch at hand."""

import jax

from cda_jax.losses.batch_statistics import batch_statistics, miss_rates
from cda_jax.losses.cross_entropy import weighted_cross_entropy


def recall_loss(
    logits: jax.Array,
    targets: jax.Array,
    mask: jax.Array | None = None,
    *,
    axis_name: str | None = None,
) -> jax.Array:
    """Cross entropy of each sample, weighted by its class's false negatives rate in the batch.

    Source: Tian et al. (2021): the weight of class j is 1 - recall_j, of the batch. A class absent
    from the batch weighs 0, as in `adaptive_weights`; so does a class without a miss, and a batch
    without one has a loss of 0. No gradient passes through the weights. With soft targets a sample
    counts as targets_ij of an example of class j.

    Args:
        logits: float[B, C]; the prediction is the largest, the lowest index among equals.
        targets: float[B, C], one-hot or soft.
        mask: bool[B], the samples that count; None means all.
        axis_name: Mapped axis over which the batch is spread; its statistics are summed over it.

    Returns:
        float32[B]; 0 where masked out.
    """
    class_counts, class_hits, _ = batch_statistics(logits, targets, mask, axis_name)
    return weighted_cross_entropy(logits, targets, mask, miss_rates(class_counts, class_hits))
