"""Per-sample losses.

Every loss has the form `loss(logits, targets, mask=None, *, ..., axis_name=None) -> float32[B]`:
`logits` float[B, C], `targets` float[B, C] (one-hot or soft), `mask` bool[B] (the samples that
count; None means all), hyper-parameters by keyword, and the mapped axis to sum statistics over.
A masked-out sample's loss and gradient are 0. The caller averages.

Two keywords are statistics, which come from the caller and not from the user: `class_counts`
float[C], the training examples of every class, and `progress`, the share of training that is done,
a scalar from 0 to 1. A loss that needs one names it in its signature; `find_loss` binds the first
and passes on the second.
"""

from cda_jax.losses.adaptive_cross_entropy import adaptive_cross_entropy, adaptive_weights
from cda_jax.losses.class_balanced import class_balanced_cross_entropy, class_balanced_focal_loss
from cda_jax.losses.class_counts import effective_number_weights
from cda_jax.losses.cross_entropy import cross_entropy
from cda_jax.losses.focal_loss import focal_loss
from cda_jax.losses.ldam_loss import ldam_loss
from cda_jax.losses.logit_adjustment import (
    adjust_logits,
    balanced_softmax,
    logit_adjusted_cross_entropy,
)
from cda_jax.losses.lookup import find_loss
from cda_jax.losses.recall_loss import recall_loss
from cda_jax.losses.seesaw_loss import seesaw_loss

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
