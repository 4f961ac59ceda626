"""How sites and classes mix among the nearest neighbours in feature space."""

import numpy as np
import sklearn
from scipy.sparse import csr_array
from sklearn.metrics import silhouette_samples
from sklearn.neighbors import NearestNeighbors

PERPLEXITY = 30

# ln beta of the search for the perplexity, where distances are in units of their mean.
_LOWEST, _HIGHEST, _HALVINGS = -12.0, 20.0, 50

_NUM_SHUFFLES = 50
_DISTANCES_AT_ONCE_MIB = 64


def find_neighbours(features: np.ndarray) -> csr_array:
    """Weighs the 89 nearest others of each example to a perplexity of 30: [N, N], rows of sum 1.

    Source: Korsunsky et al., Fast, sensitive and accurate integration of single-cell data with
    Harmony (2019), methods; weights fall off with the distance itself, exp(-beta d), as in the
    authors' code. With fewer than 90 examples the neighbours are all others, and the perplexity is
    N / 3; N is at least 4.
    """
    num_neighbours = min(3 * PERPLEXITY - 1, len(features) - 1)
    perplexity = min(PERPLEXITY, (num_neighbours + 1) / 3)
    # Asked without arguments, it leaves out each example itself.
    neighbours = NearestNeighbors(n_neighbors=num_neighbours).fit(features)
    found = neighbours.kneighbors_graph(mode='distance')
    distances = found.data.reshape(-1, num_neighbours)
    return csr_array((_weights(distances, np.log(perplexity)).ravel(), found.indices, found.indptr))


def lisi(neighbours: csr_array, categories: np.ndarray) -> np.ndarray:
    """Local inverse Simpson index: how many categories the neighbourhood effectively has.

    Of categories int[N], sites (iLISI) or classes (cLISI), it gives float64[N], from 1 (one
    category) to the number of categories (all alike in weight). Source: that of `find_neighbours`.
    """
    shares = neighbours @ (categories[:, None] == np.unique(categories)).astype(float)
    return 1 / np.square(shares).sum(axis=1)


def mean_lisi_if_mixed(neighbours: csr_array, categories: np.ndarray, *, seed: int) -> np.ndarray:
    """Mean LISI in the same neighbourhoods with shuffled categories: float64[50], by shuffle.

    It lies below the number of categories where these differ in size, and because a neighbourhood
    is a small sample.
    """
    rng = np.random.default_rng(seed)
    shuffles = (rng.permutation(categories) for _ in range(_NUM_SHUFFLES))
    return np.array([lisi(neighbours, shuffled).mean() for shuffled in shuffles])


def silhouettes(features: np.ndarray, categories: np.ndarray) -> np.ndarray | None:
    """Silhouette of every example: -1 (among others) through 0 (between) to 1 (among its own).

    Distances are Euclidean. None where all examples are of one category, or each of its own.

    Source: Rousseeuw, Silhouettes (1987), equation for s(i).
    """
    if not 2 <= len(np.unique(categories)) < len(categories):
        return None
    with sklearn.config_context(working_memory=_DISTANCES_AT_ONCE_MIB):
        return silhouette_samples(features, categories)


def _weights(distances: np.ndarray, wanted_entropy: float) -> np.ndarray:
    """float64[N, n] proportional to exp(-beta d), of the wanted entropy, with sum 1 per row.

    The entropy falls with beta, so halving an interval of ln beta finds it. Where more neighbours
    than the perplexity are equally near, no beta does, and those share the weight.
    """
    means = distances.mean(axis=1, keepdims=True)
    scaled = np.divide(distances, means, out=np.zeros_like(distances), where=means > 0)
    scaled -= scaled.min(axis=1, keepdims=True)  # a factor for all; the exponentials cannot vanish
    low, high = np.full_like(means, _LOWEST), np.full_like(means, _HIGHEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        beta = np.exp(middle)
        weights = np.exp(-beta * scaled)
        total = weights.sum(axis=1, keepdims=True)
        weights *= scaled
        entropy = np.log(total) + beta * weights.sum(axis=1, keepdims=True) / total
        too_flat = entropy > wanted_entropy
        low, high = np.where(too_flat, middle, low), np.where(too_flat, high, middle)
    weights = np.exp(-np.exp((low + high) / 2) * scaled)
    return weights / weights.sum(axis=1, keepdims=True)
