"""Values worked by hand, ends of the ranges, and what is outside them."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

from cda_jax.losses import (
    adaptive_cross_entropy,
    adaptive_weights,
    adjust_logits,
    balanced_softmax,
    class_balanced_cross_entropy,
    class_balanced_focal_loss,
    cross_entropy,
    effective_number_weights,
    focal_loss,
    ldam_loss,
    logit_adjusted_cross_entropy,
    seesaw_loss,
)
from cda_jax.losses.adaptive import batch_statistics

close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)

COUNTS = np.array([5000, 3, 700, 41])


def weights_of(logits, labels, mask=None, **options):
    """The weights of ACE."""
    targets = jnp.eye(len(logits[0]))[np.array(labels)]
    return adaptive_weights(*batch_statistics(jnp.float32(logits), targets, mask), **options)


def test_weights_of_a_batch():
    # 4 samples: class 0 three times, once missed; class 1 once, missed; class 2 absent.
    batch = np.eye(3)[[0, 0, 1, 0]], [0, 0, 0, 1]
    # w_d = 3/2 (1/4, 3/4, 1); miss = (1/3, 1, 0); w_p = 3/(4/3) miss = (3/4, 9/4, 0)
    close(weights_of(*batch), [0.75 * 0.375, 2.25 * 1.125, 0])
    # alpha 1/2: half way to their mean
    mean = (0.75 * 0.375 + 2.25 * 1.125) / 3
    half = [(0.28125 + mean) / 2, (2.53125 + mean) / 2, mean / 2]
    close(weights_of(*batch, alpha=0.5), half)
    # A prior of 3: a pseudo-sample for each class, of which half are recognised, as of the four.
    # n = (4, 2, 1) of 7; h = (2.5, 0.5, 0.5): misses (3/8, 3/4, 1/2), w_p = 3/(13/8) misses
    expected = np.array([3 / 8, 3 / 4, 1 / 2]) * 24 / 13 * 1.5 * np.array([3, 5, 6]) / 7
    close(weights_of(*batch, prior=3.0), expected)
    # The four samples then weigh 1 on average.
    mean = (3 * expected[0] + expected[1]) / 4
    close(weights_of(*batch, prior=3.0, unit_mean=True), expected / mean)


def test_weights_at_the_edges_of_a_batch():
    # Equal scores: class 0 is predicted, so class 0 is hit and class 1 missed.
    close(weights_of(np.zeros((2, 2)), [0, 1]), [0, 2])
    close(weights_of(np.zeros((4, 3)), [0] * 4, jnp.zeros(4, bool)), [1, 1, 1])
    close(weights_of(np.zeros((4, 1)), [0] * 4), [1])
    # A class that is alone in its batch weighs nothing.
    close(adaptive_cross_entropy(jnp.zeros((4, 3)), jnp.eye(3)[jnp.zeros(4, int)]), np.zeros(4))


def test_effective_number_weights():
    # beta 1/2: E_1 = 1, E_2 = 3/2; 1/E = 1, 2/3; their sum 5/3 becomes 2
    close(effective_number_weights(np.array([1, 2]), beta=0.5), [6 / 5, 4 / 5])
    # an absent class weighs nothing, the sum stays C
    close(effective_number_weights(np.array([1, 0, 2]), beta=0.5), [9 / 5, 0, 6 / 5])
    close(effective_number_weights(np.array([7, 9000, 1]), beta=0.0), [1, 1, 1])
    close(effective_number_weights(np.zeros(3), beta=0.9), [1, 1, 1])


def test_margins():
    # fourth roots of 1, 16 and 81; the absent class has the margin of the rarest
    counts, margins = np.array([81, 1, 0, 16]), np.array([0.2, 0.6, 0.6, 0.3])
    options = {'progress': 0.0, 'max_margin': 0.6, 'scale': 2.0}
    loss = ldam_loss(jnp.zeros((4, 4)), jnp.eye(4), class_counts=counts, **options)
    close(loss, np.log(1 + 3 * np.exp(2 * margins)))


def draw(*, soft=False):
    rng = np.random.default_rng(0)
    targets = rng.dirichlet(np.ones(4), 12) if soft else np.eye(4)[rng.integers(0, 4, 12)]
    return jnp.asarray(rng.normal(size=(12, 4)), jnp.float32), jnp.asarray(targets, jnp.float32)


def test_ends_of_the_ranges_are_cross_entropy():
    logits, targets = draw(soft=True)
    plain = cross_entropy(logits, targets)
    close(focal_loss(logits, targets, gamma=0.0), plain)
    close(class_balanced_cross_entropy(logits, targets, class_counts=COUNTS, beta=0.0), plain)
    close(logit_adjusted_cross_entropy(logits, targets, class_counts=COUNTS, tau=0.0), plain)
    close(seesaw_loss(logits, targets, class_counts=COUNTS, p=0.0, q=0.0), plain)
    no_margins = {'max_margin': 0.0, 'scale': 1.0}
    close(ldam_loss(logits, targets, class_counts=COUNTS, progress=0.0, **no_margins), plain)


def test_post_hoc_adjustment_equals_its_equation():
    logits, targets = draw()
    prior = COUNTS / COUNTS.sum()
    adjusted = adjust_logits(logits, COUNTS, 0.7)
    # equation 9 up to the exponential, which is monotone
    close(np.exp(adjusted), np.exp(logits) / prior**0.7)
    # one class more likely a priori: the adjustment turns the answer
    assert np.argmax(adjust_logits(jnp.array([1.0, 0.0]), np.array([90, 10]))) == 1
    # That in training cancels it.
    counts = np.array([5000, 3, 0, 41])
    lowered = adjust_logits(logits, counts)
    close(balanced_softmax(lowered, targets, class_counts=counts), cross_entropy(logits, targets))


@pytest.mark.parametrize('counts', [[5, np.nan, 2], [5, -1, 2], [5, np.inf, 2]])
def test_class_counts_that_are_none(counts):
    for loss in (class_balanced_cross_entropy, balanced_softmax, seesaw_loss):
        with pytest.raises(ValueError, match=r'class_counts is .* each of the 3 classes'):
            loss(jnp.zeros((2, 3)), jnp.eye(3)[:2], class_counts=np.array(counts))


@pytest.mark.parametrize(
    ('loss', 'name', 'values'),
    [
        (cross_entropy, 'label_smoothing', [1.0, -0.1]),
        (adaptive_cross_entropy, 'alpha', [-0.1, 1.1]),
        (adaptive_cross_entropy, 'prior', [-0.1, np.inf]),
        (focal_loss, 'gamma', [-1.0, np.nan]),
        (class_balanced_cross_entropy, 'beta', [1.0]),
        (class_balanced_focal_loss, 'beta', [-0.1]),
        (class_balanced_focal_loss, 'gamma', [-0.1]),
        (ldam_loss, 'max_margin', [-0.1]),
        (ldam_loss, 'scale', [0.0]),
        (ldam_loss, 'reweight_from', [1.1]),
        (ldam_loss, 'beta', [1.0]),
        (logit_adjusted_cross_entropy, 'tau', [-1.0]),
        (seesaw_loss, 'p', [-1.0]),
        (seesaw_loss, 'q', [-1.0]),
    ],
)
def test_constants_out_of_range(loss, name, values):
    knows_none = loss in (cross_entropy, adaptive_cross_entropy, focal_loss)
    context = {} if knows_none else {'class_counts': np.ones(3)}
    if loss is ldam_loss:
        context['progress'] = 0.0
    for value in values:
        with pytest.raises(ValueError, match=f'^{name} of .* is {value}'):
            loss(jnp.zeros((2, 3)), jnp.eye(3)[:2], **{name: value}, **context)
