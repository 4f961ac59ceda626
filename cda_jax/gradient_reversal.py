"""Gradient reversal: the identity that turns a minimiser into an adversary."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@jax.custom_vjp
def reverse_gradient(
    x: Float[Array, '*dims'], scale: Float[Array, ''] | float
) -> Float[Array, '*dims']:
    """Returns `x`; on the way back the gradient is multiplied by `-scale`.

    The scale itself receives a gradient of 0.

    Source: Ganin and Lempitsky (2015), section 3.2, https://arxiv.org/abs/1409.7495; the -lambda of
    equations 4 to 6 in Han et al. (2020), https://doi.org/10.1109/ACCESS.2020.3018738

    >>> print(reverse_gradient(jnp.float32(3), 0.5), jax.grad(reverse_gradient)(3.0, 0.5))
    3.0 -0.5
    """
    del scale
    return x


def _forward(x, scale):
    return x, jnp.asarray(scale)


def _backward(scale, gradient):
    return (-scale * gradient).astype(gradient.dtype), jnp.zeros_like(scale)


reverse_gradient.defvjp(_forward, _backward)
