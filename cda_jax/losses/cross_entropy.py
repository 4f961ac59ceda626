"""Cross entropy and the focal loss."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

# What losses take and give.
PerClass = Float[Array, 'B C']
PerSample = Float[Array, ' B']
Mask = Bool[Array, ' B'] | None


def cross_entropy(
    logits: PerClass, targets: PerClass, mask: Mask = None, *, label_smoothing: float = 0.0
) -> PerSample:
    """Cross entropy.

        -log p_y

    With `label_smoothing` s, 0 to below 1, the targets become (1 - s) targets + s / C.

    Source: Han et al. (2020), equation 8, https://doi.org/10.1109/ACCESS.2020.3018738; Szegedy et
    al. (2016), section 7, https://arxiv.org/abs/1512.00567, for label smoothing.

    >>> logits, targets = jnp.log(jnp.array([[1.0, 3.0]])), jnp.array([[1.0, 0.0]])
    >>> print(cross_entropy(logits, targets))  # log 4
    [1.386...]
    """
    if not 0 <= label_smoothing < 1:
        raise ValueError(
            f'label_smoothing of cross entropy is {label_smoothing}, expected 0 to below 1'
        )
    targets = optax.smooth_labels(targets.astype(jnp.float32), label_smoothing)
    return optax.softmax_cross_entropy(keep_rows(logits, mask), keep_rows(targets, mask))


def focal_loss(
    logits: PerClass, targets: PerClass, mask: Mask = None, *, gamma: float = 2.0
) -> PerSample:
    """Focal loss: samples that are recognised already count little.

        -(1 - p_y)^gamma log p_y

    `gamma` is 0 (cross entropy) or more. The gradient passes through the factor. p is the softmax,
    where the original has a sigmoid for each class.

    Source: Lin et al. (2017), equation 4, https://arxiv.org/abs/1708.02002

    >>> logits, targets = jnp.log(jnp.array([[1.0, 3.0]])), jnp.array([[1.0, 0.0]])
    >>> print(focal_loss(logits, targets))  # (3/4)^2 log 4
    [0.779...]
    """
    if not gamma >= 0:
        raise ValueError(f'gamma of the focal loss is {gamma}, expected 0 or more')
    logits, targets = keep_rows(logits, mask), keep_rows(targets, mask)
    log_p = jax.nn.log_softmax(logits)
    # Kept off 0, where a power below 1 has an infinite slope.
    miss = jnp.maximum(-jnp.expm1(log_p), jnp.finfo(jnp.float32).tiny)
    return -jnp.sum(targets * miss**gamma * log_p, axis=-1)


def keep_rows(values: PerClass, mask: Mask) -> PerClass:
    """The values in float32, with zeros in the rows outside the mask.

    Rows are replaced before anything is computed from them: a product with 0 afterwards would keep
    a NaN, and its gradient.
    """
    values = values.astype(jnp.float32)
    return values if mask is None else jnp.where(mask[:, None], values, 0)
