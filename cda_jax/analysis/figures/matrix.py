"""Matrices of shares as cells to read, which figures of confusion and of recall are made of."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from cda_jax.analysis.bias.features_by_site import check_names
from cda_jax.analysis.figures.look import INK, NOTHING, SHARES, SMALLEST_TYPE, WIDTH
from cda_jax.errors import InputError

# Inches and points. A letter of a label is about 0.6 of its size wide.
_LABEL_TYPE = 7.5
_POINTS = 72
_TITLE_WIDTH = 2.9  # inches, for a title and its note
_DARK = 0.67  # from this share on, white letters have more contrast than dark ones


class Grid(NamedTuple):
    """How matrices are spread over a figure.

    Attributes:
        columns: Matrices in a row.
        cell: Side of a cell, in inches.
        width: Of the figure, in inches.
        height: Of the figure, in inches.
    """

    columns: int
    cell: float
    width: float
    height: float


def plan_grid(
    count: int, names: Sequence[str], *, columns: int, largest_cell: float, extra_rows: float
) -> Grid:
    """Chooses sizes so that cells are as large as the page allows, and no larger than they need.

    Args:
        count: How many matrices.
        names: Of the rows and columns of each.
        columns: Matrices in a row, at most.
        largest_cell: Side of a cell, in inches, where there is room.
        extra_rows: What stands below the rows of a matrix, in cells.
    """
    columns = min(count, columns)
    label = _label_inches(names)
    gaps = label + 0.35 + 0.18 * columns
    cell = min(largest_cell, (WIDTH - gaps) / (columns * len(names)))
    below = label if _is_turned(names, cell) else 0.15
    height = -(-count // columns) * (cell * (len(names) + extra_rows) + below + 0.75)
    # Small matrices still need room for their titles.
    width = min(WIDTH, max(gaps + columns * cell * len(names), _TITLE_WIDTH * columns))
    return Grid(columns, cell, width, height)


def draw_cells(axes: Axes, shares: np.ndarray, grid: Grid, *, top: float = 0, decimals: int = 0):
    """Draws shares as coloured cells with their percentage; a dash where there is none.

    Args:
        axes: Where to.
        shares: float[R, C], 0 to 1, or NaN.
        grid: Of `plan_grid`.
        top: Where the first row begins, in cells.
        decimals: Of the percentages.
    """
    colours = mpl.colormaps[SHARES].with_extremes(bad=NOTHING)
    rows, columns = shares.shape
    axes.pcolormesh(
        np.arange(columns + 1),
        top + np.arange(rows + 1),
        np.ma.masked_invalid(shares),
        cmap=colours,
        vmin=0,
        vmax=1,
        edgecolors='white',
        linewidth=0.8,
    )
    for (row, column), share in np.ndenumerate(shares):
        text = '-' if np.isnan(share) else f'{100 * share:.{decimals}f}'
        write_in_cell(axes, text, row + top, column, share, cell_type(grid))


def write_in_cell(axes: Axes, text: str, row: float, column: float, share: float, size: float):
    """Writes into a cell, in a colour that stands out from its share's.

    Args:
        axes: Where to.
        text: What.
        row: Upper edge of the cell; halves move the text.
        column: Left edge of the cell.
        share: Of the cell, 0 to 1, or NaN.
        size: Of the type, in points.
    """
    colour = 'white' if share >= _DARK else INK
    axes.text(
        column + 0.5, row + 0.5, text, color=colour, size=size, ha='center', va='center_baseline'
    )


def cell_type(grid: Grid) -> float:
    """Size of type that lets three digits stand in a cell, in points."""
    return float(np.clip(0.34 * grid.cell * _POINTS, SMALLEST_TYPE, 8))


def label_matrix(
    axes: Axes, names: Sequence[str], grid: Grid, *, is_first: bool, below: Mapping[float, str]
):
    """Names rows and columns, and makes the cells square.

    Args:
        axes: Where to.
        names: Of rows and columns.
        grid: Of `plan_grid`.
        is_first: Whether it is the first of its row and names its rows for the others.
        below: What stands below the rows: the upper edge of a cell, in cells, and its name.
    """
    middles = np.arange(len(names)) + 0.5
    turned = {'rotation': 45, 'ha': 'right', 'rotation_mode': 'anchor'}
    axes.set_xticks(middles, names, **(turned if _is_turned(names, grid.cell) else {}))
    axes.set_yticks(
        [*middles, *(edge + 0.5 for edge in below)],
        [*names, *below.values()] if is_first else [''] * (len(names) + len(below)),
    )
    axes.tick_params(length=0, labelsize=_LABEL_TYPE, pad=3)
    axes.spines[:].set_visible(False)
    axes.set(xlim=(0, len(names)), ylim=(max([*below, len(names) - 1]) + 1, 0), aspect='equal')


def checked_confusions(
    confusions: Mapping[str, np.ndarray], names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Gives confusion matrices as int64[K, K].

    Raises:
        InputError: There is none, or one has another shape, a negative count, or counts nothing.
    """
    check_names('names', names)
    if not confusions:
        raise InputError('confusions: no matrix, expected at least one')
    return {title: _checked(title, matrix, len(names)) for title, matrix in confusions.items()}


def row_shares(confusion: np.ndarray) -> np.ndarray:
    """float64[K, K], shares of each true category; NaN for one without examples."""
    totals = confusion.sum(axis=1, keepdims=True)
    return np.divide(confusion, totals, out=np.full(confusion.shape, np.nan), where=totals > 0)


def _checked(title, confusion, size):
    confusion = np.asarray(confusion)
    if confusion.shape != (size, size) or not np.issubdtype(confusion.dtype, np.integer):
        raise InputError(
            f'confusion of {title}: {confusion.dtype}{list(confusion.shape)}, expected '
            f'integers[{size}, {size}] as there are {size} names'
        )
    if (confusion < 0).any() or not confusion.any():
        raise InputError(f'confusion of {title}: expected counts, 0 or more, and not all 0')
    return confusion.astype(np.int64)


def _label_inches(names):
    return 0.6 * _LABEL_TYPE / _POINTS * max(map(len, names))


def _is_turned(names, cell):
    return _label_inches(names) > cell
