"""Losses that know how many training examples each class has."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Real

from cda_jax.losses.adaptive import ratio
from cda_jax.losses.cross_entropy import (
    Mask,
    PerClass,
    PerSample,
    cross_entropy,
    focal_loss,
    keep_rows,
)

Counts = Real[ArrayLike, ' C']


def class_balanced_cross_entropy(
    logits: PerClass,
    targets: PerClass,
    mask: Mask = None,
    *,
    class_counts: Counts,
    beta: float = 0.9999,
) -> PerSample:
    """Cross entropy with fixed weights for rare classes.

        -w_y log p_y

    with the weights w of `effective_number_weights`.

    Source: Cui et al. (2019), section 4.1, https://arxiv.org/abs/1901.05555

    >>> logits, targets = jnp.zeros((2, 2)), jnp.eye(2)
    >>> print(class_balanced_cross_entropy(logits, targets, class_counts=jnp.array([90, 10])))
    [0.139... 1.247...]
    """
    weights = effective_number_weights(_checked(class_counts, logits), beta=beta)
    return cross_entropy(logits, weights * targets, mask)


def class_balanced_focal_loss(
    logits: PerClass,
    targets: PerClass,
    mask: Mask = None,
    *,
    class_counts: Counts,
    beta: float = 0.9999,
    gamma: float = 2.0,
) -> PerSample:
    """Focal loss with fixed weights for rare classes.

        -w_y (1 - p_y)^gamma log p_y

    with the weights w of `effective_number_weights`; `gamma` as in `focal_loss`.

    Source: Cui et al. (2019), section 4.3, https://arxiv.org/abs/1901.05555

    >>> logits, targets = jnp.zeros((2, 2)), jnp.eye(2)
    >>> print(class_balanced_focal_loss(logits, targets, class_counts=jnp.array([90, 10])))
    [0.034... 0.311...]
    """
    weights = effective_number_weights(_checked(class_counts, logits), beta=beta)
    return focal_loss(logits, weights * targets, mask, gamma=gamma)


def effective_number_weights(class_counts: Counts, *, beta: float) -> Float[Array, ' C']:
    """Class weights in inverse proportion to the effective number of training examples.

        w_j = C u_j / sum_i u_i,  u_j = (1 - beta) / (1 - beta^n_j)

    `beta` is 0 (all classes weigh the same) to below 1 (towards inverse counts). A class without
    examples weighs 0: its u would be infinite, and that of one example would take nearly the whole
    sum away from the classes that do occur. If no class has examples, every weight is 1.

    Source: Cui et al. (2019), proposition 1 and section 4, https://arxiv.org/abs/1901.05555

    >>> print(effective_number_weights(jnp.array([1, 3]), beta=0.5))  # u = 1, 4/7
    [1.272... 0.727...]
    """
    if not 0 <= beta < 1:
        raise ValueError(f'beta of the effective number is {beta}, expected 0 to below 1')
    counts = jnp.asarray(class_counts, jnp.float32)
    # Through the logarithm: 1 - 0.9999 in float32 is wrong in the fourth digit already.
    log_beta = math.log(beta) if beta > 0 else -math.inf
    inverse = jnp.where(counts > 0, -1 / jnp.expm1(counts * log_beta), 0)
    total = inverse.sum()
    return jnp.where(total > 0, ratio(len(counts) * inverse, total), 1)


def ldam_loss(
    logits: PerClass,
    targets: PerClass,
    mask: Mask = None,
    *,
    class_counts: Counts,
    progress: Float[ArrayLike, ''],
    max_margin: float = 0.5,
    scale: float = 30.0,
    reweight_from: float = 0.8,
    beta: float = 0.9999,
) -> PerSample:
    """Label-distribution-aware margin loss: a rare label has to win by a margin.

        -w_y log softmax(scale (logits - D_y onehot(y)))_y,  D_j = max_margin (min n / n_j)^(1/4)

    The weights w are 1 until `progress` reaches `reweight_from`, 0 to 1, and then those of
    `effective_number_weights` (the source has 1 / n_j, which is `beta` near 1; at 0 they stay 1).
    `scale` is above 0; the source's logits are cosines, -1 to 1, which 30 makes into logits. For
    those of a plain linear layer, 1 is the source's equation 12, and `max_margin`, 0 or more, is in
    units of logits. A class without examples has the largest margin. Needs memory for B C^2
    numbers.

    Source: Cao et al. (2019), equations 12 and 13, algorithm 1, https://arxiv.org/abs/1906.07413

    >>> logits, targets, counts = jnp.zeros((2, 2)), jnp.eye(2), jnp.array([16, 1])
    >>> print(ldam_loss(logits, targets, class_counts=counts, progress=0.0, scale=1.0))
    [0.825... 0.974...]
    """
    if not max_margin >= 0:
        raise ValueError(f'max_margin of LDAM is {max_margin}, expected 0 or more')
    if not scale > 0:
        raise ValueError(f'scale of LDAM is {scale}, expected above 0')
    if not 0 <= reweight_from <= 1:
        raise ValueError(f'reweight_from of LDAM is {reweight_from}, expected 0 to 1')
    counts = _checked(class_counts, logits)
    fewest = jnp.min(counts, initial=jnp.inf, where=counts > 0)
    margins = max_margin * jnp.where(counts > 0, fewest / counts, 1) ** 0.25
    weights = effective_number_weights(counts, beta=beta)
    weights = jnp.where(progress >= reweight_from, weights, 1)
    label_logits = scale * (keep_rows(logits, mask)[:, None, :] - jnp.diag(margins))
    return _cross_entropy_by_label(label_logits, weights * targets, mask)


def logit_adjusted_cross_entropy(
    logits: PerClass,
    targets: PerClass,
    mask: Mask = None,
    *,
    class_counts: Counts,
    tau: float = 1.0,
) -> PerSample:
    """Cross entropy of logits that are raised for frequent classes, in training only.

        -log softmax(logits + tau log(n_j / n))_y

    `tau` is 0 (cross entropy) or more. A class without examples is read as one with 1.

    Source: Menon et al. (2021), equation 10, https://arxiv.org/abs/2007.07314

    >>> logits, targets = jnp.zeros((2, 2)), jnp.eye(2)
    >>> print(logit_adjusted_cross_entropy(logits, targets, class_counts=jnp.array([3, 1])))
    [0.287... 1.386...]
    """
    raised = logits.astype(jnp.float32) + _log_priors(_checked(class_counts, logits), tau)
    return cross_entropy(raised, targets, mask)


def balanced_softmax(
    logits: PerClass, targets: PerClass, mask: Mask = None, *, class_counts: Counts
) -> PerSample:
    """Cross entropy of the softmax in which each class counts with its training examples.

        -log(n_y exp(logits_y) / sum_j n_j exp(logits_j))

    This is `logit_adjusted_cross_entropy` at `tau` 1.

    Source: Ren et al. (2020), theorem 1, https://arxiv.org/abs/2007.10740

    >>> logits, targets = jnp.zeros((2, 2)), jnp.eye(2)
    >>> print(balanced_softmax(logits, targets, class_counts=jnp.array([3, 1])))  # log 4/3, log 4
    [0.287... 1.386...]
    """
    return logit_adjusted_cross_entropy(logits, targets, mask, class_counts=class_counts)


def adjust_logits(
    logits: Float[Array, '*B C'], class_counts: Counts, tau: float = 1.0
) -> Float[Array, '*B C']:
    """Lowers the logits of frequent classes, at evaluation, after training with `cross_entropy`.

        logits - tau log(n_j / n)

    `tau` is 0 (no change) or more. A class without examples is read as one with 1.

    Source: Menon et al. (2021), equation 9 in logarithms, https://arxiv.org/abs/2007.07314

    >>> print(adjust_logits(jnp.zeros(2), jnp.array([3, 1])))  # -log 3/4 and -log 1/4
    [0.287... 1.386...]
    """
    return logits.astype(jnp.float32) - _log_priors(_checked(class_counts, logits), tau)


def seesaw_loss(
    logits: PerClass,
    targets: PerClass,
    mask: Mask = None,
    *,
    class_counts: Counts,
    p: float = 0.8,
    q: float = 2.0,
) -> PerSample:
    """Seesaw loss: a frequent label spares the rarer classes, but for those it is mistaken for.

        -log(exp(logits_y) / sum_j M_j K_j exp(logits_j))
        M_j = min(1, n_j / n_y)^p,  K_j = max(1, p_j / p_y)^q

    M mitigates, K compensates; `p` and `q` are 0 (no such factor) or more. n are the counts of the
    whole training set, where the source counts what it has seen so far. A class without examples is
    read as one with 1. Needs memory for B C^2 numbers.

    Source: Wang et al. (2021), equations 4 and 6 to 8, https://arxiv.org/abs/2008.10032

    >>> logits, targets = jnp.log(jnp.array([[1.0, 2.0]])), jnp.array([[1.0, 0.0]])
    >>> counts = jnp.array([16, 1])
    >>> print(seesaw_loss(logits, targets, class_counts=counts, p=0.5))  # M = 1/4, K = 4: log 3
    [1.098...]
    """
    for name, exponent in (('p', p), ('q', q)):
        if not exponent >= 0:
            raise ValueError(f'{name} of the seesaw loss is {exponent}, expected 0 or more')
    logits = keep_rows(logits, mask)
    mitigation = p * jnp.minimum(_differences(_log(_checked(class_counts, logits))), 0)
    # The ratio of two probabilities is that of the exponentials of their logits.
    compensation = q * jnp.maximum(_differences(jax.lax.stop_gradient(logits)), 0)
    label_logits = logits[:, None, :] + mitigation + compensation
    return _cross_entropy_by_label(label_logits, targets, mask)


def _cross_entropy_by_label(
    label_logits: Float[Array, 'B C C'], targets: PerClass, mask: Mask
) -> PerSample:
    """Cross entropy of logits that depend on the label; `[i, y]` are those for label y."""
    log_p = jnp.diagonal(jax.nn.log_softmax(label_logits), axis1=-2, axis2=-1)
    return -jnp.sum(keep_rows(targets, mask) * log_p, axis=-1)


def _checked(class_counts: Counts, logits: Float[Array, '*B C']) -> Float[Array, ' C']:
    """The counts in float32, if there is one for each class and none is bad."""
    is_good = np.shape(class_counts) == logits.shape[-1:]
    if is_good and not isinstance(class_counts, jax.core.Tracer):
        known = np.asarray(class_counts)
        is_good = np.all(np.isfinite(known) & (known >= 0))
    if not is_good:
        raise ValueError(
            f'class_counts is {class_counts}, expected the training examples of each of the '
            f'{logits.shape[-1]} classes, finite and 0 or more'
        )
    return jnp.asarray(class_counts, jnp.float32)


def _log_priors(counts: Float[Array, ' C'], tau: float) -> Float[Array, ' C']:
    """What the logits of class j are raised by: tau log(n_j / n)."""
    if not tau >= 0:
        raise ValueError(f'tau of logit adjustment is {tau}, expected 0 or more')
    return tau * jax.nn.log_softmax(_log(counts))


def _log(counts: Float[Array, ' C']) -> Float[Array, ' C']:
    """Of 0 it would make the loss of every sample with a pseudo label of such a class infinite."""
    return jnp.log(jnp.where(counts > 0, counts, 1))


def _differences(values: Float[Array, '*B C']) -> Float[Array, '*B C C']:
    """`[..., i, j]` is values_j - values_i."""
    return values[..., None, :] - values[..., :, None]
