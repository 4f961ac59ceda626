"""How sites and classes mix among the nearest neighbours in feature space."""

from typing import NamedTuple

import numpy as np
from scipy.special import entr, softmax
from sklearn import config_context
from sklearn.metrics import silhouette_samples
from sklearn.neighbors import NearestNeighbors

PERPLEXITY = 30

# ln beta of the search for the perplexity, where distances are in units of their mean.
_LOWEST, _HIGHEST, _HALVINGS = -12.0, 20.0, 50

_NUM_SHUFFLES = 50
_DISTANCES_AT_ONCE_MIB = 64


class Neighbours(NamedTuple):
    """The nearest other examples of every example, and their weights: sum 1 per row."""

    rows: np.ndarray  # int[N, n]
    weights: np.ndarray  # float64[N, n]


def find_neighbours(features: np.ndarray) -> Neighbours:
    """Finds 89 neighbours of each example and weighs them to a perplexity of 30.

    Source: Korsunsky et al., Fast, sensitive and accurate integration of single-cell data with
    Harmony (2019), methods; weights fall off with the distance itself, exp(-beta d), as in the
    authors' code. With fewer than 90 examples the neighbours are all others, and the perplexity is
    N / 3; N is at least 4.
    """
    num_neighbours = min(3 * PERPLEXITY - 1, len(features) - 1)
    perplexity = min(PERPLEXITY, (num_neighbours + 1) / 3)
    # Asked without arguments, it leaves out each example itself.
    distances, rows = NearestNeighbors(n_neighbors=num_neighbours).fit(features).kneighbors()
    return Neighbours(rows, _weights(distances, np.log(perplexity)))


def lisi(neighbours: Neighbours, categories: np.ndarray) -> np.ndarray:
    """Local inverse Simpson index: how many categories the neighbourhood effectively has.

    Source: as for `find_neighbours`.

    Args:
        neighbours: Those of all N examples.
        categories: int[N], sites (iLISI) or classes (cLISI).

    Returns:
        float64[N], 1 (one category) to the number of categories (all alike in weight).
    """
    nearby = categories[neighbours.rows]
    shares = ((neighbours.weights * (nearby == k)).sum(axis=1) for k in np.unique(categories))
    return 1 / sum(share**2 for share in shares)


def mean_lisi_if_mixed(neighbours: Neighbours, categories: np.ndarray, *, seed: int) -> np.ndarray:
    """Mean LISI in the same neighbourhoods with shuffled categories: float64[50], by shuffle.

    It lies below the number of categories where these differ in size, and because a neighbourhood
    is a small sample.
    """
    rng = np.random.default_rng(seed)
    shuffles = (rng.permutation(categories) for _ in range(_NUM_SHUFFLES))
    return np.array([lisi(neighbours, shuffled).mean() for shuffled in shuffles])


def silhouettes(features: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """Silhouette of every example: -1 (among others) through 0 (between) to 1 (among its own).

    Distances are Euclidean; there are at least two and fewer than N categories.

    Source: Rousseeuw, Silhouettes (1987), equation for s(i).
    """
    with config_context(working_memory=_DISTANCES_AT_ONCE_MIB):
        return silhouette_samples(features, categories)


def _weights(distances: np.ndarray, wanted_entropy: float) -> np.ndarray:
    """float64[N, n] proportional to exp(-beta d), of the wanted entropy, with sum 1 per row.

    The entropy falls with beta, so halving an interval of ln beta finds it. Where more neighbours
    than the perplexity are equally near, no beta does, and those share the weight.
    """
    means = distances.mean(axis=1, keepdims=True)
    scaled = np.divide(distances, means, out=np.zeros_like(distances), where=means > 0)
    low, high = np.full_like(means, _LOWEST), np.full_like(means, _HIGHEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        entropy = entr(softmax(-np.exp(middle) * scaled, axis=1)).sum(axis=1, keepdims=True)
        too_flat = entropy > wanted_entropy
        low, high = np.where(too_flat, middle, low), np.where(too_flat, high, middle)
    return softmax(-np.exp((low + high) / 2) * scaled, axis=1)
