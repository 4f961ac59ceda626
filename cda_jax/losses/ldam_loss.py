"""LDAM: larger margins for rarer classes, and class weights late in training."""

import jax
import jax.numpy as jnp

from cda_jax.losses.class_counts import checked_counts, effective_number_weights
from cda_jax.losses.cross_entropy import expected_cross_entropy, keep_rows


def ldam_loss(
    logits: jax.Array,
    targets: jax.Array,
    mask: jax.Array | None = None,
    *,
    class_counts: jax.Array,
    progress: jax.Array,
    max_margin: float = 0.5,
    scale: float = 30.0,
    reweight_from: float = 0.8,
    beta: float = 0.9999,
    axis_name: str | None = None,
) -> jax.Array:
    """Label-distribution-aware margin loss of each sample, with deferred re-weighting.

    Source: Cao et al. (2019), equations 12 and 13 for the loss and its margins, algorithm 1 for the
    re-weighting: all weights are 1 until `reweight_from` of training, then those of
    `effective_number_weights` act, where the algorithm has 1/n_j (here: `beta` near 1). Soft
    targets give the expectation over labels drawn from them.
    Takes memory for B C^2 numbers.

    Args:
        logits: float[B, C]. The paper's are cosines, -1 to 1, which `scale` makes into logits; with
            those of a plain linear layer a scale of 1 is the paper's equation 12.
        targets: float[B, C], one-hot or soft.
        mask: bool[B], the samples that count; None means all.
        class_counts: float[C], training examples of every class. A class without any has the
            largest margin, and no weight once re-weighting acts.
        progress: Share of training that is done, scalar from 0 to 1.
        max_margin: Margin of the rarest class, 0 or more, in units of the unscaled logits.
        scale: What logits and margins are multiplied by, above 0.
        reweight_from: Progress from which the class weights act, 0 to 1.
        beta: Of the class weights; 0 switches them off.
        axis_name: Not needed; here so that every loss is called the same way.

    Returns:
        float32[B]; 0 where masked out.

    Raises:
        ValueError: A hyper-parameter is outside its range, or `class_counts` does not fit the
            classes.
    """
    del axis_name
    if not scale > 0:
        raise ValueError(f'scale of LDAM is {scale}, expected above 0')
    if not 0 <= reweight_from <= 1:
        raise ValueError(f'reweight_from of LDAM is {reweight_from}, expected 0 to 1')
    num_classes = logits.shape[-1]
    balanced = effective_number_weights(class_counts, num_classes, beta=beta)
    weights = jnp.where(progress >= reweight_from, balanced, 1)
    margins = label_margins(class_counts, num_classes, max_margin=max_margin)
    logits = keep_rows(logits.astype(jnp.float32), mask)
    label_logits = scale * (logits[:, None, :] - jnp.diag(margins))
    return expected_cross_entropy(label_logits, targets, mask, weights)


def label_margins(class_counts: jax.Array, num_classes: int, *, max_margin: float) -> jax.Array:
    """Margins in inverse proportion to the fourth root of the class counts.

    Source: Cao et al. (2019), equation 13, its constant chosen so that the rarest class that has
    examples has `max_margin`. A class without examples has that margin too.

    Args:
        class_counts: float[C], training examples of every class.
        num_classes: C.
        max_margin: Largest margin, 0 or more.

    Returns:
        float32[C].

    Raises:
        ValueError: `max_margin` is negative, or `class_counts` does not fit the classes.
    """
    if not max_margin >= 0:
        raise ValueError(f'max_margin of LDAM is {max_margin}, expected 0 or more')
    counts = checked_counts(class_counts, num_classes)
    present = counts > 0
    fewest = jnp.min(counts, initial=jnp.inf, where=present)
    return max_margin * jnp.where(present, fewest / jnp.where(present, counts, 1), 1) ** 0.25
