"""What is logged over the epochs: how training went, whose gradient it was, and the game with d."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, ScalarFormatter

from cda_jax.analysis.figures import style
from cda_jax.analysis.figures.style import DATASET, EMOTION, LABEL, in_style
from cda_jax.analysis.health import column, epochs_of

_BESIDE = {'loc': 'upper left', 'bbox_to_anchor': (1, 1)}
_WINDOW, _MIN_WINDOW = 0.05, 5  # of the lines, for a running median


class Curve(NamedTuple):
    """A field of the metrics, its name in the legend, and how it is drawn."""

    field: str
    name: str
    colour: str = 'black'
    dashes: str = '-'


_LOSSES = (
    Curve('loss_emotion', 'emotion, $L_e$', EMOTION),
    Curve('loss_label', 'label, $L_2$', LABEL, '--'),
    Curve('loss_dataset', 'dataset, $L_d$', DATASET, '-.'),
    Curve('loss_distance', 'between sites', DATASET, ':'),
)
_ACCURACIES = (
    Curve('accuracy_emotion', 'emotion, e', EMOTION),
    Curve('pseudo_label_agreement', 'label kept, g', LABEL, '--'),
    Curve('accuracy_dataset', 'dataset, d', DATASET, '-.'),
)
_OF_D = (
    Curve('balanced_accuracy_dataset', 'balanced accuracy', DATASET),
    Curve('largest_share_dataset', 'site named most', style.COLOURS[3], '--'),
)
_STRENGTHS = (
    Curve('lambda_1', r'$\lambda_1$ at f', EMOTION),
    Curve('lambda_2', r'$\lambda_2$ at g', LABEL, '--'),
)


@in_style
def training_curves(lines: Sequence[dict]) -> Figure:
    """Draws loss terms, accuracies in training and in validation, and the learning rate.

    Lines are those of `cda_jax.analysis.health.read_metrics`, errors those of `epochs_of` there.
    What a run lacks (a baseline has neither g nor d, and most no validation) has no curve or panel.
    """
    validation = [line for line in lines if line['kind'] == 'validation']
    figure, grid = style.panels(4 if validation else 3, 1, 1.8, sharex=True)
    _draw(grid[0], lines, _LOSSES, 'Loss terms (nats; $L_2$: squared distance)', 'log')
    _draw(grid[1], lines, _ACCURACIES, 'Accuracy in training batches', 'percent')
    if validation:
        sites = dict.fromkeys(f for line in validation for f in line if f.startswith('accuracy_'))
        curves = _of_sites(sites, 'accuracy_')
        curves.append(Curve('accuracy', 'mean of the sites', dashes='--'))
        _draw(grid[2], lines, curves, 'Accuracy in validation', 'percent', kind='validation')
    _draw(grid[-1], lines, [Curve('learning_rate', 'learning rate')], 'Learning rate')
    grid[-1].set(xlabel='epoch', xlim=(0, None))
    return figure


@in_style
def health_panel(lines: Sequence[dict], num_sites: int) -> Figure:
    """Draws the adversarial game over the epochs, beside what d would reach by guessing.

    `cda_jax.analysis.health.health_warnings` says what to look for. Lines and errors are as for
    `training_curves`. Guessing costs ln K under cross entropy. Under a weighted loss it costs about
    as much, because the weights average 1 only where all sites are of one size.
    """
    figure, (accuracy, loss, ratio, strength) = style.panels(4, 2, 2.1, sharex=True)
    _draw(accuracy, lines, _OF_D, 'How well d tells the sites apart', 'percent', legend={})
    _mark(accuracy, 1 / num_sites, f'guessing: {100 / num_sites:.1f} %')

    _draw(loss, lines, [Curve('loss_dataset', '$L_d$', DATASET)], 'Loss of d, $L_d$ (nats)')
    guessing = math.log(num_sites)
    _mark(loss, guessing, f'guessing: about ln {num_sites}')
    loss.set_ylim(0, 1.2 * max(guessing, loss.get_ylim()[1]))

    field = 'reversed_gradient_ratio'
    scale = 'log' if any(line.get(field) for line in lines) else ''
    _draw(ratio, lines, [Curve(field, 'ratio')], 'Reversed / emotion gradient', scale)
    if scale:
        _mark(ratio, 1, 'equally large')
    _draw(strength, lines, _STRENGTHS, 'Strength of the reversal', legend={})
    for axes in (ratio, strength):
        axes.set(xlabel='epoch', xlim=(0, None))
    return figure


@in_style
def gradient_curves(lines: Sequence[dict], site_shares: Mapping[str, float]) -> Figure:
    """Draws whose the emotion classifiers' gradient at the features is, by site and the largest.

    A dashed line of the same colour is the site's share of the samples of a batch. Lines and errors
    are as for `training_curves`.
    """
    figure, (axes,) = style.panels(1, 1, 1.9)
    curves = _of_sites([f'gradient_share_{site}' for site in site_shares], 'gradient_share_')
    title = 'Share of the emotion gradient (dashed: of the samples)'
    largest = Curve('largest_gradient_share', 'largest sample', dashes=':')
    _draw(axes, lines, [*curves, largest], title, 'percent')
    for curve in curves:
        if any(curve.field in line for line in lines):
            axes.axhline(site_shares[curve.name], color=curve.colour, linewidth=0.9, linestyle='--')
    axes.set(xlabel='epoch', xlim=(0, None))
    return figure


def _of_sites(fields, prefix) -> list[Curve]:
    colours = itertools.cycle(style.COLOURS[:6])
    return [Curve(field, field.removeprefix(prefix), next(colours)) for field in fields]


def _draw(axes: Axes, lines, curves, title, scale='', *, kind='train', legend=_BESIDE):
    """Draws each curve that has values; in training as faint points and their running median."""
    axes.set_title(title)
    axes.grid(axis='y')
    chosen = [line for line in lines if line['kind'] == kind]
    epochs = epochs_of(lines, chosen)
    for curve in curves:
        values = pd.Series(column(chosen, curve.field), epochs).dropna()
        if values.empty:
            continue
        if kind == 'train':
            axes.plot(values, '.', color=curve.colour, alpha=0.2, markersize=2, rasterized=True)
            window = max(_MIN_WINDOW, round(_WINDOW * len(values)))
            values = values.rolling(window, center=True, min_periods=1).median()
        axes.plot(values, curve.dashes, color=curve.colour, label=curve.name)
    if not axes.lines:
        axes.text(0.5, 0.5, 'not logged by this run', transform=axes.transAxes, ha='center')
    elif len(curves) > 1:
        axes.legend(**legend)
    if scale == 'log':
        axes.set_yscale('log', nonpositive='mask')
        axes.yaxis.set_major_formatter(ScalarFormatter())
    elif scale == 'percent':
        axes.set_ylim(-0.02, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1))


def _mark(axes, level, name):
    axes.axhline(level, color='dimgray', linewidth=0.9, linestyle='--')
    axes.text(0.01, level, name, transform=axes.get_yaxis_transform(), size=7, va='bottom')
