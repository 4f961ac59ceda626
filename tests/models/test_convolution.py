import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.weights import draw_weights
from jax import lax

from cda_jax.models import ResNet, convolution, resnet


def flax_pool(x, padding='same'):
    return nn.max_pool(x, (3, 3), (2, 2), pads_of(padding, 3))


def pads_of(padding, size):
    """As XLA and Flax take it; 'symmetric' is PyTorch's `padding=size // 2`."""
    return 'SAME' if padding == 'same' else ((size // 2, size // 2),) * 2


def of_xla(x, kernel, stride, padding='same'):
    layout, pads = ('NHWC', 'HWIO', 'NHWC'), pads_of(padding, len(kernel))
    return lax.conv_general_dilated(x, kernel, (stride, stride), pads, dimension_numbers=layout)


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def whole(seed, *shape, scale=64):
    """Whole numbers, whose sums are exact in float32 in whatever order, but not in bfloat16."""
    return np.round(scale * np.array(normal(seed, *shape)))


def assert_same_with_gradients(function, expected, *inputs):
    direction = whole(9, *jax.eval_shape(expected, *inputs).shape)

    def with_gradients(function, inputs):
        values, pull_back = jax.vjp(function, *inputs)
        return values, *pull_back(direction)

    both = jax.jit(lambda *inputs: [with_gradients(f, inputs) for f in (function, expected)])
    for found, other in zip(*both(*inputs), strict=True):
        np.testing.assert_array_equal(found, other)


@pytest.mark.parametrize('padding', ['same', 'symmetric'])
@pytest.mark.parametrize(
    ('height', 'width', 'size', 'stride'),
    [
        *[(2, 2, 3, 1), (3, 3, 3, 2), (1, 1, 3, 1), (4, 3, 3, 2), (5, 2, 7, 2), (1, 9, 7, 2)],
        *[(6, 6, 1, 2), (7, 5, 1, 1), (9, 9, 3, 2), (13, 14, 7, 2), (15, 16, 7, 2), (16, 28, 5, 1)],
    ],
)
def test_every_form_is_the_convolution(height, width, size, stride, padding):
    x, kernel = whole(0, 3, height, width, 4), whole(1, size, size, 4, 5)
    assert_same_with_gradients(
        lambda x, kernel: convolution.convolve(x, kernel, stride, padding),
        lambda x, kernel: of_xla(x, kernel, stride, padding),
        x,
        kernel,
    )


@pytest.mark.parametrize('padding', ['same', 'symmetric'])
@pytest.mark.parametrize('sides', [(24, 24), (25, 24), (1, 1), (1, 2), (7, 12)])
def test_pooling_is_flaxs_where_values_are_equal_too(sides, padding):
    ours, flaxs = (functools.partial(f, padding=padding) for f in (convolution.max_pool, flax_pool))
    assert_same_with_gradients(ours, flaxs, whole(0, 2, *sides, 3, scale=2))


@pytest.mark.slow  # compiles whole networks
@pytest.mark.parametrize('depth', [10, 50])
def test_a_network_has_the_gradients_of_plain_convolutions(depth, monkeypatch):
    monkeypatch.setitem(resnet.RESNET_DEPTHS, 50, (1, 1, 1, 1))  # bottlenecks, fewer
    images = normal(0, 8, 40, 40, 3)
    model = ResNet(depth=depth, width=4, feature_size=8)
    variables = draw_weights(functools.partial(model.init, train=True), images)

    def gradients(variables):
        def loss(params):
            features, _ = model.apply(
                variables | {'params': params}, images, train=True, mutable=['batch_stats']
            )
            return jnp.sum(features**2)

        return jax.jit(jax.grad(loss))(variables['params'])

    ours = gradients(variables)
    monkeypatch.setattr(convolution, 'convolve', of_xla)
    monkeypatch.setattr(resnet, 'max_pool', flax_pool)
    plain = gradients(variables)
    differences = jax.tree.map(lambda a, b: np.linalg.norm(a - b) / np.linalg.norm(b), ours, plain)
    assert all(difference < 1e-3 for difference in jax.tree.leaves(differences))


def test_the_kernels_are_those_of_flax():
    x = normal(0, 2, 6, 6, 3)
    ours = convolution.Conv(5, 3, name='conv')
    flaxs = nn.Conv(5, (3, 3), use_bias=False, kernel_init=nn.initializers.he_normal())
    (kernel,), (other,) = (jax.tree.leaves(m.init(jax.random.key(2), x)) for m in (ours, flaxs))
    np.testing.assert_array_equal(kernel, other)
