"""Draws the figure of the method: `python tools/draw_method.py [docs/method.svg]`."""

import math
import sys

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

SITES = {'1': '#cfe2f3', '2': '#fce5cd', 'K': '#d5e8d4'}
HEIGHTS = (4.85, 4.1, 3.35)  # of the sites' pictures and classifiers
REVERSAL, LOSS = '#f8cecc', '#eeeeee'


def main(file: str) -> None:
    """Writes the figure, every time the same bytes; the file's ending says the format."""
    mpl.rcParams |= {'svg.hashsalt': 'method', 'font.size': 9.5, 'mathtext.fontset': 'dejavuserif'}
    figure = Figure(figsize=(8, 4.4), facecolor='white')
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 10), ylim=(0, 5.5))
    axes.set_axis_off()

    # Pictures to the emotion classifiers of their sites.
    for (site, colour), y in zip(SITES.items(), HEIGHTS, strict=True):
        towards_middle = 4.1 + (y - 4.1) / 4
        picture(axes, 0.85, y, colour)
        write(axes, 0.3, y, f'${site}$')
        arrow(axes, (1.18, y), (1.8, towards_middle))
        box(axes, 5.7, y, 1.0, 0.5, f'$e_{site}$', colour)
        arrow(axes, (3.75, 4.1), (5.2, y))
        arrow(axes, (6.2, y), (7.0, towards_middle))
    write(axes, 0.75, 5.28, 'pictures $x$ of site')
    write(axes, 5.7, 5.28, 'emotion classifiers')
    box(axes, 2.5, 4.1, 1.4, 0.8, 'feature\nextractor $f$')
    arrow(axes, (3.2, 4.1), (3.75, 4.1), head=False)
    write(axes, 3.5, 4.3, '$f(x)$')
    box(axes, 7.9, 4.1, 1.8, 0.8, '$L_e$: ACE of $e_z$\nand pseudo label', LOSS)

    # Labels to pseudo labels, through which no gradient comes back.
    box(axes, 0.85, 0.6, 0.9, 0.5, 'label $y$', 'white')
    arrow(axes, (1.3, 0.6), (1.8, 0.6))
    box(axes, 2.5, 0.6, 1.4, 0.8, 'label\nextractor $g$')
    arrow(axes, (3.2, 0.6), (7.0, 0.6))
    write(axes, 3.5, 0.4, '$g(y)$')
    box(axes, 7.9, 0.6, 1.8, 0.6, '$L_2$: $\\|g(y) - y\\|^2$', LOSS)
    arrow(axes, (4.4, 0.6), (4.4, 1.4), (5.0, 1.4))
    box(axes, 5.7, 1.4, 1.4, 0.5, 'pseudo label', 'white')
    arrow(axes, (6.4, 1.4), (9.3, 1.4), (9.3, 4.1), (8.8, 4.1), style='--')
    write(axes, 9.5, 2.75, 'no gradient comes back', rotation=90)

    # Both to the dataset classifier, from which the gradient comes back reversed.
    arrow(axes, (3.75, 4.1), (3.75, 2.7), (5.0, 2.7))
    arrow(axes, (3.75, 0.6), (3.75, 2.3), (5.0, 2.3))
    box(axes, 3.75, 3.3, 0.9, 0.45, '$-\\lambda_1$', REVERSAL)
    box(axes, 3.75, 1.6, 0.9, 0.45, '$-\\lambda_2$', REVERSAL)
    write(axes, 2.1, 2.45, 'gradient reversals $R$:\nthe gradient comes back\ntimes $-\\lambda$')
    box(axes, 5.7, 2.5, 1.4, 0.8, 'dataset\nclassifier $d$')
    arrow(axes, (6.4, 2.5), (7.0, 2.5))
    box(axes, 7.9, 2.5, 1.8, 0.8, '$L_d$: ACE of $d$\nand site $z$', LOSS)

    figure.savefig(file, metadata={'Date': None} if file.endswith('.svg') else None, dpi=100)


def box(axes: Axes, x: float, y: float, width: float, height: float, text: str, colour='#ffffe0'):
    """A box around (x, y)."""
    corner = x - width / 2, y - height / 2
    axes.add_patch(Rectangle(corner, width, height, facecolor=colour, edgecolor='black', zorder=2))
    write(axes, x, y, text)


def picture(axes: Axes, x: float, y: float, colour: str) -> None:
    """A face on a site's own background."""
    axes.add_patch(Rectangle((x - 0.3, y - 0.3), 0.6, 0.6, facecolor=colour, edgecolor='black'))
    axes.plot(x, y, 'o', markersize=25, color='white', markeredgecolor='black')
    axes.plot([x - 0.08, x + 0.08], [y + 0.06, y + 0.06], 'o', markersize=2.5, color='black')
    axes.plot([x - 0.1, x - 0.05, x + 0.05, x + 0.1], [y - 0.06, y - 0.1, y - 0.1, y - 0.06], 'k')


def arrow(axes: Axes, *points: tuple[float, float], head: bool = True, style: str = '-') -> None:
    """A line through the points, with its head at the last."""
    line = {'color': 'black', 'linestyle': style, 'linewidth': 1}
    axes.plot(*zip(*points, strict=True), zorder=1, **line)
    if head:
        (x, y), (from_x, from_y) = points[-1], points[-2]
        share = 0.2 / math.hypot(x - from_x, y - from_y)  # of the last line
        start = x + share * (from_x - x), y + share * (from_y - y)
        head_only = {'arrowstyle': '-|>', 'color': 'black', 'shrinkA': 0, 'shrinkB': 0}
        axes.annotate('', (x, y), start, arrowprops=head_only)


def write(axes: Axes, x: float, y: float, text: str, **options) -> None:
    """Text around (x, y)."""
    axes.text(x, y, text, ha='center', va='center', zorder=3, **options)


if __name__ == '__main__':
    main(*sys.argv[1:] or ['docs/method.svg'])
