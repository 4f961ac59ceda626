"""Metrics by site, held against NumPy on one and on four members of a mapped axis."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.three_steps import make_recipe

from cda_jax.models.cda import Outputs
from cda_jax.step_metrics import gradient_shares, site_accuracies

SITES = 'u', 'v', 'w', 'absent'
N = 16


def make_batch(seed=0):
    rng = np.random.default_rng(seed)
    site = rng.choice(3, N, p=[0.6, 0.3, 0.1]).astype(np.int32)
    mask = rng.random(N) < 0.8
    return {'label': rng.integers(0, 4, N).astype(np.int32), 'site': site, 'mask': mask}


def on(members, function, *arrays):
    """What the first of so many members of an axis gets, each having its share of the rows."""
    shares = jax.tree.map(lambda x: x.reshape(members, N // members, *x.shape[1:]), arrays)
    results = jax.jit(jax.vmap(function, axis_name='data'))(*shares)
    for each in results.values():
        np.testing.assert_array_equal(each, np.broadcast_to(each[0], each.shape))
    return {name: float(each[0]) for name, each in results.items()}


@pytest.mark.parametrize('members', [1, 4])
def test_shares_of_the_gradient(members):
    batch = make_batch()
    rng = np.random.default_rng(1)
    gradient = rng.normal(size=(N, 8)) * np.exp(rng.normal(size=(N, 1))) * batch['mask'][:, None]
    got = on(
        members,
        lambda gradient, batch: gradient_shares(gradient, batch, SITES, 'data'),
        gradient.astype(np.float32),
        batch,
    )
    norms = np.sqrt((gradient**2).sum(axis=1))
    expected = {
        f'gradient_share_{name}': norms[batch['site'] == site].sum() / norms.sum()
        for site, name in enumerate(SITES)
    }
    expected['largest_gradient_share'] = norms.max() / norms.sum()
    assert expected['gradient_share_absent'] == 0
    assert got == pytest.approx(expected, rel=1e-5)


def test_where_no_sample_has_a_gradient_no_site_has_a_share():
    got = on(4, lambda x, b: gradient_shares(x, b, SITES, 'data'), np.zeros((N, 8)), make_batch())
    assert set(got.values()) == {0.0}


@pytest.mark.parametrize('members', [1, 4])
@pytest.mark.parametrize(('site_heads', 'common'), [(4, False), (4, True), (0, True)])
def test_accuracy_of_each_sites_own_classifier(members, site_heads, common):
    batch = make_batch()
    logits = np.random.default_rng(2).normal(size=(site_heads + common, N, 4)).astype(np.float32)
    model = make_recipe().model.clone(num_site_heads=site_heads, common_head=common)

    def accuracies(logits, batch):
        rows = jnp.zeros((len(logits), 4))
        outputs = Outputs(rows, jnp.swapaxes(logits, 0, 1), rows, None)
        return site_accuracies(outputs, batch, model, SITES, 'data')

    got = on(members, accuracies, np.swapaxes(logits, 0, 1), batch)
    head = batch['site'] if site_heads else np.zeros(N, int)
    hits = np.argmax(logits[head, np.arange(N)], axis=1) == batch['label']
    for site, name in enumerate(SITES[:3]):
        own = (batch['site'] == site) & batch['mask']
        assert got[f'accuracy_{name}'] == pytest.approx(hits[own].mean())
    assert np.isnan(got['accuracy_absent'])
