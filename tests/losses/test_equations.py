"""Every loss against a float64 NumPy rendering of its paper's equations.

An oracle takes one sample at a time: `oracle(z, y, frozen)` is the loss of logits z for label y,
where `frozen` are the logits that constants (weights, factors) are computed from; so the slope of
the oracle in z alone is the gradient that the loss has to have. Soft targets are expectations.
"""

import functools
import inspect
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.oracles import oracle_weights

import cda_jax.losses
from cda_jax.losses import find_loss

close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)

ROWS, CLASSES = 24, 5
COUNTS = {'skewed': np.array([5000, 3, 700, 41, 1]), 'absent': np.array([5000, 3, 0, 41, 0])}


def probability(z, y):
    return np.exp(z[y]) / sum(np.exp(z[j]) for j in range(len(z)))


def at_least_1(counts):
    return [max(n, 1) for n in counts]


def oracle_cui_weights(counts, beta):
    inverse = [(1 - beta) / (1 - beta ** float(n)) if n > 0 else 0.0 for n in counts]
    return np.array(inverse) * len(counts) / sum(inverse)


def oracle_cross_entropy(z, y, frozen, batch, counts):
    return -np.log(probability(z, y))


def oracle_smoothed(z, y, frozen, batch, counts):
    others = sum(np.log(probability(z, j)) for j in range(len(z)))
    return -0.9 * np.log(probability(z, y)) - 0.1 / len(z) * others


_weights = {}  # of batches that were seen: a loss is asked for row by row


def oracle_adaptive(z, y, frozen, batch, counts, **options):
    key = *(array.tobytes() for array in batch), *options.items()
    if key not in _weights:
        _weights[key] = oracle_weights(*batch, np.ones(len(batch[0]), bool), **options)
    return -_weights[key][y] * np.log(probability(z, y))


def oracle_focal(z, y, frozen, batch, counts, gamma=2.0):
    p = probability(z, y)
    return -((1 - p) ** gamma) * np.log(p)


def oracle_balanced_cross_entropy(z, y, frozen, batch, counts):
    return -oracle_cui_weights(counts, 0.999)[y] * np.log(probability(z, y))


def oracle_balanced_focal(z, y, frozen, batch, counts):
    return oracle_cui_weights(counts, 0.9999)[y] * oracle_focal(z, y, frozen, batch, counts, 0.5)


def oracle_ldam(z, y, frozen, batch, counts, scale=30.0, weight=1.0):
    rarest = min(n for n in counts if n > 0)
    margin = 0.5 * (rarest / counts[y]) ** 0.25 if counts[y] > 0 else 0.5
    lowered = np.exp(scale * (z[y] - margin))
    others = sum(np.exp(scale * z[j]) for j in range(len(z)) if j != y)
    return -weight * np.log(lowered / (lowered + others))


def oracle_ldam_reweighted(z, y, frozen, batch, counts):
    weight = oracle_cui_weights(counts, 0.99)[y]
    return oracle_ldam(z, y, frozen, batch, counts, scale=1.0, weight=weight)


def oracle_balanced_softmax(z, y, frozen, batch, counts):
    n = at_least_1(counts)
    return -np.log(n[y] * np.exp(z[y]) / sum(n[j] * np.exp(z[j]) for j in range(len(z))))


def oracle_logit_adjusted(z, y, frozen, batch, counts):
    prior = np.array(at_least_1(counts)) / sum(at_least_1(counts))
    others = (j for j in range(len(z)) if j != y)
    return np.log(1 + sum((prior[j] / prior[y]) ** 1.5 * np.exp(z[j] - z[y]) for j in others))


def oracle_seesaw(z, y, frozen, batch, counts):
    n = at_least_1(counts)
    denominator = np.exp(z[y])
    for j in range(len(z)):
        if j != y:
            mitigation = (n[j] / n[y]) ** 0.8 if n[y] > n[j] else 1
            confusion = probability(frozen, j) / probability(frozen, y)
            compensation = confusion**2.0 if confusion > 1 else 1
            denominator += mitigation * compensation * np.exp(z[j])
    return -np.log(np.exp(z[y]) / denominator)


