"""The average of the weights: what it is, that training does not feel it, and who uses it."""

import functools
import shutil

import jax
import numpy as np
import pytest
from helpers.runs import assert_same_bits, assert_same_end, saved_state
from helpers.three_steps import make_batch, make_recipe

from cda_jax.errors import InputError
from cda_jax.evaluate import evaluate
from cda_jax.runtime.devices import AXIS
from cda_jax.step import init_state, train_step
from cda_jax.trained import config_of_run, load_trained


def steps_of(recipe, devices=1):
    """The states before and after each of three steps."""
    step = functools.partial(train_step, recipe=recipe, axis_name=AXIS)
    mapped = jax.jit(jax.vmap(step, (None, 0), axis_name=AXIS))
    states = [jax.jit(functools.partial(init_state, recipe, 0))()]
    for number in range(3):
        batch = {k: x.reshape(devices, -1, *x.shape[1:]) for k, x in make_batch(number).items()}
        states.append(jax.tree.map(lambda x: x[0], mapped(states[-1], batch)[0]))
    return states


@pytest.mark.parametrize(('decay', 'devices'), [(0.15, 1), (0.999, 4)])
def test_it_is_the_moving_average_and_training_does_not_feel_it(decay, devices):
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


@pytest.mark.slow
def test_a_run_validates_resumes_and_is_loaded_with_it(finished, run_main, tmp_path):
    first, again = tmp_path / 'run', tmp_path / 'again'
    options = {'weight_average': 0.9, 'validation_fraction': 0.2, 'num_epochs': 1}
    run_main(first, **options)
    shutil.copytree(first, again)
    last = max(int(folder.name) for folder in (first / 'checkpoints').iterdir())
    shutil.rmtree(again / 'checkpoints' / str(last))
    (again / 'results.json').unlink()
    assert 'going on after step 10' in run_main(again, **options)[0]
    assert_same_end(again, first)
    trained = load_trained(first)
    _, state = saved_state(first, trained.step)
    assert_same_bits(trained.weights, state['average'])
    same = jax.tree.map(np.array_equal, trained.weights['params'], state['params'])
    assert not any(jax.tree.leaves(same))
    before = (first / 'results.json').read_text()
    evaluate(config_of_run(first), first)
    assert (first / 'results.json').read_text() == before
    with pytest.raises(InputError, match=r'weight_average: 0\.9 there, 0\.0 here'):
        evaluate(config_of_run(first, weight_average=0.0), first)
