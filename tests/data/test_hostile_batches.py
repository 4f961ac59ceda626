"""Batches as lopsided as data can make them: training stays finite, weights keep their meaning."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.three_steps import ROWS, make_batch, make_recipe
from hypothesis import given, settings
from hypothesis import strategies as st

from cda_jax.losses import adaptive_cross_entropy, adaptive_weights
from cda_jax.losses.adaptive import batch_statistics
from cda_jax.runtime.devices import AXIS
from cda_jax.step import init_state, train_step

pytestmark = pytest.mark.slow  # compiling the training step takes seconds

NUM_SITES = 3


@pytest.fixture(scope='module')
def train():
    """Trains a new model on batches; gives its last state and the metrics of every step."""
    recipe = make_recipe()
    one_device = functools.partial(train_step, recipe=recipe, axis_name=AXIS)
    init = jax.jit(functools.partial(init_state, recipe, seed=0))
    step = jax.jit(jax.vmap(one_device, axis_name=AXIS, in_axes=(None, 0), out_axes=0))

    def run(batches):
        state, history = init(), []
        for batch in batches:
            results = step(state, jax.tree.map(lambda x: np.asarray(x)[None], batch))
            state, metrics = jax.tree.map(lambda x: x[0], results)
            history.append(metrics)
        return state, history

    return run


LOPSIDED = {
    'one class alone': {'label': np.full(ROWS, 2)},
    'one class alone at each site': dict.fromkeys(('label', 'site'), np.arange(ROWS) % NUM_SITES),
    'sites that lack classes': {
        'site': np.arange(ROWS) % NUM_SITES,
        'label': np.choose(np.arange(ROWS) % NUM_SITES, [np.arange(ROWS) % 4, 1, 3]),
    },
    'a site absent': {'site': np.arange(ROWS) % 2},
    'one site alone': {'site': np.full(ROWS, 1)},
    'one site and one class alone': {'site': np.full(ROWS, 1), 'label': np.full(ROWS, 0)},
    'one row that counts': {'mask': np.arange(ROWS) == 3},
    'no row that counts': {'mask': np.zeros(ROWS, bool)},
    'black pictures': {'image': np.zeros((ROWS, 36, 36, 3), np.uint8)},
}


@pytest.mark.parametrize('case', LOPSIDED)
def test_a_lopsided_batch_leaves_everything_finite(train, case):
    batches = [make_batch(number) for number in range(3)]
    for batch in batches:
        for name, values in LOPSIDED[case].items():
            batch[name] = values.astype(batch[name].dtype)
    state, history = train(batches)
    assert state.fault_step == -1
    losses = ('loss', 'loss_emotion', 'loss_label', 'loss_dataset', 'gradient_norm')
    seen = [[metrics[name] for name in losses] for metrics in history]
    for leaf in jax.tree.leaves((state.params, state.batch_stats, state.opt_state, seen)):
        assert np.isfinite(leaf).all()


def test_a_site_that_is_absent_adds_nothing_to_its_classifier(train):
    batch = make_batch(0)
    batch['site'] = np.where(batch['site'] == 2, 1, batch['site'])
    before, _ = train([])
    after, _ = train([batch])
    heads = [name for name in after.params if name.endswith('_2')]
    assert heads
    for name in heads:
        jax.tree.map(np.testing.assert_array_equal, after.params[name], before.params[name])


weights_of = jax.jit(lambda *batch: adaptive_weights(*batch_statistics(*batch)))
losses_of = jax.jit(adaptive_cross_entropy)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.sampled_from([0.0, 1e-30, 1.0, 1e4, 1e30]),  # up to what float32 holds
    num_labels=st.integers(1, 5),
    all_are_right=st.booleans(),
    counted=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    poison=st.sampled_from([np.nan, np.inf, -np.inf, 3e38]),
)
def test_weights_are_bounded_and_masked_rows_never_matter(
    seed, scale, num_labels, all_are_right, counted, poison
):
    rng, c = np.random.default_rng(seed), 5
    targets = np.eye(c, dtype=np.float32)[rng.integers(0, num_labels, 12)]
    logits = (scale * rng.normal(size=targets.shape)).astype(np.float32)
    logits += all_are_right * targets * np.float32(scale + 1) * 9
    mask = rng.random(len(targets)) < counted
    others = np.where(mask[:, None], logits, np.float32(poison))
    swapped = np.where(mask[:, None], targets, 1 - targets)
    weights = np.asarray(weights_of(others, swapped, mask))
    np.testing.assert_array_equal(weights, weights_of(logits, targets, mask))
    assert (weights >= -1e-6).all()  # 0, but for rounding, where a class is alone
    # w_p sums to c and no w_d exceeds c / (c - 1).
    assert weights.sum() <= c**2 / (c - 1) * 1.0001
    losses = np.asarray(losses_of(others, swapped, mask))
    np.testing.assert_array_equal(losses, losses_of(logits, targets, mask))
    assert np.isfinite(losses).all()
    assert not losses[~mask].any()
    gradient = jax.grad(lambda x: losses_of(x, swapped, mask).sum())(jnp.asarray(others))
    assert np.isfinite(gradient).all()
