"""Seesaw loss: how much a sample pushes the other classes down depends on the pair of classes."""

import jax
import jax.numpy as jnp

from cda_jax.losses.class_counts import log_counts
from cda_jax.losses.cross_entropy import expected_cross_entropy, keep_rows


def seesaw_loss(
    logits: jax.Array,
    targets: jax.Array,
    mask: jax.Array | None = None,
    *,
    class_counts: jax.Array,
    p: float = 0.8,
    q: float = 2.0,
    axis_name: str | None = None,
) -> jax.Array:
    """Seesaw loss of each sample.

    Source: Wang et al. (2021), section 3.2, equations 4 and 6 to 8. In the softmax of a sample of
    class i, class j counts with the factor M_ij C_ij: the mitigation factor M_ij =
    min(1, N_j / N_i)^p spares rarer classes, the compensation factor C_ij = max(1, p_j / p_i)^q, of
    the sample's own probabilities, takes that back where j is mistaken for i. The factors are
    constants to differentiation. N are the counts of the whole training set, where the paper
    accumulates those seen so far. Soft targets give the expectation over labels drawn from them.
    Takes memory for B C^2 numbers.

    Args:
        logits: float[B, C].
        targets: float[B, C], one-hot or soft.
        mask: bool[B], the samples that count; None means all.
        class_counts: float[C], training examples of every class; 0 is read as 1.
        p: Exponent of the mitigation, 0 (none) or more.
        q: Exponent of the compensation, 0 (none) or more.
        axis_name: Not needed; here so that every loss is called the same way.

    Returns:
        float32[B]; 0 where masked out.

    Raises:
        ValueError: `p` or `q` is negative, or `class_counts` does not fit the classes.
    """
    del axis_name
    for name, exponent in (('p', p), ('q', q)):
        if not exponent >= 0:
            raise ValueError(f'{name} of the seesaw loss is {exponent}, expected 0 or more')
    num_classes = logits.shape[-1]
    logits = keep_rows(logits.astype(jnp.float32), mask)
    counts = log_counts(class_counts, num_classes)
    mitigation = p * jnp.minimum(_differences(counts), 0)
    # The ratio of two probabilities is that of the exponentials of their logits.
    compensation = q * jnp.maximum(_differences(jax.lax.stop_gradient(logits)), 0)
    label_logits = logits[:, None, :] + mitigation + compensation
    return expected_cross_entropy(label_logits, targets, mask, jnp.ones(num_classes, jnp.float32))


def _differences(values):
    """[..., i, j] -> values_j - values_i."""
    return values[..., None, :] - values[..., :, None]
