import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.weights import draw_weights

from cda_jax.models import CDA, Perceptron, ResNet
from cda_jax.models.cda import pseudo_labels


def shapes(module, *inputs, **options):
    """Shapes of parameters and statistics, and of the output, without computing any."""
    init = functools.partial(module.init_with_output, **options)
    out, variables = jax.eval_shape(init, jax.random.key(0), *inputs)
    return variables, out


def pictures(num):
    return np.random.default_rng(1).normal(size=(num, 32, 32, 3)).astype(np.float32)


def init(model, images):
    return draw_weights(functools.partial(model.init, train=True), images)


def apply(model, variables, images):
    @jax.jit
    def apply(variables, images):
        return model.apply(variables, images, train=True, mutable=['batch_stats'])

    return apply(variables, images)


def assert_trees_close(left, right, **tolerances):
    close = functools.partial(np.testing.assert_allclose, **tolerances)
    jax.tree.map(close, left, right)


@pytest.mark.parametrize(('depth', 'width', 'channels'), [(6, 8, 16), (10, 4, 32), (101, 2, 64)])
def test_depth_and_width(depth, width, channels):
    model = ResNet(depth=depth, width=width, feature_size=20)
    variables, out = shapes(model, jnp.zeros((2, 64, 64, 3)), train=True)
    assert out.shape == (2, 20)
    assert variables['params']['feature']['kernel'].shape == (channels, 20)


def test_bfloat16_computes_in_it_and_keeps_float32():
    model = ResNet(depth=6, width=4, feature_size=8, dtype=jnp.bfloat16)
    images = pictures(4)
    variables = init(model, images)
    assert {x.dtype for x in jax.tree.leaves(variables)} == {jnp.dtype('float32')}
    features, _ = apply(model, variables, images)
    exact, _ = apply(ResNet(depth=6, width=4, feature_size=8), variables, images)
    assert features.dtype == jnp.float32
    difference = np.abs(features - exact).max() / np.abs(exact).max()
    assert 1e-5 < difference < 0.1


def test_rematerialisation_changes_no_value():
    images = pictures(4)
    plain, remat = (ResNet(depth=6, width=4, feature_size=8, remat=r) for r in (False, True))
    variables = init(plain, images)

    def loss(params, model):
        out, _ = apply(model, variables | {'params': params}, images)
        return (out**2).sum()

    gradient = jax.jit(jax.grad(loss), static_argnums=1)
    of_both = (gradient(variables['params'], model) for model in (plain, remat))
    assert_trees_close(*of_both, rtol=1e-4, atol=1e-4)


def test_batch_norm_sees_the_whole_mapped_batch():
    images = pictures(8)
    model = ResNet(depth=6, width=4, feature_size=8)
    mapped = ResNet(depth=6, width=4, feature_size=8, axis_name='data')
    variables = init(model, images)

    together, stats = apply(model, variables, images)
    over_axis = jax.jit(jax.vmap(lambda x: apply(mapped, variables, x), axis_name='data'))
    parts, part_stats = over_axis(images.reshape(4, 2, 32, 32, 3))
    np.testing.assert_allclose(parts.reshape(8, 8), together, rtol=1e-4, atol=1e-5)
    first_stats = jax.tree.map(lambda x: x[0], part_stats)
    assert_trees_close(first_stats, stats, rtol=1e-4, atol=1e-6)


def test_a_perceptron_is_its_layers_and_leaky_relus():
    model = Perceptron(3, widths=(5, 4), negative_slope=0.2)
    x = np.random.default_rng(1).normal(size=(6, 7)).astype(np.float32)
    params = draw_weights(model.init, x)
    values = jax.jit(model.apply)(params, x)
    by_hand = np.asarray(x, np.float64)
    for name in ('dense1', 'dense2', 'logits'):
        layer = jax.device_get(params['params'][name])
        by_hand = by_hand @ layer['kernel'] + layer['bias']
        if name != 'logits':
            by_hand = np.where(by_hand > 0, by_hand, 0.2 * by_hand)
    np.testing.assert_allclose(values, by_hand, rtol=1e-5, atol=1e-5)


def test_dropout_draws_by_row_and_layer_and_keeps_the_mean():
    model = Perceptron(4, (4000,), dropout=0.25)
    plain, other = model.clone(dropout=0.0), model.clone(first_layer=1)
    x, keys = jnp.eye(4), jax.random.split(jax.random.key(3), 4)
    apply = jax.jit(model.apply)
    params = draw_weights(model.init, x)
    scores, without = apply(params, x, keys), jax.jit(plain.apply)(params, x, keys)
    alone = [apply(params, x[i : i + 1], keys[i : i + 1])[0] for i in range(4)]
    np.testing.assert_allclose(scores, alone, rtol=1e-5, atol=1e-6)
    for different in (apply(params, x, keys[::-1]), jax.jit(other.apply)(params, x, keys), without):
        assert np.abs(scores - different).max() > 1e-3
    many = jax.jit(jax.vmap(model.apply, (None, None, 0)))(
        params, x, jax.random.split(jax.random.key(5), (40, 4))
    )
    np.testing.assert_allclose(many.mean(axis=0), without, atol=0.1)
    # Without keys nothing is dropped.
    np.testing.assert_array_equal(apply(params, x), without)


