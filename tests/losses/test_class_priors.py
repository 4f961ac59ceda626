"""Class priors worked by hand, ends of the ranges, and what is outside them."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

from cda_jax.losses import (
    adjust_logits,
    balanced_softmax,
    class_balanced_cross_entropy,
    cross_entropy,
    focal_loss,
    ldam_loss,
    logit_adjusted_cross_entropy,
    seesaw_loss,
)

close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)

COUNTS = np.array([5000, 3, 700, 41])


def draw(*, soft=False):
    rng = np.random.default_rng(0)
    targets = rng.dirichlet(np.ones(4), 12) if soft else np.eye(4)[rng.integers(0, 4, 12)]
    return jnp.asarray(rng.normal(size=(12, 4)), jnp.float32), jnp.asarray(targets, jnp.float32)


def test_post_hoc_adjustment_equals_its_equation():
    logits, targets = draw()
    prior = COUNTS / COUNTS.sum()
    adjusted = adjust_logits(logits, COUNTS, 0.7)
    # equation 9 up to the exponential, which is monotone
    close(np.exp(adjusted), np.exp(logits) / prior**0.7)
    # one class more likely a priori: the adjustment turns the answer
    assert np.argmax(adjust_logits(jnp.array([1.0, 0.0]), np.array([90, 10]))) == 1
    # With training for the same prior it cancels.
    counts = np.array([5000, 3, 0, 41])
    lowered = adjust_logits(logits, counts)
    close(balanced_softmax(lowered, targets, class_counts=counts), cross_entropy(logits, targets))


@pytest.mark.parametrize(
    ('loss', 'keywords', 'message'),
    [
        (cross_entropy, {'label_smoothing': 1.0}, 'label_smoothing'),
        (focal_loss, {'gamma': -1.0}, 'gamma'),
        (class_balanced_cross_entropy, {'beta': 1.0}, 'beta'),
        (ldam_loss, {'max_margin': -0.1}, 'max_margin'),
        (ldam_loss, {'scale': 0.0}, 'scale'),
        (ldam_loss, {'reweight_from': 1.1}, 'reweight_from'),
        (logit_adjusted_cross_entropy, {'tau': -1.0}, 'tau'),
        (seesaw_loss, {'p': -1.0}, '^p of'),
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
