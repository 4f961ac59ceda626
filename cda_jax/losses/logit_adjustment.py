"""Logit adjustment: the training set's class frequencies enter as an offset of the logits."""

import jax
import jax.numpy as jnp

from cda_jax.losses.class_counts import log_counts
from cda_jax.losses.cross_entropy import cross_entropy


def logit_adjusted_cross_entropy(
    logits: jax.Array,
    targets: jax.Array,
    mask: jax.Array | None = None,
    *,
    class_counts: jax.Array,
    tau: float = 1.0,
    axis_name: str | None = None,
) -> jax.Array:
    """Cross entropy of logits that are raised by tau times the log frequency of each class.

    Source: Menon et al. (2021), equation 10. At evaluation the logits are used as they are. Soft
    targets as in cross entropy.

    Args:
        logits: float[B, C].
        targets: float[B, C], one-hot or soft.
        mask: bool[B], the samples that count; None means all.
        class_counts: float[C], training examples of every class; 0 is read as 1.
        tau: Strength, 0 (cross entropy) or more.
        axis_name: Not needed; here so that every loss is called the same way.

    Returns:
        float32[B]; 0 where masked out.

    Raises:
        ValueError: `tau` is negative, or `class_counts` does not fit the classes.
    """
    offsets = _offsets(class_counts, logits.shape[-1], tau)
    raised = logits.astype(jnp.float32) + offsets
    return cross_entropy(raised, targets, mask, axis_name=axis_name)


def balanced_softmax(
    logits: jax.Array,
    targets: jax.Array,
    mask: jax.Array | None = None,
    *,
    class_counts: jax.Array,
    axis_name: str | None = None,
) -> jax.Array:
    """Cross entropy of the softmax in which each class counts with its training examples.

    Source: Ren et al. (2020), theorem 1: the probability of class j is in proportion to
    n_j exp(logits_j). This is `logit_adjusted_cross_entropy` at tau = 1.

    Args:
        logits: float[B, C].
        targets: float[B, C], one-hot or soft.
        mask: bool[B], the samples that count; None means all.
        class_counts: float[C], training examples of every class; 0 is read as 1.
        axis_name: Not needed; here so that every loss is called the same way.

    Returns:
        float32[B]; 0 where masked out.

    Raises:
        ValueError: `class_counts` does not fit the classes.
    """
    return logit_adjusted_cross_entropy(
        logits, targets, mask, class_counts=class_counts, tau=1.0, axis_name=axis_name
    )


def adjust_logits(logits: jax.Array, class_counts: jax.Array, tau: float = 1.0) -> jax.Array:
    """Logits lowered by tau times the log frequency of each class, for use at evaluation.

    Source: Menon et al. (2021), equation 9, in logarithms: for a model that was trained with plain
    cross entropy.

    Args:
        logits: float[..., C].
        class_counts: float[C], training examples of every class; 0 is read as 1.
        tau: Strength, 0 (no change) or more.

    Returns:
        float32[..., C].

    Raises:
        ValueError: `tau` is negative, or `class_counts` does not fit the classes.
    """
    return logits.astype(jnp.float32) - _offsets(class_counts, logits.shape[-1], tau)


def _offsets(class_counts, num_classes, tau):
    """float32[C], tau times the logarithm of each class's share of the training examples."""
    if not tau >= 0:
        raise ValueError(f'tau of logit adjustment is {tau}, expected 0 or more')
    return tau * jax.nn.log_softmax(log_counts(class_counts, num_classes))
