"""Losses against equations 8 to 13 rendered in float64 NumPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.oracles import oracle_loss, oracle_weights

from cda_jax.losses import adaptive_cross_entropy, adaptive_weights, cross_entropy

close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)


def draw(seed, num_classes, *, soft=False, absent=False, all_right=False, masked=True, rows=24):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, num_classes - 1 if absent else num_classes, rows)
    targets = np.eye(num_classes, dtype=np.float32)[labels]
    if soft:
        targets = rng.dirichlet(np.ones(num_classes), rows).astype(np.float32)
    logits = rng.normal(size=(rows, num_classes)).astype(np.float32) * 2
    if all_right:
        logits[np.arange(rows), labels] += 100
    mask = rng.random(rows) < 0.7 if masked else np.ones(rows, bool)
    return logits, targets, mask


CASES = {
    'plain': {'num_classes': 7, 'masked': False},
    'masked': {'num_classes': 7},
    'soft': {'num_classes': 7, 'soft': True},
    'absent class': {'num_classes': 7, 'absent': True},
    'all right': {'num_classes': 5, 'all_right': True},
    'two classes': {'num_classes': 2},
    'two classes, one absent': {'num_classes': 2, 'absent': True},
}


@pytest.mark.parametrize(
    'options',
    [
        *[{'alpha': 0.0}, {'alpha': 0.4}, {'alpha': 1.0}],
        *[{'alpha': 1.0, 'prior': 7.0}, {'alpha': 1.0, 'unit_mean': True}],
        {'alpha': 0.4, 'prior': 0.5, 'unit_mean': True},
    ],
)
def test_adaptive_cross_entropy_equals_its_equations(options):
    @jax.jit
    def of_both(*batch):
        return adaptive_weights(*batch, **options), adaptive_cross_entropy(*batch, **options)

    for case in CASES.values():
        for seed in range(10):
            logits, targets, mask = draw(seed, **case)
            weights = oracle_weights(logits, targets, mask, **options)
            class_weights, losses = of_both(logits, targets, mask)
            close(class_weights, weights)
            close(losses, oracle_loss(logits, targets, mask, weights))


on_four_members = jax.jit(
    jax.vmap(functools.partial(adaptive_cross_entropy, axis_name='data'), axis_name='data')
)


@pytest.mark.parametrize('case', CASES)
def test_adaptive_cross_entropy_over_four_members_of_an_axis(case):
    logits, targets, mask = draw(11, **CASES[case])
    split = [x.reshape(4, 6, *x.shape[1:]) for x in (logits, targets, mask)]
    parts = on_four_members(*split)
    weights = oracle_weights(logits, targets, mask, 1.0)
    close(parts.reshape(-1), oracle_loss(logits, targets, mask, weights))


OPTIONS = 'alpha', 'prior', 'unit_mean'
weights_of = jax.jit(adaptive_weights, static_argnames=OPTIONS)
losses_of = jax.jit(adaptive_cross_entropy, static_argnames=OPTIONS)
FOUR_LOGITS = np.array([[9.0, 0, 0], [9.0, 0, 0], [0, 9.0, 0], [9.0, 0, 0]])


def test_weights_worked_by_hand():
    # 4 samples: class 0 three times, once missed; class 1 once, missed; class 2 absent.
    logits, targets = FOUR_LOGITS, np.eye(3)[[0, 0, 0, 1]]
    # w_d = 3/2 (1/4, 3/4, 1); miss = (1/3, 1, 0); w_p = 3/(4/3) miss = (3/4, 9/4, 0)
    close(weights_of(logits, targets), [0.75 * 0.375, 2.25 * 1.125, 0])
    # alpha 1/2: half way to their mean
    mean = (0.75 * 0.375 + 2.25 * 1.125) / 3
    half = [(0.28125 + mean) / 2, (2.53125 + mean) / 2, mean / 2]
    close(weights_of(logits, targets, alpha=0.5), half)


def test_edges_of_the_batch():
    one_class = np.eye(3)[[0, 0, 0, 0]]
    close(losses_of(np.zeros((4, 3)), one_class), np.zeros(4))
    nothing = np.zeros(4, bool)
    close(weights_of(np.zeros((4, 3)), one_class, nothing), np.ones(3))
    close(losses_of(np.zeros((4, 3)), one_class, nothing), np.zeros(4))
    close(weights_of(np.zeros((4, 1)), np.ones((4, 1))), [1])
    # Equal scores: class 0 is predicted, so class 0 is hit and class 1 missed.
    close(weights_of(np.zeros((2, 2)), np.eye(2)), [0, 2])


@pytest.mark.parametrize('loss', [cross_entropy, adaptive_cross_entropy])
def test_a_masked_row_may_hold_nan(loss):
    logits, targets, _ = draw(3, 5)
    mask = np.arange(24) % 3 > 0
    poisoned = np.where(mask[:, None], logits, np.nan)
    loss = jax.jit(loss)
    gradient = jax.jit(jax.grad(lambda x, t: loss(x, t, mask).sum()))
    np.testing.assert_array_equal(
        gradient(poisoned, targets), gradient(np.where(mask[:, None], logits, 0), targets)
    )
    assert not np.any(loss(poisoned, np.where(mask[:, None], targets, np.nan), mask)[~mask])


def test_no_gradient_through_the_weights():
    logits, targets, mask = draw(5, 7)
    weights = oracle_weights(logits, targets, mask, 1.0)
    gradient = jax.jit(jax.grad(lambda *batch: losses_of(*batch).sum()))(logits, targets, mask)
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    by_hand = (targets @ weights)[:, None] * (softmax - targets)
    close(gradient, np.where(mask[:, None], by_hand, 0))


def test_cross_entropy_equals_equation_8():
    logits, targets, mask = draw(2, 7, soft=True)
    loss = jax.jit(cross_entropy)
    close(loss(logits, targets, mask), oracle_loss(logits, targets, mask, np.ones(7)))
    close(loss(logits, targets), oracle_loss(logits, targets, np.ones(24, bool), np.ones(7)))
    assert loss(logits.astype(jnp.bfloat16), targets).dtype == jnp.float32


@pytest.mark.parametrize(
    ('name', 'value'), [('alpha', -0.1), ('alpha', 1.1), ('prior', -0.1), ('prior', np.inf)]
)
def test_an_argument_out_of_range(name, value):
    with pytest.raises(ValueError, match=f'{name} of adaptive cross entropy is {value}'):
        adaptive_cross_entropy(jnp.zeros((2, 3)), jnp.zeros((2, 3)), **{name: value})
