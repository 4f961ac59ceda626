"""What docstrings and signatures of the method's functions say is held against what they do."""

import doctest
import pkgutil
import sys

import jax.numpy as jnp
import jaxtyping
import pytest

import cda_jax.losses

FUNCTIONS = [f'losses:{name}' for name in cda_jax.losses.__all__]
FUNCTIONS += ['errors:did_you_mean', 'gradient_reversal:reverse_gradient', 'metrics:score']
FUNCTIONS += [f'losses.alignment:{name}' for name in ('means', 'coral', 'mmd')]
FUNCTIONS += ['optimization:reversal_strength']
FUNCTIONS += ['models.transition:site_log_probabilities', 'rivals.group_dro:group_dro_loss']
FUNCTIONS += ['rivals.weight_average:average_weights']


@pytest.mark.parametrize('name', FUNCTIONS)
def test_examples(name):
    function = pkgutil.resolve_name(f'cda_jax.{name}')
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
