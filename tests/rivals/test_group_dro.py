"""GroupDRO against algorithm 1 in float64, by itself and as a part of the step."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.three_steps import make_batch, make_recipe, mapped_step
from jax.flatten_util import ravel_pytree

from cda_jax.losses import find_loss
from cda_jax.objective import Losses
from cda_jax.rivals.group_dro import group_dro_loss

ETA = 0.7


def reweighed(weights, means):
    scaled = np.float64(weights) * np.exp(ETA * np.float64(means))
    return scaled / scaled.sum()


@pytest.mark.parametrize('devices', [1, 4])
def test_it_is_algorithm_1(devices):
    rng = np.random.default_rng(0)
    mask = np.arange(16) % 5 != 0
    errors, groups = np.where(mask, rng.gamma(1.0, 1.0, 16), 0), rng.integers(0, 3, 16)  # 3 absent
    before = np.array([0.4, 0.3, 0.2, 0.1])
    means = [errors[mask & (groups == k)].mean() if k < 3 else 0 for k in range(4)]
    weights = reweighed(before, means)

    def loss(errors, groups, mask):
        share = functools.partial(group_dro_loss, step_size=ETA, axis_name='data')
        return share(errors, groups, mask, jnp.float32(before))

    shares = [jnp.asarray(x).reshape(devices, -1) for x in (np.float32(errors), groups, mask)]
    run = jax.value_and_grad(loss, has_aux=True)
    (values, new), gradient = jax.jit(jax.vmap(run, axis_name='data'))(*shares)
    np.testing.assert_allclose(values.sum(), weights @ means, rtol=1e-6)
    np.testing.assert_allclose(new, np.tile(weights, (devices, 1)), rtol=1e-6)
    counts = np.bincount(groups[mask], minlength=4)
    expected = np.where(mask, weights[groups] / counts[groups], 0)  # the weights are constants
    np.testing.assert_allclose(gradient.ravel(), expected, rtol=1e-6)


@pytest.mark.slow  # trains
@pytest.mark.parametrize('devices', [1, 4])
def test_a_step_weighs_the_sites_by_it(devices):
    cross_entropy = find_loss('cross_entropy', {})
    losses = Losses([cross_entropy] * 3, cross_entropy)
    plain = make_recipe()._replace(losses=losses)
    _, take_plain_step = mapped_step(plain)
    weighed = plain._replace(losses=losses._replace(group_dro=ETA))
    state, take_step = mapped_step(weighed, devices)
    weights = np.full(3, 1 / 3)
    for number in range(2):
        batch = make_batch(number)
        # Batch norm does not know the mask, so a mask of one site gives the loss of that site.
        alone = [
            take_plain_step(
                state.replace(group_weights=None),
                batch | {'mask': batch['mask'] & (batch['site'] == k)},
            )
            for k in range(3)
        ]
        means = [metrics['loss_emotion'] for _, metrics in alone]
        weights = reweighed(weights, means)
        after, metrics = take_step(state, batch)
        np.testing.assert_allclose(after.group_weights, weights, rtol=1e-4)
        np.testing.assert_allclose(metrics['loss_emotion'], weights @ means, rtol=1e-4)
        if number == 0:  # while there is no momentum, a site's head moves by its weight
            for k, (of_site, _) in enumerate(alone):
                moved, alone_moved = (
                    ravel_pytree(own.params[f'emotion_classifiers_{k}'])[0]
                    - ravel_pytree(state.params[f'emotion_classifiers_{k}'])[0]
                    for own in (after, of_site)
                )
                np.testing.assert_allclose(moved, weights[k] * alone_moved, rtol=1e-3, atol=1e-6)
        state = after
    assert np.ptp(weights) > 0.01
