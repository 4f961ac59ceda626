"""Confusion matrices: what is taken for what."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from cda_jax.analysis.figures.look import (
    SMALLEST_TYPE,
    finish,
    look,
    new_figure,
    panels,
    title_with_note,
)
from cda_jax.analysis.figures.matrix import (
    Grid,
    cell_type,
    checked_confusions,
    draw_cells,
    label_matrix,
    plan_grid,
    row_shares,
    write_in_cell,
)
from cda_jax.metrics import score

_MAX_COLUMNS = 3
_CELL = 0.6  # inches
_ROOM_FOR_COUNTS = 0.36  # inches; smaller cells hold the share alone


@look()
def confusion_figure(confusions: Mapping[str, np.ndarray], names: Sequence[str]) -> Figure:
    """Draws confusion matrices as percentages of each true category, with the numbers below.

    Source: Han et al. (2020), figure 4.

    Args:
        confusions: int[K, K] by title, examples of category i (rows) taken for category j.
        names: K.

    Raises:
        InputError: There is no matrix, or one has another shape or counts nothing.
    """
    confusions = checked_confusions(confusions, names)
    grid = _plan(len(confusions), names)
    figure = new_figure(grid.width, grid.height, 'compressed')
    for number, (axes, (title, confusion)) in enumerate(
        zip(panels(figure, len(confusions), grid.columns), confusions.items(), strict=True)
    ):
        _draw(axes, confusion, grid)
        label_matrix(axes, names, grid, is_first=number % grid.columns == 0, below={})
        title_with_note(axes, title, f'accuracy {100 * score(confusion).accuracy:.1f} %')
        axes.set_xlabel('predicted')
        if number % grid.columns == 0:
            axes.set_ylabel('true (each row: 100 %)')
    return finish(figure)


def _plan(count, names) -> Grid:
    """As many matrices in a row as leave room for the counts."""
    plans = [
        plan_grid(count, names, columns=columns, largest_cell=_CELL, extra_rows=0)
        for columns in range(_MAX_COLUMNS, 0, -1)
    ]
    return next((plan for plan in plans if plan.cell >= _ROOM_FOR_COUNTS), plans[-1])


def _draw(axes, confusion, grid):
    shares = row_shares(confusion)
    if grid.cell < _ROOM_FOR_COUNTS:
        draw_cells(axes, shares, grid)
        return
    draw_cells(axes, shares, grid, decimals=1)
    size = max(SMALLEST_TYPE, 0.72 * cell_type(grid))
    for (row, column), count in np.ndenumerate(confusion):
        write_in_cell(axes, f'{count:,}', row + 0.28, column, shares[row, column], size)
