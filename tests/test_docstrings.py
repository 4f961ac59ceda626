"""What docstrings and signatures of the method's functions say is held against what they do."""

import doctest
import sys

import jax.numpy as jnp
import jaxtyping
import pytest

import cda_jax.losses
from cda_jax.errors import did_you_mean
from cda_jax.gradient_reversal import reverse_gradient
from cda_jax.losses.alignment import coral, mmd
from cda_jax.metrics import score
from cda_jax.models.transition import site_log_probabilities
from cda_jax.optimization import reversal_strength
from cda_jax.rivals.group_dro import group_dro_loss
from cda_jax.rivals.weight_average import average_weights

FUNCTIONS = [getattr(cda_jax.losses, name) for name in cda_jax.losses.__all__]
FUNCTIONS += [average_weights, coral, did_you_mean, group_dro_loss, mmd]
FUNCTIONS += [reverse_gradient, reversal_strength, score, site_log_probabilities]


@pytest.mark.parametrize('function', FUNCTIONS, ids=lambda function: function.__name__)
def test_examples(function):
    names = dict(vars(sys.modules[function.__module__]))
    [test] = doctest.DocTestFinder().find(function, function.__name__, module=False, globs=names)
    assert test.examples
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    messages = []
    runner.run(test, out=messages.append)
    assert runner.failures == 0, ''.join(messages)


def test_a_shape_other_than_the_signatures_is_an_error_that_names_the_argument():
    with pytest.raises(jaxtyping.TypeCheckError, match="parameter 'mask'"):
        cda_jax.losses.cross_entropy(jnp.zeros((2, 3)), jnp.zeros((2, 3)), jnp.ones(3, bool))
