import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cda_jax.gradient_reversal import reverse_gradient


@jax.jit
def members(x, strength):
    """Values and gradients in both arguments, x being spread over an axis, the strength traced."""
    of_member = jax.value_and_grad(lambda x, s: reverse_gradient(x, s) ** 2, argnums=(0, 1))
    return jax.vmap(of_member, (0, None), axis_name='data')(x, strength)


@pytest.mark.parametrize('strength', [0.0, 0.25, 2.0])
@pytest.mark.parametrize('kind', [jnp.float32, jnp.bfloat16])
def test_identity_forward_and_reversed_backward(kind, strength):
    x = jnp.array([1.0, -2.0, 3.0], kind)
    values, (to_x, to_strength) = members(x, strength)
    np.testing.assert_array_equal(values, x**2)
    assert to_x.dtype == kind
    np.testing.assert_array_equal(to_x, -strength * 2 * x)
    np.testing.assert_array_equal(to_strength, 0)
