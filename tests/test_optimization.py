"""The optimizer that a config names, the rates of the network's parts, and what is frozen."""

import functools

import jax
import numpy as np
import optax
import pytest
from helpers.runs import assert_same_bits
from helpers.three_steps import RESNET, make_batch, make_recipe, mapped_step

from cda_jax.errors import InputError
from cda_jax.optimization import build_optimizer

RATE = 0.1
PARAMS = {'dense': {'kernel': np.ones(2, np.float32), 'bias': np.ones(2, np.float32)}}
GRADIENT = {'dense': {'kernel': np.float32([0.3, -0.2]), 'bias': np.float32([0.1, 2.0])}}


def build(**arguments):
    plain = dict.fromkeys(['dataset_classifier_rate_factor', 'pretrained_rate_factor'], 1.0)
    plain |= {'optimizer': 'sgd', 'optimizer_args': {}, 'momentum': 0.9, 'weight_decay': 1e-4}
    plain |= {'gradient_clip': 0.0, 'freeze': 'nothing'}
    return build_optimizer(lambda step: RATE, **plain | arguments)


def updates(optimizer, gradient=GRADIENT, params=PARAMS):
    return optimizer.update(gradient, optimizer.init(params), params)[0]


def test_adamw_decays_kernels_apart_from_the_gradient():
    moved = updates(build(optimizer='adamw', weight_decay=0.5, optimizer_args={'eps': 0.25}))
    for name, decay in (('kernel', 0.5), ('bias', 0)):
        gradient = np.float64(GRADIENT['dense'][name])  # its moments at step 1, without their bias
        expected = -RATE * (gradient / (np.abs(gradient) + 0.25) + decay)
        np.testing.assert_allclose(moved['dense'][name], expected, rtol=1e-4)


def test_an_optimizer_of_ones_own_gets_what_it_names(tmp_path, monkeypatch):
    (tmp_path / 'my_optimizers.py').write_text(
        'import optax\n'
        'def signs(rate, strength):\n'
        '    return optax.chain(optax.scale_by_sign(), optax.scale(-rate(0) * strength))\n'
        'def none(rate):\n'
        '    return 3\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    args = {'weight_decay': 1.0, 'optimizer': 'my_optimizers.signs'}
    moved = updates(build(**args, optimizer_args={'strength': 2.0}))
    # It knows of no weight decay: that was added to the gradient.
    np.testing.assert_allclose(moved['dense']['kernel'], [-2 * RATE] * 2, rtol=1e-6)
    with pytest.raises(
        InputError, match=r"signs' cannot be used with optimizer_args \{\}: .*stren"
    ):
        build(**args)
    with pytest.raises(InputError, match='it gives a int; expected a function'):
        build(optimizer='my_optimizers.none')
    with pytest.raises(InputError, match=r"no optimizer 'AdamW'.* did you mean 'adamw'"):
        build(optimizer='AdamW')


def test_the_pretrained_part_learns_at_a_rate_of_its_own():
    one = np.ones(1, np.float32)
    params = {
        'feature_extractor': {'stem': {'kernel': one}, 'feature': {'kernel': one}},
        'dataset_classifier': {'kernel': one},
    }
    fields = {'pretrained_rate_factor': 0.25, 'weight_decay': 0.0}
    moved = updates(build(**fields), params, params)
    np.testing.assert_allclose(moved['feature_extractor']['stem']['kernel'], -RATE / 4, rtol=1e-6)
    np.testing.assert_allclose(moved['feature_extractor']['feature']['kernel'], -RATE, rtol=1e-6)
    np.testing.assert_allclose(moved['dataset_classifier']['kernel'], -RATE, rtol=1e-6)


def is_norm(path):
    return any(name.startswith('norm') for name in path)


@pytest.mark.parametrize(
    ('freeze', 'stays'),
    [('batch_norm', is_norm), ('stage1', lambda path: path[0] in ('stem', 'stage1_block1'))],
)
def test_what_is_frozen_stays_as_it_is_and_the_rest_learns(freeze, stays):
    fields = {'freeze': freeze, 'gradient_clip': 1.0, 'weight_decay': 0.01}
    recipe = make_recipe(RESNET)
    extractor = recipe.model.feature_extractor.clone(freeze=freeze)
    model = recipe.model.clone(feature_extractor=extractor)
    recipe = recipe._replace(model=model, optimizer=build(**fields))
    first, step = mapped_step(recipe, devices=4)
    state = first
    for number in range(2):
        state, _ = step(state, make_batch(number))
    for kind in ('params', 'batch_stats'):
        before, after = (getattr(s, kind)['feature_extractor'] for s in (first, state))
        for path, leaf in jax.tree.leaves_with_path(before):
            names = [entry.key for entry in path]
            same = np.array_equal(leaf, functools.reduce(dict.__getitem__, names, after))
            assert same == stays(names), names
    with pytest.raises(AssertionError):
        assert_same_bits(*(s.params['emotion_classifiers_0'] for s in (first, state)))


def test_frozen_parts_have_no_share_in_the_norm_that_is_clipped():
    one = np.ones(1, np.float32)
    params = {'feature_extractor': {'stem': {'kernel': one}, 'feature': {'kernel': one}}}
    gradient = {'feature_extractor': {'stem': {'kernel': 9 * one}, 'feature': {'kernel': one}}}
    fields = {'freeze': 'stage1', 'gradient_clip': 1.0, 'weight_decay': 0.0}
    moved = updates(build(**fields), gradient, params)
    assert optax.tree.norm(moved) == pytest.approx(RATE)
    assert moved['feature_extractor']['stem']['kernel'] == 0
