"""Whose gradient it is where one site is small: why the method fails there, and what helps."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from cda_jax.analysis.figures import style
from cda_jax.analysis.health import column, epochs_of, read_metrics
from cda_jax.analysis.tables import Column, Table
from cda_jax.suites import outcomes as out
from cda_jax.suites.methods import SMALL_SHARE
from cda_jax.suites.outcomes import Outcome, Outcomes

_PANELS = {
    'gradient_share_{}': "{}'s share of the gradient",
    'largest_gradient_share': 'largest share of one sample',
    'loss_emotion': '$L_e$',
}


def gradient_table(titles: Mapping[str, str], outcomes: Outcomes, site: str) -> Table:
    """What the small site and its largest sample have of the gradient, and what comes of it."""
    rows = [
        (
            titles[name],
            _median(runs[0], f'gradient_share_{site}'),
            _median(runs[0], 'largest_gradient_share'),
            out.over_seeds(runs, out.of_site(site, 'accuracy')),
            out.over_seeds(runs, out.average('accuracy')),
            out.over_seeds(runs, out.average('mean_recall')),
        )
        for name, runs in outcomes.items()
    ]
    columns = [f'gradient of {site}', 'of one sample', f'accuracy, {site}', 'accuracy', 'recall']
    return Table(
        'gradient',
        f'{site} with {100 * SMALL_SHARE:.0f} % of every batch',
        (Column('Method'), *(Column(name, 'percent') for name in columns)),
        rows,
        "Shares of the emotion classifiers' gradient at the features, medians over the training: "
        'of the site, and the largest of a sample. Accuracy, recall: averages of the test sets.',
    )


@style.in_style
def gradient_figure(titles: Mapping[str, str], outcomes: Outcomes, site: str) -> Figure:
    """The same over the epochs, as running medians of the first run of each method."""
    figure, panels = style.panels(len(_PANELS), len(_PANELS), 1.9)
    for (field, title), axes in zip(_PANELS.items(), panels, strict=True):
        for (name, runs), colour in zip(outcomes.items(), style.COLOURS, strict=False):
            lines = [x for x in read_metrics(runs[0].run.workdir) if x['kind'] == 'train']
            values = pd.Series(column(lines, field.format(site)), epochs_of(lines, lines))
            values = values.rolling(5, center=True, min_periods=1).median()
            axes.plot(values, color=colour, label=titles[name])
        # Last, because limits are taken from what is drawn by then.
        axes.set(title=title.format(site), xlabel='epoch', xlim=(0, None), ylim=(0, None))
    panels[0].axhline(SMALL_SHARE, color='dimgray', linewidth=0.9, linestyle='--')
    figure.legend(*panels[0].get_legend_handles_labels(), loc='outside upper left', ncols=3)
    return figure


def _median(outcome: Outcome, field: str) -> float:
    lines = read_metrics(outcome.run.workdir)
    return float(pd.Series(column(lines, field)).median())
