"""What is logged over the epochs, as curves with their names at their ends."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from sklearn.isotonic import isotonic_regression

from cda_jax.analysis.figures.look import QUIET

_WINDOW = 0.05  # of the lines
_MIN_WINDOW = 5
_DECADES_FOR_POWERS = 4


class Curve(NamedTuple):
    """A line with its name.

    Attributes:
        name: At its end.
        values: float64[N], NaN where there is none.
        colour: Of the line.
        dashes: Its style.
    """

    name: str
    values: np.ndarray
    colour: str
    dashes: str = '-'


def running_median(values: np.ndarray) -> np.ndarray:
    """Medians over 5 % of the values around each, and over 5 at least; fewer at the ends.

    Args:
        values: float64[N], NaN where there is none; such places stay so.

    Returns:
        float64[N].
    """
    reach = max(_MIN_WINDOW, round(_WINDOW * len(values))) // 2
    medians = np.full(len(values), np.nan)
    for place in np.flatnonzero(~np.isnan(values)):
        window = values[max(place - reach, 0) : place + reach + 1]
        medians[place] = np.median(window[~np.isnan(window)])
    return medians


def draw_curves(axes: Axes, epochs: np.ndarray, curves: Sequence[Curve], *, smooth: bool = True):
    """Draws each curve that has values: points faint, their running median strong.

    Args:
        axes: Where to.
        epochs: float64[N].
        curves: What.
        smooth: Whether to; else a line through the values themselves.
    """
    for curve in curves:
        known = ~np.isnan(curve.values)
        if not known.any():
            continue
        line = running_median(curve.values) if smooth else curve.values
        if smooth:
            axes.scatter(
                epochs[known],
                curve.values[known],
                s=4,
                color=curve.colour,
                alpha=min(0.35, 5 / np.sqrt(known.sum())),
                linewidth=0,
                rasterized=True,  # thousands of points would swell a vector figure
            )
        axes.plot(epochs[known], line[known], curve.dashes, color=curve.colour, linewidth=1.5)


def name_ends(axes: Axes, epochs: np.ndarray, curves: Sequence[Curve], *, smooth: bool = True):
    """Writes the names of curves beside their ends, apart from each other.

    Args:
        axes: Where the curves are.
        epochs: As for `draw_curves`.
        curves: As for `draw_curves`.
        smooth: As for `draw_curves`.
    """
    known = [curve for curve in curves if not np.isnan(curve.values).all()]
    axes.get_ylim()  # settles the limits, which transforms do not wait for
    ends = []
    for curve in known:
        line = running_median(curve.values) if smooth else curve.values
        last = np.flatnonzero(~np.isnan(line))[-1]
        _, pixel = axes.transData.transform((epochs[last], line[last]))
        ends.append(axes.transAxes.inverted().transform((0, pixel))[1])
    gap = 9 / (72 * axes.get_figure().get_size_inches()[1] * axes.get_position().height)
    for curve, place in zip(known, spread(np.array(ends), gap), strict=True):
        axes.text(
            1.02,
            place,
            curve.name,
            transform=axes.transAxes,
            color=curve.colour,
            weight='bold',
            size=7.5,
            va='center',
        )


def spread(places: np.ndarray, gap: float) -> np.ndarray:
    """Moves places so far apart, in their order, within 0 to 1, by the least squares of moves.

    Args:
        places: float64[N].
        gap: Between two, at least.

    Returns:
        float64[N]; they lie beyond 1 only where there is no room.
    """
    order = np.argsort(places, kind='stable')
    # Less the gaps before them, places only have to ascend.
    gaps = gap * np.arange(len(places))
    ascending = isotonic_regression(places[order] - gaps) if len(places) else gaps
    moved = np.empty(len(places))
    moved[order] = np.clip(ascending, 0, max(0, 1 - gaps.max(initial=0))) + gaps
    return moved


def mark_level(axes: Axes, level: float, name: str):
    """Draws a dashed line across, its name above its left end."""
    axes.axhline(level, color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1.5)
    axes.annotate(
        name,
        (0, level),
        (3, 2),
        xycoords=axes.get_yaxis_transform(),
        textcoords='offset points',
        color=QUIET,
        size=7,
        zorder=4,
        path_effects=[withStroke(linewidth=2.5, foreground='white')],
    )


def set_epochs(axes: Axes, epochs: np.ndarray):
    """The axis of epochs, from the start of training to its end."""
    axes.set_xlim(0, 1.005 * epochs.max())
    axes.set_xlabel('epoch')
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def use_log_scale(axes: Axes, curves: Sequence[Curve]):
    """A logarithmic scale with plain numbers at 1, 2 and 5, or at the powers of a wide range."""
    values = np.concatenate([curve.values for curve in curves])
    values = values[values > 0]
    axes.set_yscale('log', nonpositive='mask')
    if not values.size:
        return
    wide = np.log10(values.max() / values.min()) > _DECADES_FOR_POWERS
    axes.yaxis.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f'{value:g}'))
    axes.yaxis.set_minor_locator(NullLocator())


def use_percent(axes: Axes):
    """Shares from 0 to 1 as 0 to 100."""
    axes.set_ylim(-0.02, 1.02)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f'{100 * share:g}'))


def say_nothing_to_show(axes: Axes, reason: str):
    """Says in place of curves why there are none."""
    axes.set(yticks=[])
    axes.text(
        0.5, 0.5, reason, transform=axes.transAxes, ha='center', va='center', color=QUIET, size=7.5
    )
