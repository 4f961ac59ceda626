"""Features on a plane, coloured by what they belong to."""

import itertools
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from sklearn.neighbors import NearestNeighbors

from cda_jax.analysis.bias.components import largest_components
from cda_jax.analysis.figures.style import COLOURS, MARKERS, WIDTH, in_style, panels

_NEIGHBOURS, _MIN_DISTANCE = 15, 0.1
# UMAP's own choice for many examples; 500 move the clusters, but not who is near whom.
_EPOCHS = 200
_LAYERS = 12  # of points, so that no category hides the others


def embed(features: np.ndarray, seed: int) -> np.ndarray:
    """Places features on a plane, float32[N, 2], so that neighbours stay neighbours, by UMAP.

    Features, float32[N, D] with N from 20 to about 3,000 and D at least 2, are first reduced to 50
    principal components; the largest two are where the layout starts. It runs in one thread, so
    that the same seed gives the same plane on the same machine.

    Source: McInnes et al., UMAP: Uniform manifold approximation and projection (2018).
    """
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'Tensorflow not installed', ImportWarning)
        warnings.filterwarnings('ignore', 'precomputed_knn.* transforming new data', UserWarning)
        from umap import UMAP

        reduced = largest_components(features).astype(np.float32)
        size = min(_NEIGHBOURS, len(features) - 1)
        # The same that UMAP would find, one pair of examples after another; each is its own first.
        distances, rows = NearestNeighbors(n_neighbors=size).fit(reduced).kneighbors(reduced)
        # A spectral start fails where clusters lie far apart.
        mapper = UMAP(
            size,
            min_dist=_MIN_DISTANCE,
            n_epochs=_EPOCHS,
            init='pca',
            random_state=seed,
            n_jobs=1,
            precomputed_knn=(rows, distances),
        )
        return mapper.fit_transform(reduced).astype(np.float32)


def subsample_evenly(sites: np.ndarray, max_examples: int, seed: int) -> np.ndarray:
    """Chooses examples so that every site shows as many as every other, as far as it has them.

    From int[N], the site of each example, to the rows chosen in ascending order: int64[n].
    """
    rng = np.random.default_rng(seed)
    # Each site's examples in random order, dealt in turns: first those of turn 0, then of turn 1.
    turns = np.empty(len(sites), np.int64)
    for site in np.unique(sites):
        rows = np.flatnonzero(sites == site)
        turns[rows] = rng.permutation(len(rows))
    return np.sort(np.lexsort((sites, turns))[:max_examples])


@in_style
def embedding_figure(
    coordinates: Mapping[str, np.ndarray], categories: np.ndarray, names: Sequence[str]
) -> Figure:
    """Draws points on planes side by side, with a colour and a mark for each category.

    Coordinates are float[N, 2] as from `embed`, by the title of the panel; the categories, int[N],
    are those of the points in every panel.

    Source: Han et al. (2020), figures 5 (by site) and 7 (by emotion).
    """
    figure, grid = panels(len(coordinates), 2, WIDTH / 2 + 0.5)
    layers = np.array_split(np.random.default_rng(0).permutation(len(categories)), _LAYERS)
    for axes, (title, points) in zip(grid, coordinates.items(), strict=True):
        for rows in layers:
            looks = zip(names, itertools.cycle(COLOURS), itertools.cycle(MARKERS), strict=False)
            for category, (name, colour, marker) in enumerate(looks):
                axes.scatter(
                    *points[rows[categories[rows] == category]].T,
                    s=8,
                    color=colour,
                    marker=marker,
                    linewidth=0,
                    label=name if rows is layers[0] else None,
                    rasterized=True,  # thousands of points would swell a vector figure
                )
        # Distances on the plane have no unit.
        axes.set(title=title, xticks=[], yticks=[], xlabel='UMAP 1', ylabel='UMAP 2')
        axes.set_aspect('equal', adjustable='datalim')
    figure.legend(
        *grid[0].get_legend_handles_labels(),
        loc='outside lower center',
        ncols=min(len(names), 4),
        markerscale=2,
    )
    return figure
