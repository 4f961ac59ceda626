"""The maximum mean discrepancy between the features of two sites."""

import numpy as np
from sklearn.metrics import pairwise_distances

from cda_jax.analysis.bias.bootstrap import Resamples

MAX_EXAMPLES = 500  # of a site
_ROUNDING = 1e-6


def squared_mmd(
    features: np.ndarray, sites: np.ndarray, pair: tuple[int, int], resamples: Resamples, seed: int
) -> tuple[np.ndarray, float | None]:
    """Unbiased squared maximum mean discrepancy with a Gaussian kernel exp(-d^2 / (2 sigma^2)).

    Source: Gretton et al., A Kernel Two-Sample Test (2012), lemma 6, equation 3; sigma is the
    median distance in the pooled sample, as there. Two examples of one photo never make a pair:
    they are not independent.

    Features are float32[N, D], sites int[N]. The seed decides which examples are taken of a site
    that has more than 500.

    Returns:
        float64[1 + B], of the data and of the resamples, with the kernel and the subsample held;
        and sigma. NaN and None where a site has fewer than two photos, or features are all alike.
    """
    rng = np.random.default_rng(seed)

    def subsample(rows):
        few = len(rows) <= MAX_EXAMPLES
        return rows if few else np.sort(rng.choice(rows, MAX_EXAMPLES, replace=False))

    first, second = (subsample(np.flatnonzero(sites == number)) for number in pair)
    nothing = np.full(len(resamples.counts), np.nan), None
    if any(len(np.unique(resamples.group[rows])) < 2 for rows in (first, second)):
        return nothing
    rows = np.concatenate([first, second])
    distances = pairwise_distances(np.subtract(features[rows], features[rows[0]], dtype=float))
    distances[distances < _ROUNDING * distances.max()] = 0  # between the same features
    sigma = float(np.median(distances[np.triu_indices(len(rows), 1)]))
    if sigma == 0:
        return nothing
    kernel = np.exp(distances**2 / (-2 * sigma**2))
    group, place = np.unique(resamples.group[rows], return_inverse=True)
    kernel[place[:, None] == place] = 0
    counts = resamples.counts[:, group].astype(float)
    weights = counts[:, place]

    def mean(left, right):
        # Pairs count as often as both of their examples were drawn together; those of one photo do
        # not count.
        sums = np.einsum('bi,bi->b', weights[:, left] @ kernel[left, right], weights[:, right])
        of_left, of_right = (np.bincount(place[s], minlength=len(group)) for s in (left, right))
        pairs = (counts @ of_left) * (counts @ of_right) - counts**2 @ (of_left * of_right)
        return np.divide(sums, pairs, out=np.full_like(sums, np.nan), where=pairs > 0)

    a, b = slice(None, len(first)), slice(len(first), None)
    return mean(a, a) + mean(b, b) - 2 * mean(a, b), sigma
