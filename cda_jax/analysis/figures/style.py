"""What all figures have in common: size, type, and colours that differ for everyone."""

import functools
import io
from collections.abc import Callable

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Inches: the text width of a page, 16 cm.
WIDTH = 16 / 2.54

# Okabe and Ito (2008), without the yellow that white paper swallows; with nine marks, 63 pairs.
COLOURS = ('#0072B2', '#E69F00', '#009E73', '#CC79A7', '#56B4E9', '#D55E00', '#000000')
MARKERS = ('o', '^', 's', 'D', 'v', 'P', 'X', '<', '>')

# The same part of the network has the same colour everywhere.
EMOTION, LABEL, DATASET = COLOURS[0], COLOURS[2], COLOURS[5]

STYLE = {
    'font.family': 'DejaVu Sans',
    'font.size': 8,
    'axes.titlesize': 8.5,
    'axes.titleweight': 'bold',
    'axes.titlelocation': 'left',
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.axisbelow': True,
    'grid.color': '#D0D0D0',
    'grid.linewidth': 0.5,
    'legend.frameon': False,
    'figure.constrained_layout.use': True,
    'savefig.dpi': 200,
    # Letters are drawn as shapes, so that they look the same where the font is missing; the salt
    # makes the same figure the same bytes.
    'svg.fonttype': 'path',
    'svg.hashsalt': 'cda_jax',
}


def in_style(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Has a function draw in this style, whatever the user's own is."""

    @functools.wraps(draw)
    def draw_in_style(*arguments, **options) -> Figure:
        with matplotlib.style.context(['default', STYLE]):
            figure = draw(*arguments, **options)
            figure.draw_without_rendering()  # ticks come into being as they are drawn
            figure.set_layout_engine('none')  # what is placed need not be again when it is saved
        return figure

    return draw_in_style


def drawn(figure: Figure) -> bytes:
    """The figure as SVG, without a date."""
    file = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(file, format='svg', metadata={'Date': None, 'Creator': None})
    return file.getvalue()


def panels(count: int, columns: int, height: float, **options) -> tuple[Figure, list[Axes]]:
    """A figure as wide as the page, with panels in rows of at most so many, so high in inches."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = Figure((WIDTH, rows * height))
    grid = figure.subplots(rows, columns, squeeze=False, **options)
    for axes in grid.flat[count:]:
        axes.remove()
    return figure, list(grid.flat[:count])
