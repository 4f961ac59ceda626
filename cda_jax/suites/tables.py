"""The tables of suites: methods in rows, figures in columns."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import compress

import pandas as pd

from cda_jax.analysis.health import column, read_metrics
from cda_jax.analysis.seeds import Measured, difference
from cda_jax.analysis.tables import Column, Table
from cda_jax.suites import outcomes as out
from cda_jax.suites.methods import LEFT_OUT_BASES, SMALL_SHARE, left_out_name
from cda_jax.suites.outcomes import Figure, Outcome, Outcomes
from cda_jax.suites.plan import Method

# The runs of a method, by its title in the table.
Rows = Mapping[str, Sequence[Outcome]]

# What one looks at first, with the name it has in tables.
HEADLINES: dict[str, Figure] = {
    'accuracy': out.average('accuracy'),
    'macro F1': out.average('macro_f1'),
    'mean recall': out.average('mean_recall'),
    'true accuracy': out.average_true_accuracy,
    'probe': out.probe(),
    'probe within class': out.probe(within_class=True),
}


def recognition_table(rows: Rows, sites: Sequence[str]) -> Table:
    """Accuracy on every test set, and averages over them beside what names the site."""
    figures = accuracies(sites) | {
        Column('average', 'percent', max): out.average('accuracy'),
        Column('true accuracy', 'percent', max): out.average_true_accuracy,
        Column('macro F1', 'percent', max): out.average('macro_f1'),
        Column('mean recall', 'percent', max): out.average('mean_recall'),
        Column('spread of recall', 'percent', min): out.average('recall_sd'),
        Column('site probe', 'percent', min): out.probe(),
    }
    note = (
        'Of the classifier that answers for the site. Averages are unweighted over the test sets. '
        "True accuracy is against what there is to see instead of the site's labels; the spread of "
        'recall is its standard deviation over the classes; the site probe is the balanced '
        'accuracy of a fresh linear classifier of the features.'
    )
    return table_of('recognition', 'Accuracy on each test set', rows, figures, note)


def recall_table(rows: Rows, sites: Sequence[str]) -> Table:
    """Mean and standard deviation of the classes' recall on every test set."""
    figures = {}
    for site in sites:
        figures[Column(f'{site} mean', 'percent', max)] = out.of_site(site, 'mean_recall')
        figures[Column(f'{site} sd', 'percent', min)] = out.of_site(site, 'recall_sd')
    note = 'sd: standard deviation over the classes; the smaller, the more even.'
    return table_of('recall', 'Recall over the classes of each test set', rows, figures, note)


def bias_table(rows: Rows) -> Table:
    """How much of the datasets' identity is left in the features."""
    figures = {
        Column('linear probe', 'percent', min): out.probe(),
        Column('MLP probe', 'percent', min): out.probe('mlp'),
        Column('linear within class', 'percent', min): out.probe(within_class=True),
        Column('MLP within class', 'percent', min): out.probe('mlp', within_class=True),
        Column('chance', 'percent'): out.chance,
        Column('A-distance', 'number'): out.a_distance,
        Column('iLISI', 'number'): out.at('bias', 'ilisi', 'estimate', 'value'),
        Column('cLISI', 'number'): out.at('bias', 'clisi', 'estimate', 'value'),
    }
    note = (
        'Balanced accuracy with which a fresh probe names the site, over all examples and within '
        'each class; mean proxy A-distance of the pairs of sites, 0 to 2; effective number of '
        'sites (iLISI) and of classes (cLISI) in a neighbourhood.'
    )
    return table_of('bias', 'Dataset bias in the features of the test sets', rows, figures, note)


def difference_table(
    methods: Mapping[str, Method], outcomes: Outcomes, reference: str
) -> Table | None:
    """Differences from one method, seed by seed; None where no two share several seeds."""
    rows = []
    for name, method in methods.items():
        changes = [paired_difference(outcomes, name, reference, f) for f in HEADLINES.values()]
        if name != reference and any(changes):
            bounds = [change and [100 * bound for bound in change.interval] for change in changes]
            shown = (each and '{:+.1f} to {:+.1f}'.format(*each) for each in bounds)
            rows.append((method.title, *beside(changes, shown)))
    if not rows:
        return None
    figures = (Column(name, 'percent') for name in HEADLINES)
    intervals = (Column(f'{name}, 95 %') for name in HEADLINES)
    return Table(
        f'difference-from-{reference}',
        f'Difference from: {methods[reference].title}',
        (Column('Method'), *beside(figures, intervals)),
        rows,
        'In percentage points, of runs with the same seed; the interval of the mean is '
        "Student's t over the seeds.",
    )


def paired_difference(
    outcomes: Outcomes, name: str, reference: str, figure: Figure
) -> Measured | None:
    """One method less another, over the seeds that both have; None unless they are several."""
    seeds = [{o.run.seed: o for o in outcomes.get(method, [])} for method in (name, reference)]
    shared = sorted(seeds[0].keys() & seeds[1].keys())
    sides = [out.over_seeds([runs[seed] for seed in shared], figure) for runs in seeds]
    return difference(*sides) if len(shared) > 1 and all(sides) else None


