"""Features on a plane."""

import warnings

import numpy as np

from cda_jax.analysis.bias.components import largest_components
from cda_jax.analysis.bias.features_by_site import check_at_least, checked_features
from cda_jax.errors import InputError

_NEIGHBOURS, _MIN_DISTANCE = 15, 0.1


def embed(features: np.ndarray, seed: int) -> np.ndarray:
    """Places features on a plane so that neighbours stay neighbours, by UMAP.

    Features are first reduced to 50 principal components; the largest two are where the layout
    starts. It runs in one thread, so that the same seed gives the same plane on the same machine.
    For about 3,000 examples at most: `subsample_evenly` chooses them.

    Source: McInnes et al., UMAP: Uniform manifold approximation and projection (2018).

    Args:
        features: float32[N, D], N at least 20 and D at least 2, finite, not all rows the same.
        seed: Of every draw.

    Returns:
        float32[N, 2], without unit.

    Raises:
        InputError: `features` has another shape, or is not finite.
    """
    features = checked_features(features)
    if features.shape[1] < 2:
        raise InputError('features: one column, expected at least 2 for a plane')
    mapper = _umap()(
        n_neighbors=min(_NEIGHBOURS, len(features) - 1),
        min_dist=_MIN_DISTANCE,
        init='pca',  # a spectral start fails where clusters lie far apart
        random_state=seed,
        n_jobs=1,
    )
    reduced = largest_components(features, seed=seed).astype(np.float32)
    return mapper.fit_transform(reduced).astype(np.float32)


def subsample_evenly(sites: np.ndarray, max_examples: int, seed: int) -> np.ndarray:
    """Chooses examples so that every site shows as many as every other, as far as it has them.

    Args:
        sites: int[N], the site of each example.
        max_examples: How many to choose, at least 1; all, if there are fewer.
        seed: Of the draw.

    Returns:
        int64[n], their rows in ascending order.

    Raises:
        InputError: `sites` is not a row of integers, or `max_examples` is below 1.
    """
    sites = np.asarray(sites)
    if sites.ndim != 1 or not np.issubdtype(sites.dtype, np.integer):
        raise InputError(f'sites: {sites.dtype}{list(sites.shape)}, expected integers[N]')
    check_at_least('max_examples', max_examples, 1)
    rng = np.random.default_rng(seed)
    # Each site's examples in random order, dealt in turns: first those of turn 0, then of turn 1.
    turns = np.empty(len(sites), np.int64)
    for site in np.unique(sites):
        rows = np.flatnonzero(sites == site)
        turns[rows] = rng.permutation(len(rows))
    return np.sort(np.lexsort((sites, turns))[:max_examples])


def _umap():
    """The class, without the package's warning that TensorFlow, not needed here, is missing."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'Tensorflow not installed', ImportWarning)
        from umap import UMAP
    return UMAP