def test_pseudo_labels():
    codes = jnp.array([[0.2, 3.0, 0.1], [0.5, -1.0, 0.5]])
    np.testing.assert_array_equal(pseudo_labels(codes, 'hard'), [[0, 1, 0], [1, 0, 0]])
    np.testing.assert_array_equal(pseudo_labels(codes, 'soft'), codes)
    gradient = jax.grad(lambda c: pseudo_labels(c, 'soft').sum())(codes)
    np.testing.assert_array_equal(gradient, np.zeros((2, 3)))


SHARED = {'num_site_heads': 0, 'common_head': True}
FIRST_HEAD, SECOND_HEAD = 'emotion_classifiers_0', 'emotion_classifiers_1'


@pytest.mark.parametrize(
    ('options', 'parts'),
    [
        ({}, {FIRST_HEAD, SECOND_HEAD, 'label_extractor', 'dataset_classifier'}),
        (SHARED | {'alignment': 'none', 'pseudo_label': 'none'}, {FIRST_HEAD}),
        (SHARED | {'pseudo_label': 'none'}, {FIRST_HEAD, 'dataset_classifier'}),
        (
            {'common_head': True, 'alignment': 'none'},
            {FIRST_HEAD, SECOND_HEAD, 'emotion_classifiers_2', 'label_extractor'},
        ),
    ],
)
def test_parts_can_be_left_out(options, parts):
    options = {'num_site_heads': 2, 'common_head': False, 'num_sites': 2} | options
    model = CDA(ResNet(6, 4, 8), num_classes=5, **options)
    keys = jax.random.split(jax.random.key(0), 3)
    variables, out = shapes(model, jnp.zeros((3, 32, 32, 3)), jnp.zeros((3, 5)), 0.0, 0.0, keys)
    assert set(variables['params']) == parts | {'feature_extractor'}
    assert out.emotion_logits.shape == (model.num_heads, 3, 5)
    if model.has_dataset_classifier:
        assert out.dataset_logits.shape == (3, 2)
        assert variables['params']['dataset_classifier']['dense1']['kernel'].shape[0] == 8 + 5
    else:
        assert out.dataset_logits is None


@pytest.mark.parametrize('shared', [False, True])
def test_the_conditional_adversary_sees_features_times_the_sites_own_prediction(shared):
    heads = {'num_site_heads': 0 if shared else 2, 'common_head': shared}
    widths = {'classifier_widths': (6,), 'label_extractor_widths': (6,)}
    parts = {'num_sites': 2, 'alignment': 'conditional_adversary'} | heads | widths
    model = CDA(ResNet(6, 4, 8), num_classes=5, **parts)
    images = jax.random.normal(jax.random.key(1), (4, 32, 32, 3))
    labels, keys = jnp.eye(5)[:4], jax.random.split(jax.random.key(0), 4)
    sites, direction = jnp.array([0, 1, 1, 0]), jax.random.normal(jax.random.key(2), (4, 2))
    variables = draw_weights(model.init, images, labels, 0.0, 0.0, keys, sites)

    def dataset_logits(params, strength):
        inputs = images, labels, strength, 0.7, keys, sites
        return model.apply(variables | {'params': params}, *inputs, mutable=True)[0].dataset_logits

    def by_hand(params):
        extractor = {'params': params, 'batch_stats': variables['batch_stats']}
        extractor = {name: tree['feature_extractor'] for name, tree in extractor.items()}
        features, _ = apply(model.feature_extractor, extractor, images)
        classify = Perceptron(5, (6,)).apply
        logits = [
            classify({'params': params[f'emotion_classifiers_{head}']}, features)[row]
            for row, head in enumerate([0] * 4 if shared else [0, 1, 1, 0])
        ]
        predictions = jax.nn.softmax(jnp.stack(logits))
        seen = jnp.stack(list(map(jnp.outer, features, predictions))).reshape(4, 40)
        return Perceptron(2, (6,)).apply({'params': params['dataset_classifier']}, seen)

    @jax.jit
    def logits_and_gradients(params):
        plain, pull_back = jax.vjp(by_hand, params)
        seen, reversed_back = jax.vjp(functools.partial(dataset_logits, strength=0.3), params)
        return (plain, *pull_back(direction)), (seen, *reversed_back(direction))

    (plain, expected), (seen, got) = logits_and_gradients(variables['params'])
    assert_trees_close(seen, plain, rtol=1e-4, atol=1e-5)
    for name, gradient in expected.items():
        factor = 1 if name == 'dataset_classifier' else -0.3
        scaled = jax.tree.map(lambda g, factor=factor: factor * g, gradient)
        assert_trees_close(got[name], scaled, rtol=1e-3, atol=1e-5)
    assert np.abs(expected['emotion_classifiers_0']['logits']['kernel']).max() > 1e-3
    np.testing.assert_array_equal(got['label_extractor']['logits']['kernel'], 0)
