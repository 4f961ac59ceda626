"""How the classes are distributed at every site."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from cda_jax.analysis.figures.style import COLOURS, in_style, panels

_MAX_COLUMNS = 3
_ROOM = 0.8  # of the distance between two classes, for the bars of one
_FILLS = ({}, {'alpha': 0.35, 'hatch': '////'}, {'alpha': 0.35, 'hatch': '....'})


@in_style
def class_distributions(
    counts: Mapping[str, Mapping[str, np.ndarray]], class_names: Sequence[str]
) -> Figure:
    """Draws the share and the number of each class, site by site.

    The counts are int[C], by site and by split; every site has the same splits.

    Source: Han et al. (2020), figure 3.
    """
    splits = list(next(iter(counts.values())))
    places, thickness = np.arange(len(class_names)), _ROOM / len(splits)
    height = 1.1 + 0.16 * len(class_names) * len(splits)
    figure, grid = panels(len(counts), _MAX_COLUMNS, height, sharex=True, sharey=True)
    for axes, (site, by_split) in zip(grid, counts.items(), strict=True):
        for number, (split, numbers) in enumerate(by_split.items()):
            bars = axes.barh(
                places + (number + 0.5) * thickness - _ROOM / 2,
                100 * numbers / max(numbers.sum(), 1),
                thickness,
                label=split,
                color=COLOURS[0],
                **_FILLS[number % len(_FILLS)],
            )
            axes.bar_label(bars, [f'{n:,}' for n in numbers], padding=2, size=6.5)
        axes.set_yticks(places, class_names)
        axes.set(title=site, xlabel='share of the split (%)')
        axes.margins(x=0.25)
    grid[0].invert_yaxis()
    figure.legend(*grid[0].get_legend_handles_labels(), loc='outside upper left', ncols=3)
    return figure