def oracle_recall(z, y, frozen, batch, counts):
    logits, targets = batch
    hits = sum(t[y] for x, t in zip(logits, targets, strict=True) if np.argmax(x) == y)
    samples = sum(t[y] for t in targets)
    miss_rate = 1 - hits / samples if samples > 0 else 0
    return -miss_rate * np.log(probability(z, y))


ADAPTIVE = [{'alpha': alpha} for alpha in (0.0, 0.4, 1.0)]
ADAPTIVE += [{'alpha': 1.0, 'prior': 7.0}, {'alpha': 1.0, 'unit_mean': True}]
ADAPTIVE += [{'alpha': 0.4, 'prior': 0.5, 'unit_mean': True}]

# The loss, its hyper-parameters, its oracle. Training is half done.
LOSSES = {
    f'adaptive {args}': ('adaptive_cross_entropy', args, functools.partial(oracle_adaptive, **args))
    for args in ADAPTIVE
} | {
    'plain': ('cross_entropy', {}, oracle_cross_entropy),
    'smoothed': ('cross_entropy', {'label_smoothing': 0.1}, oracle_smoothed),
    'focal': ('focal_loss', {}, oracle_focal),
    'balanced': ('class_balanced_cross_entropy', {'beta': 0.999}, oracle_balanced_cross_entropy),
    'balanced focal': ('class_balanced_focal_loss', {'gamma': 0.5}, oracle_balanced_focal),
    'ldam': ('ldam_loss', {'reweight_from': 0.51}, oracle_ldam),
    'ldam, weights on': (
        'ldam_loss',
        {'reweight_from': 0.5, 'beta': 0.99, 'scale': 1.0},
        oracle_ldam_reweighted,
    ),
    'balanced softmax': ('balanced_softmax', {}, oracle_balanced_softmax),
    'logit adjusted': ('logit_adjusted_cross_entropy', {'tau': 1.5}, oracle_logit_adjusted),
    'seesaw': ('seesaw_loss', {}, oracle_seesaw),
    'recall': ('recall_loss', {}, oracle_recall),
}


def build(name, counts, axis_name=None):
    loss, args, _ = LOSSES[name]
    found = find_loss(loss, args, class_counts=counts)
    return functools.partial(found, axis_name=axis_name, progress=0.5)


@functools.cache
def evaluate(name, axis_name=None):
    """(counts, logits, targets, mask) -> the losses, and the gradient of their sum."""

    def value_and_gradient(counts, logits, targets, mask):
        loss = build(name, counts, axis_name)

        def total(x):
            losses = loss(x, targets, mask)
            return losses.sum(), losses

        gradient, losses = jax.grad(total, has_aux=True)(logits)
        return losses, gradient

    if axis_name:
        value_and_gradient = jax.vmap(value_and_gradient, (None, 0, 0, 0), axis_name=axis_name)
    # Tests compile without optimising, which costs some losses a digit.
    return jax.jit(value_and_gradient, compiler_options={'xla_backend_optimization_level': 1})


def oracle_losses(oracle, logits, targets, mask, counts, frozen=None):
    """float64[B], 0 where masked out."""
    frozen = logits if frozen is None else frozen
    batch = [frozen[mask], targets[mask]]
    losses = np.zeros(len(logits))
    for i in np.flatnonzero(mask):
        for y in np.flatnonzero(targets[i]):
            losses[i] += targets[i, y] * oracle(logits[i], y, frozen[i], batch, counts)
    return losses


def oracle_gradient(oracle, logits, targets, mask, counts, step=1e-6):
    gradient = np.zeros(logits.shape)
    for j in range(logits.shape[1]):
        shift = step * np.eye(logits.shape[1])[j]
        up = oracle_losses(oracle, logits + shift, targets, mask, counts, frozen=logits)
        down = oracle_losses(oracle, logits - shift, targets, mask, counts, frozen=logits)
        gradient[:, j] = (up - down) / (2 * step)
    return gradient


def draw(case, seed=0):
    """Logits and targets as float32-exact float64, and the mask."""
    rng = np.random.default_rng(seed)
    num_classes = 2 if case.startswith('two classes') else CLASSES
    labels = rng.integers(0, num_classes, ROWS)
    if case == 'absent class':
        labels[labels == 2] = 3
    if 'one' in case:
        labels[:] = 1
    logits = rng.normal(size=(ROWS, num_classes))
    if case == 'all right':
        logits[np.arange(ROWS), labels] += 8
    targets = np.eye(num_classes)[labels]
    if case == 'soft':
        targets = rng.dirichlet(np.ones(CLASSES), ROWS)
    mask = np.ones(ROWS, bool) if case == 'unmasked' else rng.random(ROWS) < 0.7
    if case == 'nothing':
        mask[:] = False
    single = [x.astype(np.float32).astype(np.float64) for x in (logits, targets)]
    return *single, mask


