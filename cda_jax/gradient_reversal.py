"""Gradient reversal: the identity that turns a minimiser into an adversary."""

import jax
import jax.numpy as jnp


@jax.custom_vjp
def reverse_gradient(x: jax.Array, scale: jax.Array | float) -> jax.Array:
    """Returns `x`; on the way back the gradient is multiplied by `-scale`.

    Source: Ganin and Lempitsky (2015), section 3.2; the `-lambda` of equations 4 to 6 in Han et al.
    (2020).

    Args:
        x: Any float array.
        scale: Scalar, may be traced. It receives a gradient of 0.

    Returns:
        `x` unchanged.
    """
    del scale
    return x


def _forward(x, scale):
    return x, jnp.asarray(scale)


def _backward(scale, gradient):
    return (-scale * gradient).astype(gradient.dtype), jnp.zeros_like(scale)


reverse_gradient.defvjp(_forward, _backward)
