"""Categorical cross entropy: plain, with a weight for every class, with logits for every label."""

import jax
import jax.numpy as jnp
import optax


def cross_entropy(
    logits: jax.Array,
    targets: jax.Array,
    mask: jax.Array | None = None,
    *,
    label_smoothing: float = 0.0,
    axis_name: str | None = None,
) -> jax.Array:
    """Cross entropy of each sample.

    Source: Han et al. (2020), equation 8, before the mean over the samples; Szegedy et al. (2016),
    section 7, for label smoothing.

    Args:
        logits: float[B, C].
        targets: float[B, C], one-hot or soft.
        mask: bool[B], the samples that count; None means all.
        label_smoothing: Share of every target that is spread evenly over all classes, 0 to below 1.
        axis_name: Not needed; here so that every loss is called the same way.

    Returns:
        float32[B]; 0 where masked out.

    Raises:
        ValueError: `label_smoothing` is outside its range.
    """
    del axis_name
    if not 0 <= label_smoothing < 1:
        raise ValueError(
            f'label_smoothing of cross entropy is {label_smoothing}, expected 0 to below 1'
        )
    smooth = optax.smooth_labels(targets.astype(jnp.float32), label_smoothing)
    return weighted_cross_entropy(logits, smooth, mask, jnp.ones(logits.shape[-1], jnp.float32))


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
    return optax.softmax_cross_entropy(logits, weights * targets)


def expected_cross_entropy(
    label_logits: jax.Array, targets: jax.Array, mask: jax.Array | None, weights: jax.Array
) -> jax.Array:
    """Cross entropy where the logits depend on the label, expected over labels of the targets.

    Losses with a margin for the label, or a factor for each pair of label and class, have this
    form. With one-hot targets only the logits of that label matter.

    Args:
        label_logits: float32[B, C, C]; `[i, k]` are the logits of sample i if k is its label.
            Masked-out rows must be finite.
        targets: float[B, C], one-hot or soft.
        mask: bool[B], the samples that count; None means all.
        weights: float32[C].

    Returns:
        float32[B], `-sum_k weights_k targets_ik log softmax(label_logits_ik)_k`; 0 where masked
        out.
    """
    targets = keep_rows(targets.astype(jnp.float32), mask)
    log_probabilities = jax.nn.log_softmax(label_logits)
    own = jnp.diagonal(log_probabilities, axis1=-2, axis2=-1)
    return -jnp.sum(weights * targets * own, axis=-1)


def keep_rows(values: jax.Array, mask: jax.Array | None) -> jax.Array:
    """Replaces the masked-out rows of `values` [B, C] by zeros, so that even a NaN there is gone.

    Rows are replaced before anything is computed from them: a product with 0 afterwards would keep
    a NaN, and its gradient.
    """
    return values if mask is None else jnp.where(mask[:, None], values, 0)
