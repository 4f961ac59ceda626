"""Group distributionally robust optimisation: the sites that are learned worst weigh most."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


def group_dro_loss(
    errors: Float[Array, ' B'],
    groups: Int[Array, ' B'],
    mask: Bool[Array, ' B'],
    weights: Float[Array, ' K'],
    step_size: float,
    axis_name: str | None = None,
) -> tuple[Float[Array, ''], Float[Array, ' K']]:
    """The loss of GroupDRO over K groups, and the groups' weights q that it is taken with.

        q_k <- q_k exp(eta l_k) / sum_j q_j exp(eta l_j),    loss = sum_k q_k l_k

    l_k is the mean error of group k in the batch of all devices, 0 for a group that is absent. The
    weights are constants to differentiation.

    Source: Sagawa et al. (2020), algorithm 1, https://arxiv.org/abs/1911.08731

    Args:
        errors: Of the samples; 0 outside the mask.
        weights: q after the last step, with a sum of 1.
        step_size: eta.

    Returns:
        This device's share of the loss, and q after this step.

    >>> errors, sites = jnp.array([1.0, 3.0, 1.0]), jnp.array([0, 0, 1])
    >>> mask, weights = jnp.ones(3, bool), jnp.array([0.5, 0.5])
    >>> loss, weights = group_dro_loss(errors, sites, mask, weights, step_size=1.0)
    >>> print(weights, loss)  # e^2 : e^1
    [0.731... 0.268...] 1.731...
    """
    is_in = jax.nn.one_hot(groups, len(weights)) * mask[:, None]
    sums, counts = errors @ is_in, is_in.sum(axis=0)
    if axis_name:
        counts = jax.lax.psum(counts, axis_name)
    shares = sums / jnp.maximum(counts, 1)
    means = jax.lax.stop_gradient(shares)
    if axis_name:
        means = jax.lax.psum(means, axis_name)
    weights = jax.nn.softmax(jnp.log(weights) + step_size * means)
    return weights @ shares, weights
