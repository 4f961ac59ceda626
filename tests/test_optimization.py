"""Lambda and learning rate over training, the optimizer, the rates of parts, what is frozen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict
from helpers.three_steps import RESNET, make_batch, make_recipe, mapped_step

from cda_jax.errors import InputError
from cda_jax.optimization import build_optimizer, reversal_strength, steps_per_epoch, warmup_cosine

RATE = 0.1


def values(schedule, steps):
    return np.array(jax.jit(jax.vmap(schedule))(jnp.arange(steps)))


@pytest.mark.parametrize(
    ('kind', 'maximum', 'warmup', 'expected'),
    [
        ('linear', 0.5, 0, np.linspace(0, 0.5, 11)),
        ('dann', 2, 0, 2 * (2 / (1 + np.exp(-10 * np.arange(5) / 4)) - 1)),
        # It runs over what the warm-up leaves.
        ('linear', 1, 0.5, [0, 0, 0, 0.5, 1]),
        ('constant', 1, 0.5, [0, 0, 1, 1, 1]),
        ('linear', 1, 0, [0]),  # one step is enough
    ],
)
def test_lambda(kind, maximum, warmup, expected):
    steps = len(expected)
    schedule = reversal_strength(kind, maximum=maximum, warmup_fraction=warmup, total_steps=steps)
    np.testing.assert_allclose(values(schedule, steps), expected, rtol=1e-5)


def test_learning_rate_warms_up_and_falls_by_a_cosine():
    rates = values(warmup_cosine(peak=0.8, warmup_steps=4, total_steps=12), 12)
    np.testing.assert_allclose(rates[:5], [0.2, 0.35, 0.5, 0.65, 0.8], rtol=1e-6)
    p = np.arange(8) / 8
    np.testing.assert_allclose(rates[4:], 0.8 * (1 + np.cos(np.pi * p)) / 2, rtol=1e-5)
    assert values(warmup_cosine(peak=0.8, warmup_steps=0, total_steps=12), 1)[0] == np.float32(0.8)


def test_an_epoch_is_its_whole_batches():
    assert steps_per_epoch(100, 30) == 3
    with pytest.raises(InputError, match='batch_size is 101'):
        steps_per_epoch(100, 101)


STEM, LAST = ('feature_extractor', 'stem'), ('feature_extractor', 'feature')
PATHS = (*STEM, 'kernel'), (*STEM, 'bias'), (*LAST, 'kernel'), ('dataset_classifier', 'kernel')
GRADIENTS = np.array([1, -2, 4, -2])  # of norm 5
KERNELS = np.array([1, 0, 1, 1])
PARAMS = unflatten_dict(dict.fromkeys(PATHS, jnp.float32(1)))
GRADIENT = unflatten_dict(dict(zip(PATHS, map(jnp.float32, GRADIENTS), strict=True)))


def build(**arguments):
    plain = dict.fromkeys(['dataset_classifier_rate_factor', 'pretrained_rate_factor'], 1.0)
    plain |= {'optimizer': 'sgd', 'optimizer_args': {}, 'momentum': 0.9, 'weight_decay': 0.0}
    plain |= {'gradient_clip': 0.0, 'freeze': 'nothing'}
    return build_optimizer(lambda step: RATE, **plain | arguments)


def first_update(**arguments):
    """What a step adds to each of `PARAMS`, of which all but the second are kernels."""
    optimizer = build(**arguments)
    moved, _ = optimizer.update(GRADIENT, optimizer.init(PARAMS), PARAMS)
    return np.array([flatten_dict(moved)[path] for path in PATHS])


@pytest.mark.parametrize(('clip', 'scale'), [(0.0, 1), (2.5, 0.5), (9.0, 1)])
def test_the_gradient_is_clipped_by_its_norm_before_kernels_decay_and_parts_have_their_rates(
    clip, scale
):
    factors = {'dataset_classifier_rate_factor': 3.0, 'pretrained_rate_factor': 0.25}
    moved = first_update(gradient_clip=clip, weight_decay=0.5, **factors)
    expected = -RATE * np.array([0.25, 0.25, 1, 3]) * (scale * GRADIENTS + 0.5 * KERNELS)
    np.testing.assert_allclose(moved, expected, rtol=1e-6)


def test_frozen_parts_have_no_share_in_the_norm_that_is_clipped():
    moved = first_update(freeze='stage1', gradient_clip=1.0)
    np.testing.assert_allclose(moved, -RATE * np.array([0, 0, 4, -2]) / np.sqrt(20), rtol=1e-6)


def test_adamw_decays_kernels_apart_from_the_gradient():
    moved = first_update(optimizer='adamw', weight_decay=0.5, optimizer_args={'eps': 0.25})
    # The moments of the gradient at step 1, without their bias, are itself.
    expected = -RATE * (GRADIENTS / (np.abs(GRADIENTS) + 0.25) + 0.5 * KERNELS)
    np.testing.assert_allclose(moved, expected, rtol=1e-4)


def test_an_optimizer_of_ones_own_gets_what_it_names(tmp_path, monkeypatch):
    (tmp_path / 'my_optimizers.py').write_text(
        'import optax\n'
        'def signs(rate, strength):\n'
        '    return optax.chain(optax.scale_by_sign(), optax.scale(-rate(0) * strength))\n'
        'def none(rate):\n'
        '    return 3\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    args = {'weight_decay': 5.0, 'optimizer': 'my_optimizers.signs'}
    # It knows of no weight decay: that was added to the gradient.
    moved = first_update(**args, optimizer_args={'strength': 2.0})
    np.testing.assert_allclose(moved, -2 * RATE * np.array([1, -1, 1, 1]), rtol=1e-6)
    for fields, message in (
        (args, r"signs' cannot be used with optimizer_args \{\}: .*stren"),
        ({'optimizer': 'my_optimizers.none'}, 'it gives a int; expected a function'),
        ({'optimizer': 'AdamW'}, r"no optimizer 'AdamW'.* did you mean 'adamw'"),
    ):
        with pytest.raises(InputError, match=message):
            first_update(**fields)


def is_norm(path):
    return any(name.startswith('norm') for name in path)


@pytest.mark.slow  # trains
@pytest.mark.parametrize(
    ('freeze', 'stays'),
    [('batch_norm', is_norm), ('stage1', lambda path: path[0] in ('stem', 'stage1_block1'))],
)
def test_what_is_frozen_stays_as_it_is_and_the_rest_learns(freeze, stays):
    recipe = make_recipe(RESNET.clone(freeze=freeze))
    optimizer = build(freeze=freeze, gradient_clip=1.0, weight_decay=0.01)
    first, step = mapped_step(recipe._replace(optimizer=optimizer), devices=4)
    state = first
    for number in range(2):
        state, _ = step(state, make_batch(number))
    for kind in ('params', 'batch_stats'):
        trees = (getattr(each, kind)['feature_extractor'] for each in (first, state))
        before, after = map(flatten_dict, trees)
        for path, leaf in before.items():
            assert np.array_equal(leaf, after[path]) == stays(path), path
    heads = (each.params['emotion_classifiers_0']['logits']['kernel'] for each in (first, state))
    assert not np.array_equal(*heads)
