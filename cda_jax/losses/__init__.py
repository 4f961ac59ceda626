"""Losses of single samples: cross entropy and what answers for classes that are rare or hard.

A loss is a function of this form:

    loss(logits, targets, mask=None, *, ...) -> float32[B]

`logits` are float[B, C] of any precision; everything is computed in float32. `targets` are
float[B, C], one-hot or soft. `mask` is bool[B], the samples that count; None means all. The
keywords are hyper-parameters, which a config sets, but for three names. A loss that has one of
these among its parameters gets it from the program, and no other loss does:

    class_counts  float[C], the training examples of every class that the classifier learns from
    progress      share of training that is done, a scalar from 0 to 1
    axis_name     mapped axis over which the batch is spread; batch statistics are summed over it

All losses here have this in common:

- A sample outside the mask has loss 0 and gradient 0, even if it holds NaN, and is in no statistic.
- Soft targets t give the expectation over labels drawn from them, sum_y t_y loss(y), and a sample
  counts t_y in the batch's statistics of class y.
- Weights and factors are constants to differentiation, but for the focal loss's.
- A weighted loss is weight times loss. The caller takes the mean over samples, not over weights.
- ValueError for a hyper-parameter outside its range.

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
