"""Losses of single samples: cross entropy and what answers for classes that are rare or hard.

    loss(logits, targets, mask=None, *, ...) -> float32[B]

docs/losses.md has a table of the losses, the keywords that the program fills in, and what holds for
all of them. Losses compute in float32, whatever they are given. A hyper-parameter outside its range
is a ValueError, and so are class counts that are not one finite number of 0 or more a class.

The formulas are those of one sample with label y: p = softmax(logits), n_j training examples of
class j and n of all, b_j samples of class j in the batch, of which h_j are recognised.
"""

from cda_jax.losses.adaptive import adaptive_cross_entropy, adaptive_weights, recall_loss
from cda_jax.losses.class_priors import (
    adjust_logits,
    balanced_softmax,
    class_balanced_cross_entropy,
    class_balanced_focal_loss,
    effective_number_weights,
    ldam_loss,
    logit_adjusted_cross_entropy,
    seesaw_loss,
)
from cda_jax.losses.cross_entropy import cross_entropy, focal_loss
from cda_jax.losses.lookup import find_loss

__all__ = [
    'adaptive_cross_entropy',
    'adaptive_weights',
    'adjust_logits',
    'balanced_softmax',
    'class_balanced_cross_entropy',
    'class_balanced_focal_loss',
    'cross_entropy',
    'effective_number_weights',
    'find_loss',
    'focal_loss',
    'ldam_loss',
    'logit_adjusted_cross_entropy',
    'recall_loss',
    'seesaw_loss',
]
