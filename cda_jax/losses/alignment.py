"""Distances between the features of sites, to descend beside an adversary or without one.

All give this device's share: summed over the devices, shares are the distance. Differentiate the
share, then sum the gradients. The distance is the mean over all pairs of sites that have at least
two samples in the batch of all devices, and 0 where there is no pair. A sample outside the mask
counts nowhere and gets no gradient, even if it holds NaN. Everything is computed in float32.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from cda_jax.losses.adaptive import ratio
from cda_jax.losses.cross_entropy import keep_rows

Features = Float[Array, 'B D']
Sites = Int[Array, ' B']
Mask = Bool[Array, ' B']

# Widths of the kernels, in mean squared distances.
WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)

# What follows takes differences of large numbers: not with the few digits of an accelerator's own.
_einsum = functools.partial(jnp.einsum, precision='highest')


def coral(
    features: Features, site: Sites, mask: Mask, num_sites: int, axis_name: str | None = None
) -> Float[Array, '']:
    """Correlation alignment: how far the covariances C of two sites' features lie apart.

        || C_a - C_b ||_F^2 / (4 D^2)

    Source: Sun and Saenko (2016), Deep CORAL, equations 1 to 3, https://arxiv.org/abs/1607.01719

    >>> features = jnp.array([[1.0], [3.0], [0.0], [4.0]])  # variances 2 and 8
    >>> print(coral(features, jnp.array([0, 0, 1, 1]), jnp.ones(4, bool), 2))
    9.0
    """
    total = functools.partial(jax.lax.psum, axis_name=axis_name) if axis_name else lambda x: x
    features, members = keep_rows(features, mask), _members(site, mask, num_sites)
    counts, sums = total((members.sum(axis=0), _einsum('bk,bd->kd', members, features)))
    centred = features - ratio(sums, counts[:, None])[site]
    products = total(_einsum('bk,bd,be->kde', members, centred, centred))
    covariances = products / jnp.maximum(counts - 1, 1)[:, None, None]
    distances = jnp.square(covariances[:, None] - covariances).sum(axis=(2, 3))
    distance = _mean_over_pairs(distances, counts) / (4 * features.shape[1] ** 2)
    return distance / jax.lax.axis_size(axis_name) if axis_name else distance


def means(
    features: Features, site: Sites, mask: Mask, num_sites: int, axis_name: str | None = None
) -> Float[Array, '']:
    """Squared distance between the means of two sites' standardised features, by feature.

        mean over the features of  (mean a - mean b)^2 / variance

    The variance is that of the batch, a constant to differentiation. It is estimated from pairs of
    different samples, as in `mmd`, so that it is unbiased and may fall a little below 0. Where the
    means are equal, a linear classifier names the sites no better than without the features.

    Source: Tzeng et al. (2014), Deep Domain Confusion, equation 1, https://arxiv.org/abs/1412.3474,
    of standardised features; what equal means do to a linear classifier is theorem 3.1 of Belrose
    et al. (2023), https://arxiv.org/abs/2306.03819

    >>> features = jnp.array([[1.0], [1.0], [3.0], [3.0]])  # variance 1
    >>> print(means(features, jnp.array([0, 0, 1, 1]), jnp.ones(4, bool), 2))
    4.0
    """
    total = functools.partial(jax.lax.psum, axis_name=axis_name) if axis_name else lambda x: x
    features, members = keep_rows(features, mask), _members(site, mask, num_sites)
    counts, sums = total((members.sum(axis=0), _einsum('bk,bd->kd', members, features)))

    # Standardised, but for features that vary by no more than rounding.
    mean = jax.lax.stop_gradient(ratio(sums.sum(axis=0), counts.sum()))
    centred = jnp.where(mask[:, None], features - mean, 0)
    squares = total((jnp.square(centred).sum(axis=0), jnp.square(features).sum(axis=0)))
    variance, rounding = (ratio(square, counts.sum()) for square in squares)
    variance = jnp.maximum(variance, jnp.finfo(jnp.float32).eps * rounding)
    standardised = ratio(centred, jnp.sqrt(jax.lax.stop_gradient(variance)))

    # The mean product of two different samples of each pair of sites.
    lengths = jnp.square(standardised).sum(axis=1)
    of_sites = _einsum('bk,bd->kd', members, standardised), _einsum('bk,b->k', members, lengths)
    sums, lengths = total(of_sites)
    products = _einsum('ad,bd->ab', sums, sums) - jnp.diag(lengths)
    similarity = ratio(products, _num_pairs(counts))
    distance = _mean_over_pairs(_apart(similarity), counts) / features.shape[1]
    return distance / jax.lax.axis_size(axis_name) if axis_name else distance


def mmd(
    features: Features, site: Sites, mask: Mask, num_sites: int, axis_name: str | None = None
) -> Float[Array, '']:
    """Squared maximum mean discrepancy between two sites' features, with several kernels.

        mean k(a, a') + mean k(b, b') - 2 mean k(a, b),    k(x, y) = mean_w exp(-|x - y|^2 / (w m))

    w runs through `WIDTHS`; m is the mean squared distance between two samples of the batch, a
    constant to differentiation. No sample is compared with itself: the estimate is unbiased and may
    fall a little below 0.

    Source: Long et al. (2015), Deep Adaptation Networks, section 3, with equal weights of the
    kernels, https://arxiv.org/abs/1502.02791; the estimate is lemma 6 of Gretton et al. (2012), of
    all pairs of samples, https://jmlr.org/papers/v13/gretton12a.html

    >>> features = jnp.array([[0.0], [0.0], [9.0], [9.0]])  # m = 4 / 6 x 81
    >>> print(mmd(features, jnp.array([0, 0, 1, 1]), jnp.ones(4, bool), 2))  # 2 - 2 k(0, 9)
    1.42...
    """
    features, members = keep_rows(features, mask), _members(site, mask, num_sites)
    rows, others, their_members = jnp.arange(len(site)), features, members
    if axis_name:
        rows += jax.lax.axis_index(axis_name) * len(site)
        others, their_members = jax.lax.all_gather((features, members), axis_name, tiled=True)
    counts = their_members.sum(axis=0)
    size = counts.sum()

    # Squared distances depend on no centre; the mean keeps rounding small.
    centre = jax.lax.stop_gradient(ratio(others.sum(axis=0), size))
    features, centred = features - centre, others - centre
    lengths, their_lengths = (jnp.square(x).sum(axis=1) for x in (features, centred))
    products = _einsum('id,jd->ij', features, centred)
    squares = jnp.maximum(lengths[:, None] + their_lengths - 2 * products, 0)

    # Their mean, from the variance; it is no smaller than what float32 tells apart.
    mean = ratio(2 * (their_members.sum(axis=1) * their_lengths).sum(), size - 1)
    rounding = jnp.finfo(jnp.float32).eps * ratio(jnp.square(others).sum(), size)
    mean = jax.lax.stop_gradient(jnp.maximum(mean, rounding))
    kernel = sum(jnp.exp(-ratio(squares, width * mean)) for width in WIDTHS) / len(WIDTHS)

    # This device's share of the mean of each pair of sites, without a sample's pair with itself.
    kernel = jnp.where(rows[:, None] == jnp.arange(len(others)), 0, kernel)
    similarity = _einsum('ia,ij,jb->ab', members, kernel, their_members)
    return _mean_over_pairs(_apart(ratio(similarity, _num_pairs(counts))), counts)


def _members(site: Sites, mask: Mask, num_sites: int) -> Array:
    """float32[B, K]: 1 where a sample counts and is of the site."""
    return jax.nn.one_hot(site, num_sites) * mask[:, None]


def _num_pairs(counts: Float[Array, ' K']) -> Float[Array, 'K K']:
    """The ordered pairs of two different samples, one of each site."""
    return counts[:, None] * counts - jnp.diag(counts)


def _apart(similarity: Float[Array, 'K K']) -> Float[Array, 'K K']:
    within = jnp.diagonal(similarity)
    return within[:, None] + within - similarity - similarity.T


def _mean_over_pairs(distances: Float[Array, 'K K'], counts: Float[Array, ' K']) -> Array:
    enough = counts >= 2
    is_pair = enough[:, None] & enough & ~jnp.eye(len(counts), dtype=bool)
    return ratio(jnp.where(is_pair, distances, 0).sum(), is_pair.sum(dtype=jnp.float32))
