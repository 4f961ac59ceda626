"""How the classes are distributed at every site."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cda_jax.analysis.bias.features_by_site import check_names
from cda_jax.analysis.figures.look import (
    COLOURS,
    QUIET,
    WIDTH,
    blend,
    finish,
    look,
    new_figure,
    panels,
)
from cda_jax.errors import InputError

_COLUMNS = 3
_ROOM = 0.8  # of the distance between two classes, for the bars of one
_HATCHES = ('', '/////', '.....', 'xxxxx')
_STRENGTHS = (1.0, 0.3)


@look()
def class_distributions(
    counts: Mapping[str, Mapping[str, np.ndarray]], class_names: Sequence[str]
) -> Figure:
    """Draws the share and the number of each class, site by site.

    Source: Han et al. (2020), figure 3.

    Args:
        counts: int[C], examples of each class, by site and by split ('train', 'test').
        class_names: C.

    Raises:
        InputError: There is no site, a site has other splits than the first, or a count is missing
            or negative.
    """
    counts = _checked(counts, class_names)
    splits = list(next(iter(counts.values())))
    rows = -(-len(counts) // _COLUMNS)
    bars = len(class_names) * len(splits)
    figure = new_figure(WIDTH, 0.55 + rows * (0.75 + 0.15 * bars + 0.08 * len(class_names)))
    grid = panels(figure, len(counts), _COLUMNS, sharex=True, sharey=True)
    for axes, (site, by_split) in zip(grid, counts.items(), strict=True):
        _draw_site(axes, site, by_split, class_names)
        axes.xaxis.set_tick_params(labelbottom=True)
    largest = max(_shares(c).max() for by_split in counts.values() for c in by_split.values())
    # Numbers stand beyond the ends of the bars; shares end at 100.
    grid[0].set_xlim(0, 100 * max(largest, 0.01) * 1.28)
    ticks = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(0, 100 * max(largest, 0.01))
    grid[0].set_xticks([tick for tick in ticks if tick <= 100])
    handles, _ = grid[0].get_legend_handles_labels()
    figure.legend(handles, splits, loc='outside upper left', ncols=len(splits), handlelength=1.6)
    figure.supxlabel('Share of the split (%), with the number of examples', fontsize=8)
    return finish(figure)


def _draw_site(axes, site, by_split, class_names):
    height = _ROOM / len(by_split)
    places = np.arange(len(class_names))
    for number, (split, counts) in enumerate(by_split.items()):
        offset = (number - (len(by_split) - 1) / 2) * height
        bars = axes.barh(
            places + offset,
            100 * _shares(counts),
            height,
            label=split,
            color=blend(COLOURS[0], _STRENGTHS[min(number, 1)]),
            hatch=_HATCHES[number % len(_HATCHES)],
            edgecolor=COLOURS[0],
            linewidth=0.6,
        )
        axes.bar_label(bars, [f'{n:,}' for n in counts], padding=2, fontsize=6.5, color=QUIET)
    axes.set_yticks(places, class_names)
    axes.set_ylim(len(class_names) - 0.45, -0.55)
    axes.tick_params(axis='y', length=0)
    axes.grid(axis='x')
    axes.set_title(site)


def _shares(counts):
    return counts / max(counts.sum(), 1)


def _checked(counts, class_names) -> dict[str, dict[str, np.ndarray]]:
    check_names('class_names', class_names)
    if not counts:
        raise InputError('counts: no site, expected at least one')
    splits = list(next(iter(counts.values())))
    for site, by_split in counts.items():
        if list(by_split) != splits or not splits:
            raise InputError(f'counts of {site}: splits {list(by_split)}, expected {splits}')
    return {
        site: {split: _checked_counts(c, site, split, class_names) for split, c in by_split.items()}
        for site, by_split in counts.items()
    }


def _checked_counts(counts, site, split, class_names):
    counts = np.asarray(counts)
    whole = np.issubdtype(counts.dtype, np.integer)
    if counts.shape != (len(class_names),) or not whole or (counts < 0).any():
        raise InputError(
            f'counts of {site}, {split}: {counts.tolist()}, expected {len(class_names)} whole '
            'numbers, 0 or more'
        )
    return counts
