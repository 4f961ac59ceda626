"""The shapes in signatures are checked wherever the tests call a function of the method."""

import jax.numpy as jnp
import jaxtyping
import pytest

from cda_jax.losses import cross_entropy


def test_a_wrong_shape_is_an_error_that_names_the_argument():
    with pytest.raises(jaxtyping.TypeCheckError, match="parameter 'mask'"):
        cross_entropy(jnp.zeros((2, 3)), jnp.zeros((2, 3)), jnp.ones(3, bool))
