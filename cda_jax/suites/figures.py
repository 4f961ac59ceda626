"""The figures of suites."""

import math

import pandas as pd
from matplotlib.figure import Figure

from cda_jax.analysis.features import read_features
from cda_jax.analysis.figures.classes import confusion_figure
from cda_jax.analysis.figures.style import COLOURS, WIDTH, in_style
from cda_jax.analysis.figures.style import panels as grid
from cda_jax.analysis.health import column, epochs_of, read_metrics
from cda_jax.analysis.report import Picture
from cda_jax.analysis.run_page import planes, recall_picture
from cda_jax.runtime.workdir import FEATURES
from cda_jax.suites import outcomes as out
from cda_jax.suites.methods import SMALL_SHARE
from cda_jax.suites.outcomes import Outcomes
from cda_jax.suites.tables import Sites, Titles

_PANELS = {
    'gradient_share_{}': "{}'s share of the gradient",
    'largest_gradient_share': 'largest share of one sample',
    'loss_emotion': '$L_e$',
}
# Standard deviations over the seeds.
_BARS = {'linestyle': '', 'elinewidth': 0.7, 'capsize': 1.5}


def figure_4(outcomes: Outcomes, sites: Sites) -> Picture | None:
    """Confusion of the sites by a network that was trained to name them; None without a run."""
    if not (runs := outcomes.get('dataset-id')):
        return None
    return Picture(
        confusion_figure({'': out.confusion(runs)}, sites),
        'Name that dataset (figure 4 of the paper). Rows: the site of a test picture; columns: the '
        'site that the network names.',
        'Confusion matrix of the sites.',
    )


def figure_6(titles: Titles, outcomes: Outcomes, site: str) -> Picture | None:
    """Recall of these methods, each under its title, on one test set; None without a run."""
    runs = {title: outcomes[name] for name, title in titles.items() if name in outcomes}
    if not runs:
        return None
    confusions = {title: out.confusion(each, site) for title, each in runs.items()}
    class_names = next(iter(runs.values()))[0].results.class_names
    return recall_picture(confusions, class_names)


def figures_5_and_7(titles: Titles, outcomes: Outcomes) -> tuple[Picture, ...]:
    """Features of these methods side by side, each under its title, if all are measured."""
    if not titles.keys() <= outcomes.keys():
        return ()
    files = {title: outcomes[name][0].run.workdir / FEATURES for name, title in titles.items()}
    if not all(path.exists() for path in files.values()):
        return ()
    return planes({title: read_features(path) for title, path in files.items()})


@in_style
def trade_off(titles: Titles, outcomes: Outcomes) -> Figure:
    """Accuracy against the site left in the features, a number for each method with runs."""

    def percent(name, figure):
        measured = out.over_seeds(outcomes[name], figure)
        return [100 * measured.mean, 100 * (measured.sd or 0)] if measured else [math.nan] * 2

    figure = Figure((WIDTH, 1.2 + 0.18 * len(outcomes)))
    axes = figure.subplots()
    there = [(name, title) for name, title in titles.items() if name in outcomes]
    for number, (name, title) in enumerate(there, 1):
        (x, xerr), (y, yerr) = percent(name, 'linear probe'), percent(name, 'accuracy')
        colour, size = COLOURS[number % len(COLOURS)], 4 + 3 * len(str(number))
        axes.errorbar(x, y, yerr, xerr, color=colour, alpha=0.5, **_BARS)
        axes.plot(x, y, ls='', marker=f'${number}$', ms=size, color=colour, label=title)
    axes.set(xlabel='balanced accuracy of the linear site probe (%)', ylabel='mean accuracy (%)')
    figure.legend(loc='outside right upper')
    return figure


@in_style
def gradient_figure(titles: Titles, outcomes: Outcomes, site: str) -> Figure:
    """What `gradient_table` has, over the epochs: running medians of each method's first run."""
    figure, panels = grid(len(_PANELS), len(_PANELS), 1.9)
    for (field, title), axes in zip(_PANELS.items(), panels, strict=True):
        for (name, runs), colour in zip(outcomes.items(), COLOURS, strict=False):
            lines = [x for x in read_metrics(runs[0].run.workdir) if x['kind'] == 'train']
            values = pd.Series(column(lines, field.format(site)), epochs_of(lines, lines))
            values = values.rolling(5, center=True, min_periods=1).median()
            axes.plot(values, color=colour, label=titles[name])
        # Last, because limits are taken from what is drawn by then.
        axes.set(title=title.format(site), xlabel='epoch', xlim=(0, None), ylim=(0, None))
    panels[0].axhline(SMALL_SHARE, color='dimgray', linewidth=0.9, linestyle='--')
    figure.legend(*panels[0].get_legend_handles_labels(), loc='outside upper left', ncols=3)
    return figure