CASES = ('unmasked', 'masked', 'soft', 'absent class', 'one class', 'all right', 'nothing')
CASES += ('two classes', 'two classes, one alone')


def test_every_loss_has_an_oracle():
    no_losses = {'adaptive_weights', 'adjust_logits', 'effective_number_weights', 'find_loss'}
    assert {loss for loss, _, _ in LOSSES.values()} == set(cda_jax.losses.__all__) - no_losses


@pytest.mark.parametrize('name', LOSSES)
def test_losses_and_gradients_equal_their_equations(name):
    loss, _, oracle = LOSSES[name]
    knows_counts = 'class_counts' in inspect.signature(getattr(cda_jax.losses, loss)).parameters
    for case, of in itertools.product(CASES, COUNTS if knows_counts else ['skewed']):
        logits, targets, mask = draw(case)
        counts = COUNTS[of][: logits.shape[1]]
        expected = oracle_losses(oracle, logits, targets, mask, counts)
        slopes = oracle_gradient(oracle, logits, targets, mask, counts)
        batch = [logits.astype(np.float32), targets.astype(np.float32), mask]
        split = [x.reshape(4, ROWS // 4, *x.shape[1:]) for x in batch]
        on_one = evaluate(name)(counts, *batch)
        on_four = evaluate(name, 'data')(counts, *split)
        for value, gradient in (on_one, on_four):
            close(np.reshape(value, ROWS), expected, err_msg=case)
            np.testing.assert_allclose(
                np.reshape(gradient, slopes.shape), slopes, rtol=1e-4, atol=1e-4, err_msg=case
            )


@pytest.mark.parametrize('name', [name for name in LOSSES if name.startswith('adaptive')])
def test_adaptive_cross_entropy_equals_its_equations_for_other_draws(name):
    for case, seed in itertools.product(CASES, range(1, 10)):
        logits, targets, mask = draw(case, seed)
        expected = oracle_losses(LOSSES[name][2], logits, targets, mask, COUNTS['skewed'])
        losses, _ = evaluate(name)(np.ones(logits.shape[1]), logits, targets, mask)
        close(losses, expected, err_msg=f'{case} {seed}')


@pytest.mark.parametrize('name', LOSSES)
def test_masked_rows_may_hold_nan_and_have_no_gradient(name):
    logits, targets, mask = draw('masked')

    def filled(fill):
        rows = [np.where(mask[:, None], x, fill).astype(np.float32) for x in (logits, targets)]
        return evaluate(name)(COUNTS['absent'], *rows, mask)

    for clean, poisoned in zip(filled(0), filled(np.nan), strict=True):
        np.testing.assert_array_equal(poisoned, clean)
        assert not np.any(poisoned[~mask])
        assert np.any(poisoned[mask])


@pytest.mark.parametrize('name', LOSSES)
def test_finite_for_extreme_logits_and_counts(name):
    logits = np.random.default_rng(0).choice(np.float32([-200, 0, 200]), (ROWS, CLASSES))
    targets = np.eye(CLASSES, dtype=np.float32)[np.arange(ROWS) % CLASSES]
    for counts in (np.zeros(CLASSES, int), np.array([9, 0, 0, 0, 0])):
        for array in evaluate(name)(counts, logits, targets, np.ones(ROWS, bool)):
            assert np.isfinite(array).all()


@pytest.mark.parametrize('name', LOSSES)
def test_half_precision_is_computed_in_float32(name):
    loss = build(name, COUNTS['skewed'])
    logits, targets, _ = draw('unmasked')
    half = [x.astype(jnp.bfloat16) for x in (logits, targets)]

    @jax.jit
    def both(*half):
        return loss(*half), loss(*(x.astype(jnp.float32) for x in half))

    from_half, from_single = both(*half)
    assert from_half.dtype == jnp.float32
    close(from_half, from_single)
