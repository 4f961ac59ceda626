"""How training went: losses, accuracies and the learning rate over the epochs."""

from collections.abc import Sequence

from matplotlib.figure import Figure

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
    name_ends,
    set_epochs,
    use_log_scale,
    use_percent,
)
from cda_jax.analysis.health import column, epochs_of, train_lines

_LOSSES = (
    ('loss_emotion', 'emotion, $L_e$', EMOTION, '-'),
    ('loss_label', 'label, $L_2$', LABEL, '--'),
    ('loss_dataset', 'dataset, $L_d$', DATASET, '-.'),
)
_ACCURACIES = (
    ('accuracy_emotion', 'emotion, e', EMOTION, '-'),
    ('pseudo_label_agreement', 'label kept, g', LABEL, '--'),
    ('accuracy_dataset', 'dataset, d', DATASET, '-.'),
)
_DASHES = ('-', '--', '-.', ':')

# Of a validation line, besides one for each site: of the mean over the sites.
_MEAN, _SITE = 'accuracy', 'accuracy_'

# Inches.
_TALL, _LOW, _TITLE = 1.45, 0.75, 0.5


@look()
def training_curves(lines: Sequence[dict]) -> Figure:
    """Draws loss terms, accuracies in training and in validation, and the learning rate.

    Parts that a run has not (a baseline has neither g nor d, and most have no validation) have no
    curve or panel.

    Args:
        lines: Of `cda_jax.analysis.health.read_metrics`.

    Raises:
        InputError: There is no line of training, or one lacks its epoch.
    """
    training = train_lines(lines)
    epochs = epochs_of(lines, training)
    validation = [line for line in lines if line['kind'] == 'validation']
    heights = [_TALL, _TALL, *([_TALL] if validation else []), _LOW]
    figure = new_figure(WIDTH, sum(heights) + _TITLE * len(heights))
    grid = figure.subplots(len(heights), sharex=True, height_ratios=heights)
    set_epochs(grid[-1], epochs)

    losses = _curves(training, _LOSSES)
    use_log_scale(grid[0], losses)
    use_percent(grid[1])
    _fill(grid[0], 'Loss terms (nats; $L_2$: squared distance)', epochs, losses)
    accuracies = _curves(training, _ACCURACIES)
    _fill(grid[1], 'Accuracy in training batches (%)', epochs, accuracies)
    if validation:
        use_percent(grid[2])
        _fill(
            grid[2],
            'Accuracy in validation (%)',
            epochs_of(lines, validation),
            _validation_curves(validation),
            smooth=False,
        )
    rate = Curve('', column(training, 'learning_rate'), INK)
    _fill(grid[-1], 'Learning rate', epochs, [rate], smooth=False)
    grid[-1].set_ylim(bottom=0)
    return finish(figure)


def _fill(axes, title, epochs, curves, *, smooth=True):
    axes.set_title(title)
    axes.grid(axis='y')
    draw_curves(axes, epochs, curves, smooth=smooth)
    name_ends(axes, epochs, curves, smooth=smooth)


def _curves(lines, parts):
    return [Curve(name, column(lines, field), *marks) for field, name, *marks in parts]


def _validation_curves(lines):
    sites = dict.fromkeys(name for line in lines for name in line if name.startswith(_SITE))
    by_site = [
        Curve(
            field.removeprefix(_SITE),
            column(lines, field),
            COLOURS[number % (len(COLOURS) - 1)],
            _DASHES[number % len(_DASHES)],
        )
        for number, field in enumerate(sites)
    ]
    return [*by_site, Curve('mean', column(lines, _MEAN), INK)]
