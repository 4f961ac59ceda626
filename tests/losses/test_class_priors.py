"""Values worked by hand, ends of the ranges, and what is outside them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cda_jax.losses import (
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
from cda_jax.losses.class_priors import label_margins

close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)

COUNTS = np.array([5000, 3, 700, 41])


def draw(*, soft=False):
    rng = np.random.default_rng(0)
    targets = rng.dirichlet(np.ones(4), 12) if soft else np.eye(4)[rng.integers(0, 4, 12)]
    return jnp.asarray(rng.normal(size=(12, 4)), jnp.float32), jnp.asarray(targets, jnp.float32)


def test_effective_number_weights_worked_by_hand():
    # beta 1/2: E_1 = 1, E_2 = 3/2; 1/E = 1, 2/3; their sum 5/3 becomes 2
    close(effective_number_weights(np.array([1, 2]), beta=0.5), [6 / 5, 4 / 5])
    # an absent class weighs nothing, the sum stays C
    close(effective_number_weights(np.array([1, 0, 2]), beta=0.5), [9 / 5, 0, 6 / 5])
    close(effective_number_weights(np.array([7, 9000, 1]), beta=0.0), [1, 1, 1])
    close(effective_number_weights(np.zeros(3), beta=0.9), [1, 1, 1])


def test_ends_of_the_ranges_are_cross_entropy():
    logits, targets = draw(soft=True)
    plain = cross_entropy(logits, targets)
    close(focal_loss(logits, targets, gamma=0.0), plain)
    close(class_balanced_cross_entropy(logits, targets, class_counts=COUNTS, beta=0.0), plain)
    close(logit_adjusted_cross_entropy(logits, targets, class_counts=COUNTS, tau=0.0), plain)
    close(seesaw_loss(logits, targets, class_counts=COUNTS, p=0.0, q=0.0), plain)
    no_margins = {'max_margin': 0.0, 'scale': 1.0}
    close(ldam_loss(logits, targets, class_counts=COUNTS, progress=0.0, **no_margins), plain)


def test_margins_worked_by_hand():
    # fourth roots of 1, 16 and 81; the absent class has the margin of the rarest
    close(label_margins(np.array([81, 1, 0, 16]), max_margin=0.6), [0.2, 0.6, 0.6, 0.3])
    # z = (0, 0), label 0, margin 1, scale 2: -log(e^-2 / (e^-2 + 1))
    constants = {'progress': 0.0, 'max_margin': 1.0, 'scale': 2.0}
    loss = ldam_loss(jnp.zeros((1, 2)), jnp.eye(2)[:1], class_counts=np.array([5, 5]), **constants)
    close(loss, [np.log(1 + np.exp(2))])


def test_seesaw_worked_by_hand():
    # class 1 has 1 / 16 of the label's examples, M = 1 / 4, and twice its probability, K = 4
    logits = jnp.log(jnp.array([[1.0, 2.0]]))
    label = jnp.array([[1.0, 0]])
    loss = seesaw_loss(logits, label, class_counts=np.array([16, 1]), p=0.5, q=2.0)
    close(loss, [np.log(1 + 1 / 4 * 4 * 2)])
    # a more frequent class that is not mistaken for the label has the factor 1
    loss = seesaw_loss(-logits, label, class_counts=np.array([1, 16]), p=0.5, q=2.0)
    close(loss, [np.log(1 + 1 / 2)])


def test_post_hoc_adjustment_equals_its_equation():
    logits, _ = draw()
    prior = COUNTS / COUNTS.sum()
    adjusted = adjust_logits(logits, COUNTS, 0.7)
    # equation 9 up to the exponential, which is monotone
    close(np.exp(adjusted), np.exp(logits) / prior**0.7)
    # one class more likely a priori: the adjustment turns the answer
    assert np.argmax(adjust_logits(jnp.array([1.0, 0.0]), np.array([90, 10]))) == 1


def test_training_and_post_hoc_adjustment_cancel():
    logits, targets = draw()
    counts = np.array([5000, 3, 0, 41])
    lowered = adjust_logits(logits, counts)
    close(balanced_softmax(lowered, targets, class_counts=counts), cross_entropy(logits, targets))


def test_deferred_weights_switch_on_under_jit():
    logits, targets = draw()
    constants = {'class_counts': COUNTS, 'reweight_from': 0.6}
    loss = jax.jit(functools.partial(ldam_loss, logits, targets, **constants))
    before, after = loss(progress=0.59), loss(progress=0.6)
    weights = targets @ effective_number_weights(COUNTS, beta=0.9999)
    np.testing.assert_allclose(after, before * weights, rtol=1e-5)
    np.testing.assert_array_equal(loss(progress=0.0), before)


@pytest.mark.parametrize(
    ('loss', 'keywords', 'message'),
    [
        (cross_entropy, {'label_smoothing': 1.0}, 'label_smoothing'),
        (cross_entropy, {'label_smoothing': -0.1}, 'label_smoothing'),
        (focal_loss, {'gamma': -1.0}, 'gamma'),
        (focal_loss, {'gamma': float('nan')}, 'gamma'),
        (class_balanced_cross_entropy, {'beta': 1.0}, 'beta'),
        (class_balanced_focal_loss, {'beta': -0.1}, 'beta'),
        (class_balanced_focal_loss, {'gamma': -0.1}, 'gamma'),
        (ldam_loss, {'max_margin': -0.1}, 'max_margin'),
        (ldam_loss, {'scale': 0.0}, 'scale'),
        (ldam_loss, {'reweight_from': 1.1}, 'reweight_from'),
        (ldam_loss, {'beta': 1.0}, 'beta'),
        (logit_adjusted_cross_entropy, {'tau': -1.0}, 'tau'),
        (seesaw_loss, {'p': -1.0}, '^p of'),
        (seesaw_loss, {'q': -1.0}, '^q of'),
        (balanced_softmax, {'class_counts': np.ones(4)}, 'class_counts'),
        (balanced_softmax, {'class_counts': np.array([1, -1, 2])}, 'expected finite counts'),
        (seesaw_loss, {'class_counts': np.array([1, np.nan, 2])}, 'expected finite counts'),
    ],
)
def test_constants_out_of_range(loss, keywords, message):
    if loss not in (cross_entropy, focal_loss):
        keywords = {'class_counts': np.ones(3), **keywords}
    if loss is ldam_loss:
        keywords = {'progress': 0.0, **keywords}
    # A wrong shape is a TypeError where annotations are checked.
    with pytest.raises((ValueError, TypeError), match=message):
        loss(jnp.zeros((2, 3)), jnp.eye(3)[:2], **keywords)
