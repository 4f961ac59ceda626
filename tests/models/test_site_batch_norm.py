"""By site, batch norm does to each site's rows what plain batch norm does to these alone."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.weights import draw_weights

from cda_jax.models import CDA, ResNet
from cda_jax.models.site_batch_norm import SiteBatchNorm, site_shares
from cda_jax.step import predict

SITES = 4
SITE = jnp.array([2, 0, 0, 1, 0, 2, 0, 2])
ROWS = [np.array(rows) for rows in ([1, 2, 4, 6], [3], [0, 5, 7])]  # of each site; site 3 has none
KINDS = pytest.mark.parametrize('own_scale', [False, True])


def normal(*shape, seed=0):
    return np.float32(np.random.default_rng(seed).normal(2, 3, shape))


def variables_of(own_scale):
    """Parameters and statistics of SITES sites that have all been somewhere."""
    own = (SITES, 5) if own_scale else (5,)
    params = {'scale': normal(*own, seed=1), 'bias': normal(*own, seed=2)}
    statistics = {'mean': normal(SITES, 5, seed=3), 'var': np.exp(normal(SITES, 5, seed=4))}
    return {'params': params, 'batch_stats': statistics}


@KINDS
@pytest.mark.parametrize('members', [1, 4])
def test_rows_statistics_and_gradient_are_those_of_float64(members, own_scale):
    x, direction = normal(8, 3, 2, 5), normal(8, 3, 2, 5, seed=5)
    variables = variables_of(own_scale)

    def by_site(x, direction, site):
        def share(params, x):
            model = SiteBatchNorm(own_scale, False, axis_name='data')
            inputs = x, site_shares(site, len(x), SITES)
            state = variables | {'params': params}
            y, changes = model.apply(state, *inputs, mutable=['batch_stats'])
            return (y * direction).sum(), (y, changes['batch_stats'])

        run = jax.grad(share, argnums=(0, 1), has_aux=True)
        (of_params, of_x), (y, statistics) = run(variables['params'], x)
        return of_x, y, statistics, jax.lax.psum(of_params, 'data')

    split = [a.reshape(members, -1, *a.shape[1:]) for a in (x, direction, SITE)]
    of_x, y, statistics, of_params = jax.jit(jax.vmap(by_site, axis_name='data'))(*split)
    of_x, y = of_x.reshape(x.shape), y.reshape(x.shape)
    old, params = variables['batch_stats'], variables['params']
    kept = {name: np.float64(value) for name, value in old.items()}
    to_scale, to_bias = np.zeros((2, SITES, 5))
    for k, rows in enumerate(ROWS):
        own, d = np.float64(x[rows]), np.float64(direction[rows])
        scale, bias = (
            np.float64(params[n][k] if own_scale else params[n]) for n in ('scale', 'bias')
        )
        mean, variance = own.mean(axis=(0, 1, 2)), own.var(axis=(0, 1, 2))
        unit = (own - mean) / np.sqrt(variance + 1e-5)
        np.testing.assert_allclose(y[rows], unit * scale + bias, rtol=1e-4, atol=1e-4)
        centred = d - d.mean(axis=(0, 1, 2)) - unit * (d * unit).mean(axis=(0, 1, 2))
        expected = centred * scale / np.sqrt(variance + 1e-5)
        np.testing.assert_allclose(of_x[rows], expected, rtol=1e-3, atol=1e-4)
        to_scale[k], to_bias[k] = (d * unit).sum(axis=(0, 1, 2)), d.sum(axis=(0, 1, 2))
        for name, new in (('mean', mean), ('var', variance)):
            kept[name][k] = 0.9 * kept[name][k] + 0.1 * new
    for name, expected in kept.items():
        np.testing.assert_allclose(statistics[name], np.tile(expected, (members, 1, 1)), rtol=1e-5)
        np.testing.assert_array_equal(statistics[name][0][3], old[name][3])  # that of no row
    for name, expected in (('scale', to_scale), ('bias', to_bias)):
        expected = expected if own_scale else expected.sum(axis=0)
        np.testing.assert_allclose(of_params[name][0], expected, rtol=1e-4, atol=1e-4)


def test_one_row_of_one_pixel_is_its_bias():
    variables, model = variables_of(True), SiteBatchNorm(True, False)

    def run(x):
        shares = site_shares(jnp.array([1]), 1, SITES)
        return model.apply(variables, x, shares, mutable=['batch_stats'])[0].sum()

    value, gradient = jax.value_and_grad(run)(normal(1, 1, 1, 5))
    np.testing.assert_allclose(value, variables['params']['bias'][1].sum(), rtol=1e-5)
    assert np.isfinite(gradient).all()


@KINDS
def test_evaluation_uses_the_sites_running_statistics_and_their_mean_elsewhere(own_scale):
    x, variables = jnp.asarray(normal(8, 3, 2, 5)), variables_of(own_scale)
    got = SiteBatchNorm(own_scale, True).apply(variables, x, site_shares(SITE - 1, 8, SITES))
    for k, rows in zip([slice(None), 0, 1], ROWS, strict=True):

        def own(v, k=k):
            return v[k].reshape(-1, 5).mean(axis=0) if v.ndim == 2 else v

        plain = nn.BatchNorm(use_running_average=True)
        expected = plain.apply(jax.tree.map(own, variables), x[rows])
        np.testing.assert_allclose(got[rows], expected, rtol=1e-4, atol=1e-4)
    unknown = [site_shares(s, 8, SITES) for s in (None, jnp.full(8, -1))]
    np.testing.assert_array_equal(*unknown)


def test_a_network_that_recomputes_sees_each_site_as_if_alone():
    images, rows = jnp.asarray(normal(8, 32, 32, 3)), ROWS[2]
    by_site = ResNet(6, 4, 8, remat=True, batch_norm='site_statistics', num_sites=SITES)
    variables = draw_weights(functools.partial(by_site.init, train=True), images)

    def run(model, variables, *inputs):
        apply = functools.partial(model.apply, train=True, mutable=['batch_stats'])
        return jax.jit(apply)(variables, *inputs)

    features, changes = run(by_site, variables, images, SITE)
    own = jax.tree.map(lambda v: v[2], variables['batch_stats'])
    alone, kept = run(ResNet(6, 4, 8), variables | {'batch_stats': own}, images[rows])
    np.testing.assert_allclose(features[rows], alone, rtol=1e-3, atol=1e-4)
    for of_sites, of_site in zip(*map(jax.tree.leaves, (changes, kept)), strict=True):
        np.testing.assert_allclose(of_sites[2], of_site, rtol=1e-3, atol=1e-5)


def test_prediction_asks_for_the_rows_sites():
    options = {'num_classes': 3, 'num_site_heads': 0, 'common_head': True, 'num_sites': SITES}
    by_site = {'batch_norm': 'site_statistics', 'num_sites': SITES}
    plain, model = (
        CDA(ResNet(6, 4, 8, **norm), alignment='none', pseudo_label='none', **options)
        for norm in ({}, by_site)
    )
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
    batch = {'image': np.tile(image, (3, 1, 1, 1)), 'site': jnp.array([2, 0, -1])}
    keys = jax.random.split(jax.random.key(0), 3)
    inputs = jnp.zeros((3, 32, 32, 3)), jnp.zeros((3, 3)), 0.0, 0.0, keys
    weights = jax.jit(model.init)(jax.random.key(0), *inputs)
    statistics = jax.tree.map(lambda v: np.exp(normal(*v.shape) / 9), weights['batch_stats'])
    features, _ = predict(weights | {'batch_stats': statistics}, batch, model=model, image_size=32)
    for row, k in enumerate([2, 0, slice(None)]):
        own = jax.tree.map(lambda v, k=k: v[k].reshape(-1, v.shape[1]).mean(axis=0), statistics)
        alone, _ = predict(weights | {'batch_stats': own}, batch, model=plain, image_size=32)
        np.testing.assert_allclose(features[row], alone[row], rtol=1e-4, atol=1e-5)
    assert np.ptp(features, axis=0).max() > 1e-2
