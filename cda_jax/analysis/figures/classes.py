"""Classes in figures: how many of each there are, and what is taken for what."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cda_jax.analysis.figures.style import COLOURS, WIDTH, in_style, panels
from cda_jax.metrics import score

_MAX_COLUMNS = 3
_DARK = 0.6  # the share from which on white letters have more contrast than black ones
_ROOM = 0.8  # of the distance between two classes, for the bars of one
_FILLS = ({}, {'alpha': 0.35, 'hatch': '////'}, {'alpha': 0.35, 'hatch': '....'})


@in_style
def class_distributions(
    counts: Mapping[str, Mapping[str, np.ndarray]], class_names: Sequence[str]
) -> Figure:
    """Draws the share and the number of each class, site by site; Han et al. (2020), figure 3.

    The counts are float[C], by site and by split, NaN for a class that the site has not; every site
    has the same splits.
    """
    splits = list(next(iter(counts.values())))
    places, thickness = np.arange(len(class_names)), _ROOM / len(splits)
    height = 1.1 + 0.16 * len(class_names) * len(splits)
    figure, grid = panels(len(counts), _MAX_COLUMNS, height, sharex=True, sharey=True)
    for axes, (site, by_split) in zip(grid, counts.items(), strict=True):
        for number, (split, numbers) in enumerate(by_split.items()):
            shares = np.nan_to_num(100 * numbers / max(np.nansum(numbers), 1))
            look = {'label': split, 'color': COLOURS[0]} | _FILLS[number % len(_FILLS)]
            middles = places + (number + 0.5) * thickness - _ROOM / 2
            bars = axes.barh(middles, shares, thickness, **look)
            texts = ['-' if np.isnan(n) else f'{n:,.0f}' for n in numbers]
            axes.bar_label(bars, texts, padding=2, size=6.5)
        axes.set_yticks(places, class_names)
        axes.set(title=site, xlabel='share of the split (%)')
        axes.margins(x=0.25)
    grid[0].invert_yaxis()
    figure.legend(*grid[0].get_legend_handles_labels(), loc='outside upper left', ncols=3)
    return figure


@in_style
def confusion_figure(confusions: Mapping[str, np.ndarray], names: Sequence[str]) -> Figure:
    """Draws confusion matrices, int[K, K] by title; Han et al. (2020), figure 4.

    Rows are the true categories. A cell has its share of the row and the number of examples.
    """
    figure, grid = _grid(confusions, len(names))
    for axes, (title, confusion) in zip(grid, confusions.items(), strict=True):
        _draw(axes, _row_shares(confusion), names, names, decimals=1, counts=confusion)
        accuracy = f'accuracy {100 * score(confusion).accuracy:.1f} %'
        axes.set_title(f'{title}\n{accuracy}' if title else accuracy)
    return figure


@in_style
def recall_figure(confusions: Mapping[str, np.ndarray], names: Sequence[str]) -> Figure:
    """Draws recall matrices with the precision of each class below; Han et al. (2020), figure 6.

    The titles give the mean recall and the population's standard deviation over the classes. A
    class without examples has dashes for recall; a class never predicted has a precision of 0.
    """
    figure, grid = _grid(confusions, len(names) + 1)
    for axes, (title, confusion) in zip(grid, confusions.items(), strict=True):
        scores = score(confusion)
        shares = np.vstack([_row_shares(confusion), scores.precision])
        _draw(axes, shares, [*names, 'Precision'], names, decimals=0)
        axes.axhline(len(names) - 0.5, color='black', linewidth=1.5)
        mean, sd = 100 * scores.mean_recall, 100 * scores.recall_sd
        axes.set_title(f'{title}\nmean recall {mean:.1f} ± {sd:.1f} %', size=7.5)
    return figure


def _grid(confusions, rows) -> tuple[Figure, list[Axes]]:
    """Panels whose cells are large enough to be read, and no larger than that."""
    columns = min(len(confusions), _MAX_COLUMNS)
    height = min(WIDTH / columns, 0.5 * rows) + 0.9
    return panels(len(confusions), columns, height, sharey=True)


def _draw(axes, shares, rows, columns, *, decimals, counts=None):
    axes.imshow(shares, cmap='Blues', vmin=0, vmax=1)  # NaN stays white
    size = 8 if len(columns) <= 4 else 5.5
    for place, share in np.ndenumerate(shares):
        text = '-' if np.isnan(share) else f'{100 * share:.{decimals}f}'
        if counts is not None:
            text += f'\n{counts[place]:,}'
        colour = 'white' if share > _DARK else 'black'
        axes.text(*place[::-1], text, color=colour, size=size, ha='center', va='center')
    axes.set_xticks(range(len(columns)), columns, rotation=45, ha='right', rotation_mode='anchor')
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0, labelsize=7)
    axes.spines[:].set_visible(False)
    axes.set_xlabel('predicted')
    if axes.get_subplotspec().is_first_col():
        axes.set_ylabel('true (each row: 100 %)')


def _row_shares(confusion) -> np.ndarray:
    """Shares of each true category; NaN for one without examples."""
    totals = confusion.sum(axis=1, keepdims=True)
    return np.divide(confusion, totals, out=np.full(confusion.shape, np.nan), where=totals > 0)
