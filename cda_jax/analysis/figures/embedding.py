"""Features on a plane, coloured by what they belong to."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cda_jax.analysis.bias.features_by_site import check_names, checked_numbers
from cda_jax.analysis.figures.look import (
    COLOURS,
    MARKERS,
    QUIET,
    WIDTH,
    finish,
    look,
    new_figure,
    panels,
)
from cda_jax.errors import InputError

_MAX_COLUMNS = 3
_INK_OF_POINTS = 4000.0  # points squared of all marks of a panel together, at a column of 8 cm
_LAYERS = 12


@look()
def embedding_figure(
    coordinates: Mapping[str, np.ndarray],
    categories: np.ndarray | Mapping[str, np.ndarray],
    names: Sequence[str],
    legend_title: str,
) -> Figure:
    """Draws points on planes side by side, with a colour and a mark for each category.

    Source: Han et al. (2020), figures 5 (by site) and 7 (by emotion).

    Args:
        coordinates: float[N, 2] of each panel, by title; as `embed` gives them.
        categories: int[N], of every panel, or of each by its title.
        names: Of the categories.
        legend_title: What the categories are.

    Raises:
        InputError: There is no panel, coordinates have another shape or are not finite, or
            categories do not fit them.
    """
    check_names('names', names)
    if not coordinates:
        raise InputError('coordinates: no panel, expected at least one')
    columns = min(len(coordinates), _MAX_COLUMNS)
    side = min(WIDTH / columns, 3.6)
    rows = -(-len(coordinates) // columns)
    figure = new_figure(columns * side, rows * side + 0.6, 'compressed')
    for axes, (title, points) in zip(
        panels(figure, len(coordinates), columns), coordinates.items(), strict=True
    ):
        points = _checked_points(title, points)
        chosen = categories[title] if isinstance(categories, Mapping) else categories
        chosen = checked_numbers(f'categories of {title}', chosen, len(points), names)
        _draw(axes, points, chosen, size=_INK_OF_POINTS * (side / 3.15) ** 2 / len(points))
        axes.set_title(title)
    _add_legend(figure, names, legend_title)
    return finish(figure)


def _draw(axes, points, categories, size):
    """Draws categories in turns, in random layers, so that none hides the others."""
    layers = np.random.default_rng(0).integers(_LAYERS, size=len(points))
    for layer in range(_LAYERS):
        for category in np.unique(categories):
            chosen = (layers == layer) & (categories == category)
            axes.scatter(
                *points[chosen].T,
                s=np.clip(size, 5, 22),
                marker=MARKERS[category % len(MARKERS)],
                color=COLOURS[category % len(COLOURS)],
                edgecolor='white',
                linewidth=0.15,
                alpha=0.85,
                zorder=2 + layer / _LAYERS,
                rasterized=True,
            )
    _frame(axes, points)


def _frame(axes, points):
    """A square window; distances on the plane have no unit, so the axes have no scale."""
    low, high = points.min(axis=0), points.max(axis=0)
    half = 0.53 * max((high - low).max(), np.finfo(np.float32).eps)
    middle = (low + high) / 2
    axes.set(
        xlim=(middle[0] - half, middle[0] + half),
        ylim=(middle[1] - half, middle[1] + half),
        xticks=[],
        yticks=[],
        box_aspect=1,
    )
    axes.spines[:].set_visible(True)
    axes.set_xlabel('UMAP 1', color=QUIET, size=7)
    axes.set_ylabel('UMAP 2', color=QUIET, size=7)


def _add_legend(figure, names, title):
    marks = [
        Line2D(
            [],
            [],
            linestyle='',
            marker=MARKERS[number % len(MARKERS)],
            color=COLOURS[number % len(COLOURS)],
            markersize=5,
        )
        for number in range(len(names))
    ]
    figure.legend(
        marks,
        names,
        title=title,
        loc='outside lower center',
        ncols=_legend_columns(figure, names),
        handletextpad=0.1,
        columnspacing=1.2,
    )


def _legend_columns(figure, names):
    letters = max(map(len, names)) + 4
    return int(np.clip(figure.get_size_inches()[0] / (letters * 0.067), 1, len(names)))


def _checked_points(title, points):
    points = np.asarray(points)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) == 0:
        raise InputError(f'coordinates of {title}: shape {points.shape}, expected [N, 2]')
    damaged = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if damaged.size:
        raise InputError(f'coordinates of {title}, row {damaged[0]}: not finite')
    return points
