"""LTNet's transition matrices: how the annotators of each site label a latent true class."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

_ON_DIAGONAL = 0.9


def site_log_probabilities(
    latent: Float[Array, 'B C'], transitions: Float[Array, 'K C C']
) -> Float[Array, 'K B C']:
    """What the annotators of every site would say, given a common classifier of the latent class.

        log sum_i softmax(latent)_i T_kij,    the rows of T_k being softmax(transitions_k)

    These are logits whose softmax is the site's prediction, for any loss.

    Source: Zeng et al. (2018), "Facial Expression Recognition with Inconsistently Annotated
    Datasets", https://doi.org/10.1007/978-3-030-01261-8_14

    Args:
        latent: Logits of the latent class.
        transitions: Logits of the matrices: of each site, a row for each latent class.

    >>> transitions = jnp.log(jnp.array([[[0.75, 0.25], [0.5, 0.5]]]))
    >>> print(jnp.exp(site_log_probabilities(jnp.array([[0.0, 0.0]]), transitions)))
    [[[0.625 0.375]]]
    """
    log_rows = jax.nn.log_softmax(transitions)[:, None]
    return jax.nn.logsumexp(jax.nn.log_softmax(latent)[:, :, None] + log_rows, axis=2)


def near_identity(key: Key[Array, ''], num_sites: int, num_classes: int) -> Float[Array, 'K C C']:
    """First logits of the matrices: 0.9 on the diagonal, the rest even; nothing is drawn."""
    odds = _ON_DIAGONAL / (1 - _ON_DIAGONAL) * max(num_classes - 1, 1)
    return jnp.tile(jnp.log(odds) * jnp.eye(num_classes), (num_sites, 1, 1))
