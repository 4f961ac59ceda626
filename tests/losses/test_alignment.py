"""Means, CORAL and MMD against float64 NumPy, one sample and one pair of sites at a time."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cda_jax.losses.alignment import WIDTHS, coral, means, mmd

ROWS, SIZE, SITES = 16, 3, 5


def make_batch(offset=0.0):
    """Three sites of 6, 5 and 3 samples that count, one of a single sample, and one of none."""
    rng = np.random.default_rng(0)
    site = rng.permutation([0] * 6 + [1] * 5 + [2] * 4 + [3])
    mask = np.arange(ROWS) != np.flatnonzero(site == 2)[1]
    scale = 1 + site[:, None] * [0.5, 0.1, -0.2]
    features = rng.normal(size=(ROWS, SIZE)) * scale + site[:, None] + offset
    return features.astype(np.float32), site, mask


def oracle_pairs(distance, features, site, mask):
    rows = [features[mask & (site == k)] for k in range(SITES)]
    enough = [x for x in rows if len(x) >= 2]
    return np.mean([distance(a, b) for a, b in itertools.combinations(enough, 2)])


def oracle_means(features, site, mask, frozen):
    deviations = frozen[mask].std(axis=0)

    def similarity(pairs):
        return np.mean([x @ y for x, y in pairs])

    def distance(a, b):
        a, b = a / deviations, b / deviations
        within = sum(similarity(itertools.combinations(x, 2)) for x in (a, b))
        return (within - 2 * similarity(itertools.product(a, b))) / SIZE

    return oracle_pairs(distance, features, site, mask)


def oracle_coral(features, site, mask, frozen):
    def distance(a, b):
        return np.sum((np.cov(a.T) - np.cov(b.T)) ** 2) / (4 * SIZE**2)

    return oracle_pairs(distance, features, site, mask)


def oracle_mmd(features, site, mask, frozen):
    pairs = itertools.combinations(frozen[mask], 2)
    mean = np.mean([np.sum((x - y) ** 2) for x, y in pairs])

    def similarity(pairs):
        squares = np.array([np.sum((x - y) ** 2) for x, y in pairs])
        return np.mean([np.exp(-squares / (width * mean)) for width in WIDTHS])

    def distance(a, b):
        within = sum(similarity(itertools.combinations(x, 2)) for x in (a, b))
        return within - 2 * similarity(itertools.product(a, b))

    return oracle_pairs(distance, features, site, mask)


def oracle_gradient(oracle, features, site, mask, step=1e-5):
    gradient = np.zeros_like(features)
    for place in np.ndindex(*features.shape):
        there, back = features.copy(), features.copy()
        there[place] += step
        back[place] -= step
        slope = oracle(there, site, mask, features) - oracle(back, site, mask, features)
        gradient[place] = slope / (2 * step)
    return gradient


def evaluate(distance, batch, devices):
    """The distance as the sum of the devices' shares, and its gradient."""
    if devices == 1:
        return jax.jit(jax.value_and_grad(lambda x, *rest: distance(x, *rest, SITES)))(*batch)
    share = functools.partial(distance, num_sites=SITES, axis_name='data')
    split = [x.reshape(devices, ROWS // devices, *x.shape[1:]) for x in batch]
    shares, gradient = jax.pmap(jax.value_and_grad(share), axis_name='data')(*split)
    return shares.sum(), gradient.reshape(ROWS, SIZE)


@pytest.mark.parametrize('devices', [1, 4])
@pytest.mark.parametrize(
    ('distance', 'oracle'), [(means, oracle_means), (coral, oracle_coral), (mmd, oracle_mmd)]
)
@pytest.mark.parametrize('offset', [0.0, 300.0])
def test_a_distance_and_its_gradient_are_the_oracles(distance, oracle, devices, offset):
    features, site, mask = make_batch(offset)
    exact = features.astype(np.float64)
    expected = oracle(exact, site, mask, exact)
    assert expected > 0.1
    features[~mask] = np.nan
    value, gradient = evaluate(distance, (features, site, mask), devices)
    np.testing.assert_allclose(value, expected, rtol=1e-4)
    expected = oracle_gradient(oracle, exact, site, mask)
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=2e-5)
    np.testing.assert_array_equal(gradient[~mask], 0)


@pytest.mark.parametrize('devices', [1, 4])
@pytest.mark.parametrize('distance', [means, coral, mmd])
@pytest.mark.parametrize('case', ['no pair', 'no sample', 'all the same'])
def test_where_there_is_nothing_to_compare_the_distance_is_0(distance, case, devices):
    features, site, mask = make_batch()
    site = np.where(site < 3, 0, site) if case == 'no pair' else site
    mask = np.zeros_like(mask) if case == 'no sample' else mask
    features = np.full_like(features, 0.7) if case == 'all the same' else features
    value, gradient = evaluate(distance, (features, site, mask), devices)
    assert abs(value) < 1e-6
    np.testing.assert_allclose(gradient, 0, atol=1e-5)


@pytest.mark.parametrize('distance', [means, mmd])
def test_a_distance_is_0_on_average_where_sites_are_alike(distance):
    rng = np.random.default_rng(1)
    features = jnp.asarray(rng.normal(size=(4000, 6, SIZE)), jnp.float32)
    site, mask = jnp.array([0, 0, 0, 0, 1, 1]), jnp.ones(6, bool)
    values = jax.jit(jax.vmap(lambda x: distance(x, site, mask, 2)))(features)
    assert abs(values.mean()) < 4 * values.std() / np.sqrt(len(values))
