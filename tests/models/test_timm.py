"""Weights of timm give timm's outputs: the package's where it is installed, else stored ones."""

import functools

import jax
import numpy as np
import pytest
from helpers import timm_networks
from helpers.timm_networks import FEATURES, NARROW, SIZES, STORED, pictures, stored_weights

from cda_jax.errors import InputError
from cda_jax.models import ResNet
from cda_jax.models.timm import from_timm


def ours(depth, weights, width=64, features=1000, **options):
    """Our network and its variables."""
    model = ResNet(depth, width, features, padding='symmetric', **options)
    init = functools.partial(model.init, train=False)
    like = jax.eval_shape(init, jax.random.key(0), pictures(64))
    return model, from_timm(weights, like)


def narrow(depth, weights=None, features=FEATURES, **options):
    weights = stored_weights(depth) if weights is None else weights
    return ours(depth, weights, NARROW[depth], features, **options)


def apply(model, variables, images):
    return jax.jit(functools.partial(model.apply, train=False))(variables, images)


@pytest.mark.slow  # compiles whole networks
@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('depth', NARROW)
def test_outputs_are_those_that_timm_gave(depth, size):
    with np.load(STORED) as stored:
        expected = stored[f'outputs{depth}_{size}']
    model, variables = narrow(depth)
    found = apply(model, variables, pictures(size))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    other = apply(model.clone(padding='same'), variables, pictures(size))
    assert np.abs(other - expected).max() > 1e-2


def test_they_are_the_same_in_the_forms_for_other_devices(monkeypatch):
    monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
    with np.load(STORED) as stored:
        expected = stored['outputs18_100']
    np.testing.assert_allclose(apply(*narrow(18), pictures(100)), expected, rtol=0, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize('depth', [18, 34, 50, 101])
def test_outputs_are_those_of_the_package(depth):
    timm = pytest.importorskip('timm')
    network = timm.create_model(f'resnetv2_{depth}')
    # The same scaling as `cda_jax.augment.scale`.
    assert network.pretrained_cfg['mean'] == network.pretrained_cfg['std'] == (0.5, 0.5, 0.5)
    model, variables = ours(depth, timm_networks.randomize(network))
    for size in SIZES:
        expected = timm_networks.outputs(network, size)
        found = apply(model, variables, pictures(size))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_without_a_classifier_the_last_layer_is_left_out():
    weights = stored_weights(18)
    _, whole = narrow(18, weights)
    rest = {name: x for name, x in weights.items() if not name.startswith('head.')}
    _, variables = narrow(18, rest, features=3)
    del whole['params']['feature']
    jax.tree.map(np.testing.assert_array_equal, variables, whole)


@pytest.mark.parametrize(
    ('change', 'options', 'message'),
    [
        ({}, {'depth': 34}, r'^lacks stages\.0\.blocks\.2\..*; expected .* of the same depth'),
        ({}, {'width': 16}, r'layer of shape \(64,\), expected \(128,\), as .* field resnet_width'),
        ({}, {'features': 5}, r'holds head\.fc\.bias .* \(10,\), expected \(5,\), .* feature_size'),
        ({'norm.running_var': None}, {}, r'^lacks norm\.running_var; expected the arrays of timm'),
        ({'fc.weight': np.zeros(3)}, {}, r'^also has fc\.weight; expected the arrays of timm'),
        ({'stages.1.blocks.0.conv1.weight': np.zeros((16, 8))}, {}, r'holds stages\.1\.blocks\.0'),
    ],
)
def test_weights_of_another_network_are_refused(change, options, message):
    weights = {k: x for k, x in (stored_weights(18) | change).items() if x is not None}
    with pytest.raises(InputError, match=message):
        ours(**{'depth': 18, 'width': 8, 'features': FEATURES, 'weights': weights} | options)
