"""The average of the weights: what it is, and that training does not feel it."""

import functools

import jax
import numpy as np
import pytest
from helpers.runs import assert_same_bits
from helpers.three_steps import make_batch, make_recipe, mapped_step


def steps_of(recipe, devices=1):
    """The states before and after each of three steps."""
    first, step = mapped_step(recipe, devices)
    states = [first]
    for number in range(3):
        states.append(step(states[-1], make_batch(number))[0])
    return states


@pytest.mark.slow  # trains
def test_it_is_the_moving_average_and_training_does_not_feel_it():
    decay, devices = 0.15, 4  # which acts from the second step on
    states = steps_of(make_recipe()._replace(weight_average=decay), devices)
    plain = steps_of(make_recipe(), devices)
    for kind in ('params', 'batch_stats'):
        assert_same_bits(getattr(states[-1], kind), getattr(plain[-1], kind))
        own = [jax.tree.map(np.float64, getattr(state, kind)) for state in states]
        expected = own[0]
        for d, new in zip(np.minimum(decay, [1 / 10, 2 / 11, 3 / 12]), own[1:], strict=True):
            expected = jax.tree.map(lambda a, b, d=d: d * a + (1 - d) * b, expected, new)
        jax.tree.map(
            functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-7),
            states[-1].average[kind],
            expected,
        )
    assert_same_bits(states[-1].weights, states[-1].average)
    assert plain[-1].average == {}
    assert_same_bits(plain[-1].weights['params'], plain[-1].params)
