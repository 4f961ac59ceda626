"""What all figures have in common: sizes, type, and marks that differ without colour too."""

import contextlib
from collections.abc import Iterator

import matplotlib as mpl
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Inches: the text width of a page, 16 cm. Type is in points at that width.
WIDTH = 16 / 2.54
SMALLEST_TYPE = 5.5

# Okabe and Ito (2008), without the yellow that white paper swallows; nine marks to seven colours,
# so that two categories share both only after 63.
COLOURS = ('#0072B2', '#E69F00', '#009E73', '#CC79A7', '#56B4E9', '#D55E00', '#000000')
MARKERS = ('o', '^', 's', 'D', 'v', 'P', 'X', '<', '>')

# The same part of the network has the same colour everywhere.
EMOTION, DATASET, LABEL = COLOURS[0], COLOURS[5], COLOURS[2]

INK, QUIET, RULE, NOTHING = '#222222', '#666666', '#D0D0D0', '#EFEFEF'

# One hue from white to dark: nothing stays paper, and greyscale keeps the order.
SHARES = 'Blues'

_STYLE = {
    'font.family': 'DejaVu Sans',
    'font.size': 8,
    'text.color': INK,
    'axes.labelcolor': INK,
    'axes.labelsize': 8,
    'axes.titlesize': 8.5,
    'axes.titleweight': 'bold',
    'axes.titlelocation': 'left',
    'axes.titlepad': 6,
    'axes.edgecolor': QUIET,
    'axes.linewidth': 0.6,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.axisbelow': True,
    'grid.color': RULE,
    'grid.linewidth': 0.5,
    'xtick.color': QUIET,
    'ytick.color': QUIET,
    'xtick.labelcolor': INK,
    'ytick.labelcolor': INK,
    'xtick.labelsize': 7.5,
    'ytick.labelsize': 7.5,
    'xtick.major.width': 0.6,
    'ytick.major.width': 0.6,
    'xtick.major.size': 2.5,
    'ytick.major.size': 2.5,
    'legend.frameon': False,
    'legend.fontsize': 8,
    'legend.title_fontsize': 8,
    'hatch.linewidth': 0.7,
}


@contextlib.contextmanager
def look() -> Iterator[None]:
    """The style, whatever the user's own is; as a decorator of functions that draw."""
    with matplotlib.style.context(['default', _STYLE]):
        yield


def new_figure(width: float, height: float, layout: str = 'constrained') -> Figure:
    """An empty figure that belongs to no global state.

    Args:
        width: In inches, `WIDTH` at most.
        height: In inches.
        layout: Matplotlib's engine; 'compressed' for panels of a fixed shape.
    """
    figure = Figure((width, height), dpi=200, layout=layout, facecolor='white')
    FigureCanvasAgg(figure)
    return figure


def finish(figure: Figure) -> Figure:
    """Lays the figure out while the style holds: ticks come into being as they are drawn."""
    figure.draw_without_rendering()
    return figure


def panels(figure: Figure, count: int, columns: int, **options) -> list[Axes]:
    """Axes in rows of so many columns.

    Args:
        figure: Where to.
        count: How many.
        columns: In a row, at most.
        **options: Of `Figure.subplots`.
    """
    columns = min(columns, count)
    grid = figure.subplots(-(-count // columns), columns, squeeze=False, **options)
    for axes in grid.flat[count:]:
        axes.remove()
    return list(grid.flat[:count])


def title_with_note(axes: Axes, title: str, note: str):
    """A title, and below it in plain type what sums the panel up."""
    axes.set_title(title, pad=16)
    axes.annotate(note, (0, 1), (0, 4), xycoords='axes fraction', textcoords='offset points')


def blend(colour: str, strength: float) -> tuple[float, ...]:
    """A colour mixed with white.

    Args:
        colour: Any that Matplotlib knows.
        strength: 0 (white) to 1 (the colour).
    """
    return tuple(1 - strength * (1 - part) for part in mpl.colors.to_rgb(colour))