def left_out_table(outcomes: Outcomes, sites: Sequence[str], title: str, score: str) -> Table:
    """One score ('accuracy', 'macro_f1', 'true_accuracy') of every method on sites left out."""
    rows = []
    for name, method in LEFT_OUT_BASES.items():
        cells = left_out_scores(outcomes, name, sites, score)
        if any(cells):
            seeds = max(len(cell.values) for cell in cells if cell)
            rows.append((method.title, str(seeds), *cells, out.mean_of(cells)))
    columns = [Column('Method'), Column('seeds'), *(Column(site, 'percent') for site in sites)]
    return Table(
        f'left-out-{score}',
        f'{title} on the site left out',
        (*columns, Column('average', 'percent', max)),
        rows,
        'Each column: trained on all other sites, tested on this one. Answered by the mean of the '
        "other sites' heads, or by the head that all sites share.",
    )


def left_out_scores(
    outcomes: Outcomes, name: str, sites: Sequence[str], score: str
) -> list[Measured | None]:
    """A score of one method on every site, each time trained without it."""
    scores = []
    for site in sites:
        figure = out.true_accuracy(site) if score == 'true_accuracy' else out.of_site(site, score)
        scores.append(out.over_seeds(outcomes.get(left_out_name(name, site), []), figure))
    return scores


def side_by_side(titles: Mapping[str, str], outcomes: Outcomes, sites: Sequence[str]) -> Table:
    """A figure a row, a method a column under its title."""
    figures = {f'accuracy, {site}': out.of_site(site, 'accuracy') for site in sites}
    figures['accuracy, average'] = out.average('accuracy')
    figures['accuracy against the truth'] = out.average_true_accuracy
    for site in sites:
        figures[f'mean recall, {site}'] = out.of_site(site, 'mean_recall')
        figures[f'spread of recall, {site}'] = out.of_site(site, 'recall_sd')
    figures['mean recall, average'] = out.average('mean_recall')
    figures['site named by a probe'] = out.probe()
    rows = [
        (title, *(out.over_seeds(outcomes.get(name, []), figure) for name in titles))
        for title, figure in figures.items()
    ]
    return Table(
        'side-by-side',
        'What adaptation did',
        (Column('Figure'), *(Column(title, 'percent') for title in titles.values())),
        [row for row in rows if any(row[1:])],
        'Of the classifier that answers for the site, on its test set. Spread: standard deviation '
        "over the classes. Truth: what was drawn, instead of the annotators' labels. A probe is a "
        'linear classifier that is trained on the finished features.',
    )


def gradient_table(titles: Mapping[str, str], outcomes: Outcomes, site: str) -> Table:
    """What the small site and its largest sample have of the gradient, and what comes of it."""
    figures = out.of_site(site, 'accuracy'), out.average('accuracy'), out.average('mean_recall')
    rows = []
    for name, runs in outcomes.items():
        lines = read_metrics(runs[0].run.workdir)
        shares = (column(lines, f) for f in (f'gradient_share_{site}', 'largest_gradient_share'))
        medians = (float(pd.Series(share).median()) for share in shares)
        rows.append((titles[name], *medians, *(out.over_seeds(runs, f) for f in figures)))
    columns = [f'gradient of {site}', 'of one sample', f'accuracy, {site}', 'accuracy', 'recall']
    return Table(
        'gradient',
        f'{site} with {100 * SMALL_SHARE:.0f} % of every batch',
        (Column('Method'), *(Column(name, 'percent') for name in columns)),
        rows,
        "Shares of the emotion classifiers' gradient at the features, medians over the training: "
        'of the site, and the largest of a sample. Accuracy, recall: averages of the test sets.',
    )


def by_title(methods: Mapping[str, Method], outcomes: Outcomes) -> Rows:
    """The outcomes of the methods that have any, by the methods' titles."""
    return {method.title: outcomes[name] for name, method in methods.items() if name in outcomes}


def table_of(
    name: str,
    title: str,
    rows: Rows,
    figures: Mapping[Column, Figure],
    note: str,
    *,
    first: str = 'Method',
    reported: Mapping[str, Sequence[float | None]] | None = None,
) -> Table:
    """Figures over the seeds of runs, each with the paper's own beside it where `reported` is."""
    columns, cells = list(figures), []
    if reported is not None:
        columns = beside(columns, (Column(f'{c.name} (paper)', c.kind) for c in columns))
    for heading, runs in rows.items():
        row = [out.over_seeds(runs, figure) for figure in figures.values()]
        if reported is not None:
            row = beside(row, reported.get(heading, [None] * len(row)))
        cells.append((heading, str(len(runs)), *row))
    columns = [Column(first), Column('seeds'), *columns]
    if reported is None:  # such as true accuracy, which only drawn faces have
        found = [any(row[i] is not None for row in cells) for i in range(len(columns))]
        columns, *cells = (tuple(compress(row, found)) for row in (columns, *cells))
    return Table(name, title, columns, cells, note)


def accuracies(sites: Sequence[str]) -> dict[Column, Figure]:
    """A column for each test set."""
    return {Column(site, 'percent'): out.of_site(site, 'accuracy') for site in sites}


def beside(measured: Iterable, reported: Iterable) -> list:
    """Two rows as one, in turns."""
    return [cell for pair in zip(measured, reported, strict=True) for cell in pair]
