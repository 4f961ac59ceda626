"""The game between the dataset classifier d and the network that is to leave it nothing."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from cda_jax.analysis.bias.features_by_site import check_at_least
from cda_jax.analysis.figures.look import (
    COLOURS,
    DATASET,
    EMOTION,
    INK,
    LABEL,
    WIDTH,
    finish,
    look,
    new_figure,
)
from cda_jax.analysis.figures.series import (
    Curve,
    draw_curves,
    mark_level,
    name_ends,
    say_nothing_to_show,
    set_epochs,
    use_log_scale,
    use_percent,
)
from cda_jax.analysis.health import column, epochs_of, train_lines

_NOT_LOGGED = 'not logged by this run'


@look()
def health_panel(
    lines: Sequence[dict], num_sites: int, *, dataset_loss: str = 'adaptive_cross_entropy'
) -> Figure:
    """Draws the adversarial game over the epochs, beside what d would reach by guessing.

    Balanced accuracy of d and the share of the site that it names most; its loss L_d; the norm of
    the reversed gradient at the features over that of the emotion classifiers; lambda_1 and
    lambda_2. `cda_jax.analysis.health.health_warnings` says what to look for. A run without d gets
    a figure that says so.

    Args:
        lines: Of `cda_jax.analysis.health.read_metrics`.
        num_sites: K, the sites trained on.
        dataset_loss: The config's. Guessing costs ln K under 'cross_entropy'; under another loss
            only about so, since its weights average 1 only where sites are of one size.

    Raises:
        InputError: There is no line of training, one lacks its epoch, or `num_sites` is below 2
            although there is a dataset classifier.
    """
    training = train_lines(lines)
    if not any('loss_dataset' in line for line in training):
        return _figure_without_game()
    check_at_least('num_sites', num_sites, 2)
    epochs = epochs_of(lines, training)
    figure = new_figure(WIDTH, 4.3)
    grid = figure.subplots(2, 2, sharex=True)
    for axes in grid[1]:
        set_epochs(axes, epochs)
    for axes in grid.flat:
        axes.grid(axis='y')
    _draw_accuracy(grid[0, 0], training, epochs, num_sites)
    _draw_loss(grid[0, 1], training, epochs, num_sites, dataset_loss)
    _draw_ratio(grid[1, 0], training, epochs)
    _draw_strengths(grid[1, 1], training, epochs)
    return finish(figure)


def _draw_accuracy(axes, lines, epochs, num_sites):
    axes.set_title('How well d tells the sites apart (%)')
    curves = [
        Curve('balanced acc.', column(lines, 'balanced_accuracy_dataset'), DATASET),
        Curve('named most', column(lines, 'largest_share_dataset'), COLOURS[3], '--'),
    ]
    use_percent(axes)
    if _draw(axes, epochs, curves):
        mark_level(axes, 1 / num_sites, f'guessing: {100 / num_sites:.1f} %')


def _draw_loss(axes, lines, epochs, num_sites, dataset_loss):
    is_exact = dataset_loss == 'cross_entropy'
    axes.set_title('Loss of d, $L_d$ (nats)' if is_exact else 'Loss of d, $L_d$ (nats, weighted)')
    curve = Curve('$L_d$', column(lines, 'loss_dataset'), DATASET)
    guessing = math.log(num_sites)
    costs = '' if is_exact else 'about '
    mark_level(axes, guessing, f'guessing: {costs}ln {num_sites} = {guessing:.2f}')
    highest = np.nanmax([*curve.values, guessing])
    axes.set_ylim(0, 1.12 * highest)
    _draw(axes, epochs, [curve])


def _draw_ratio(axes, lines, epochs):
    axes.set_title('Reversed / emotion gradient')
    ratios = column(lines, 'reversed_gradient_ratio')
    if not (ratios > 0).any():
        is_logged = not np.isnan(ratios).all()
        say_nothing_to_show(axes, 'no reversal throughout' if is_logged else _NOT_LOGGED)
        return
    # Before the reversal begins the ratio is 0, which a logarithm has no place for.
    curve = Curve('ratio', np.where(ratios > 0, ratios, np.nan), INK)
    use_log_scale(axes, [curve, Curve('', np.ones(1), '')])
    mark_level(axes, 1, '1: equally large')
    _draw(axes, epochs, [curve])


def _draw_strengths(axes, lines, epochs):
    axes.set_title('Strength of the reversal')
    curves = [
        Curve('λ$_1$ at f', column(lines, 'lambda_1'), EMOTION),
        Curve('λ$_2$ at g', column(lines, 'lambda_2'), LABEL, '--'),
    ]
    highest = max(curve.values[~np.isnan(curve.values)].max(initial=0) for curve in curves)
    axes.set_ylim(0, 1.08 * highest if highest else 1)
    _draw(axes, epochs, curves, smooth=False)


def _draw(axes, epochs, curves, *, smooth=True) -> bool:
    """Whether there was anything to draw."""
    if all(np.isnan(curve.values).all() for curve in curves):
        say_nothing_to_show(axes, _NOT_LOGGED)
        return False
    draw_curves(axes, epochs, curves, smooth=smooth)
    name_ends(axes, epochs, curves, smooth=smooth)
    return True


def _figure_without_game() -> Figure:
    figure = new_figure(WIDTH, 0.8)
    axes = figure.subplots()
    axes.set_axis_off()
    say_nothing_to_show(axes, 'This run has no dataset classifier: there is no game to show.')
    return finish(figure)
