import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cda_jax.gradient_reversal import reverse_gradient


@pytest.mark.parametrize('kind', [jnp.float32, jnp.bfloat16])
def test_identity_forward_and_reversed_backward(kind):
    x = jnp.array([1.0, -2.0, 3.0], kind)
    strength = jnp.float32(0.25)
    value, gradient = jax.value_and_grad(lambda x: (reverse_gradient(x, strength) ** 2).sum())(x)
    assert (value, gradient.dtype) == (14, kind)
    np.testing.assert_array_equal(gradient, -0.25 * 2 * x)


def test_strength_may_be_traced_and_gets_no_gradient():
    @jax.jit
    def gradients(x, strength):
        return jax.grad(lambda x, s: reverse_gradient(x, s).sum(), argnums=(0, 1))(x, strength)

    for strength in (0.0, 0.5, 2.0):
        to_x, to_strength = gradients(jnp.ones(3), strength)
        np.testing.assert_array_equal(to_x, -strength * np.ones(3))
        assert to_strength == 0
