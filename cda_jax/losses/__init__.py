"""Per-sample losses.

Every loss has the form `loss(logits, targets, mask=None, *, ..., axis_name=None) -> float32[B]`:
`logits` float[B, C], `targets` float[B, C] (one-hot or soft), `mask` bool[B] (the samples that
count; None means all), hyper-parameters by keyword, and the mapped axis to sum statistics over.
A masked-out sample's loss and gradient are 0. The caller averages.
"""

from cda_jax.losses.adaptive_cross_entropy import adaptive_cross_entropy, adaptive_weights
from cda_jax.losses.cross_entropy import cross_entropy
from cda_jax.losses.lookup import find_loss

__all__ = ['adaptive_cross_entropy', 'adaptive_weights', 'cross_entropy', 'find_loss']
