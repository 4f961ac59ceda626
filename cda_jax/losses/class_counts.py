"""The counts of training examples by class, as the losses use them."""

import math

import jax
import jax.numpy as jnp
import numpy as np


def checked_counts(class_counts: jax.Array, num_classes: int) -> jax.Array:
    """Class counts as float32[C].

    Args:
        class_counts: float[C], training examples of every class.
        num_classes: C.

    Returns:
        float32[C].

    Raises:
        ValueError: There is not one count for every class; or a count is negative or not finite,
            which shows only where the counts are known when the loss is traced.
    """
    if np.shape(class_counts) != (num_classes,):
        raise ValueError(
            f'class_counts has shape {np.shape(class_counts)}, expected ({num_classes},), '
            'the training examples of every class'
        )
    if not isinstance(class_counts, jax.core.Tracer):
        known = np.asarray(class_counts)
        if not np.all(np.isfinite(known) & (known >= 0)):
            raise ValueError(f'class_counts is {known}, expected finite counts of 0 or more')
    return jnp.asarray(class_counts, jnp.float32)


def log_counts(class_counts: jax.Array, num_classes: int) -> jax.Array:
    """Logarithms of the class counts; a class without examples is read as one with 1.

    The logarithm of 0 would make the loss of every sample that a pseudo label puts into such a
    class infinite.

    Args:
        class_counts: float[C], training examples of every class.
        num_classes: C.

    Returns:
        float32[C].

    Raises:
        ValueError: As in `checked_counts`.
    """
    counts = checked_counts(class_counts, num_classes)
    return jnp.log(jnp.where(counts > 0, counts, 1))


def effective_number_weights(
    class_counts: jax.Array, num_classes: int, *, beta: float
) -> jax.Array:
    """Class weights in inverse proportion to the effective number of examples.

    Source: Cui et al. (2019), proposition 1 for the effective number
    E_n = (1 - beta^n) / (1 - beta), section 4 for the weights 1 / E_n and their sum, C. A class
    without examples weighs 0 and the others sum to C: 1 / E_0 is infinite, and the weight of a
    single example would take nearly the whole sum away from the classes that do occur. If no class
    has examples, every weight is 1.

    Args:
        class_counts: float[C], training examples of every class.
        num_classes: C.
        beta: 0 to below 1. At 0 all classes with examples weigh the same; towards 1 the weights
            tend to inverse counts.

    Returns:
        float32[C].

    Raises:
        ValueError: `beta` is outside its range, or as in `checked_counts`.
    """
    if not 0 <= beta < 1:
        raise ValueError(f'beta of the effective number is {beta}, expected 0 to below 1')
    counts = checked_counts(class_counts, num_classes)
    present = counts > 0
    # Through the logarithm: 1 - 0.9999 in float32 is wrong in the fourth digit already.
    log_beta = math.log(beta) if beta > 0 else -math.inf
    inverse = -1 / jnp.expm1(jnp.where(present, counts, 1) * log_beta)
    inverse = jnp.where(present, inverse, 0)
    total = inverse.sum()
    return jnp.where(total > 0, num_classes * inverse / jnp.where(total > 0, total, 1), 1)
