"""Recall matrices of several methods, side by side."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from cda_jax.analysis.figures.look import finish, look, new_figure, panels, title_with_note
from cda_jax.analysis.figures.matrix import (
    checked_confusions,
    draw_cells,
    label_matrix,
    plan_grid,
    row_shares,
)
from cda_jax.metrics import score

_MAX_COLUMNS = 3
_CELL = 0.4  # inches
_GAP = 0.35  # cells between the matrix and the row of precision


@look()
def recall_figure(confusions: Mapping[str, np.ndarray], class_names: Sequence[str]) -> Figure:
    """Draws recall matrices in percent, the precision of each class below.

    The titles give the mean recall and the population's standard deviation over the classes. A
    class without examples has a dash for recall; a class never predicted has a precision of 0.

    Source: Han et al. (2020), figure 6.

    Args:
        confusions: int[C, C] by title, examples of class i (rows) taken for class j.
        class_names: C.

    Raises:
        InputError: There is no matrix, or one has another shape or counts nothing.
    """
    confusions = checked_confusions(confusions, class_names)
    grid = plan_grid(
        len(confusions), class_names, columns=_MAX_COLUMNS, largest_cell=_CELL, extra_rows=1 + _GAP
    )
    figure = new_figure(grid.width, grid.height, 'compressed')
    edge = len(class_names) + _GAP
    for number, (axes, (title, confusion)) in enumerate(
        zip(panels(figure, len(confusions), grid.columns), confusions.items(), strict=True)
    ):
        is_first = number % grid.columns == 0
        scores = score(confusion)
        draw_cells(axes, row_shares(confusion), grid)
        draw_cells(axes, scores.precision[None], grid, top=edge)
        label_matrix(axes, class_names, grid, is_first=is_first, below={edge: 'Precision'})
        mean, deviation = 100 * scores.mean_recall, 100 * scores.recall_sd
        title_with_note(axes, title, f'mean recall {mean:.1f} ± {deviation:.1f} %')
        axes.set_xlabel('predicted')
        if is_first:
            axes.set_ylabel('true (each row: 100 %)')
    return finish(figure)
