"""The tables of suites: methods in rows, figures in columns."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import compress

from cda_jax.analysis.health import read_metrics
from cda_jax.analysis.health.lines import median
from cda_jax.analysis.seeds import Measured, difference
from cda_jax.analysis.tables import Column, Table
from cda_jax.suites import outcomes as out
from cda_jax.suites.methods import LEFT_OUT_BASES, SMALL_SHARE, left_out_name
from cda_jax.suites.outcomes import Outcomes

Titles = Mapping[str, str]  # of methods, by name
Sites = Sequence[str]

# What one looks at first, by the name it has in tables.
HEADLINES = {
    'accuracy': 'accuracy',
    'macro F1': 'macro_f1',
    'mean recall': 'mean_recall',
    'true accuracy': 'true_accuracy',
    'probe': 'linear probe',
    'probe within class': 'linear probe within class',
}


def recognition_table(titles: Titles, outcomes: Outcomes, sites: Sites) -> Table:
    """Accuracy on every test set, and averages over them beside what names the site."""
    figures = accuracies(sites) | {
        Column('average', 'percent', max): 'accuracy',
        Column('true accuracy', 'percent', max): 'true_accuracy',
        Column('macro F1', 'percent', max): 'macro_f1',
        Column('mean recall', 'percent', max): 'mean_recall',
        Column('spread of recall', 'percent', min): 'recall_sd',
        Column('site probe', 'percent', min): 'linear probe',
    }
    note = (
        'Of the classifier that answers for the site. Averages are unweighted over the test sets. '
        "True accuracy is against what there is to see instead of the site's labels; the spread of "
        'recall is its standard deviation over the classes; the site probe is the balanced '
        'accuracy of a fresh linear classifier of the features.'
    )
    title = 'Accuracy on each test set'
    return table_of('recognition', title, titles, outcomes, figures, note)


def recall_table(titles: Titles, outcomes: Outcomes, sites: Sites) -> Table:
    """Mean and standard deviation of the classes' recall on every test set."""
    figures = {}
    for site in sites:
        figures[Column(f'{site} mean', 'percent', max)] = f'mean_recall, {site}'
        figures[Column(f'{site} sd', 'percent', min)] = f'recall_sd, {site}'
    title = 'Recall over the classes of each test set'
    note = 'sd: standard deviation over the classes; the smaller, the more even.'
    return table_of('recall', title, titles, outcomes, figures, note)


def bias_table(titles: Titles, outcomes: Outcomes) -> Table:
    """How much of the datasets' identity is left in the features."""
    figures = {
        Column('linear probe', 'percent', min): 'linear probe',
        Column('MLP probe', 'percent', min): 'mlp probe',
        Column('linear within class', 'percent', min): 'linear probe within class',
        Column('MLP within class', 'percent', min): 'mlp probe within class',
        Column('chance', 'percent'): 'chance',
        Column('A-distance', 'number'): 'a_distance',
        Column('iLISI', 'number'): 'ilisi',
        Column('cLISI', 'number'): 'clisi',
    }
    note = (
        'Balanced accuracy with which a fresh probe names the site, over all examples and within '
        'each class; mean proxy A-distance of the pairs of sites, 0 to 2; effective number of '
        'sites (iLISI) and of classes (cLISI) in a neighbourhood.'
    )
    title = 'Dataset bias in the features of the test sets'
    return table_of('bias', title, titles, outcomes, figures, note)


def difference_table(titles: Titles, outcomes: Outcomes, reference: str) -> Table | None:
    """Differences from one method, seed by seed; None where no two share several seeds."""
    rows = []
    for name, title in titles.items():
        changes = [paired_difference(outcomes, name, reference, f) for f in HEADLINES.values()]
        if name != reference and any(changes):
            bounds = [change and [100 * bound for bound in change.interval] for change in changes]
            shown = (each and '{:+.1f} to {:+.1f}'.format(*each) for each in bounds)
            rows.append((title, *beside(changes, shown)))
    if not rows:
        return None
    figures = (Column(name, 'percent') for name in HEADLINES)
    columns = Column('Method'), *beside(figures, (Column(f'{name}, 95 %') for name in HEADLINES))
    title = f'Difference from: {titles[reference]}'
    note = (
        'In percentage points, of runs with the same seed; the interval of the mean is '
        "Student's t over the seeds."
    )
    return Table(f'difference-from-{reference}', title, columns, rows, note)


def paired_difference(
    outcomes: Outcomes, name: str, reference: str, figure: str
) -> Measured | None:
    """One method less another, over the seeds that both have; None unless they are several."""
    seeds = [{o.run.seed: o for o in outcomes.get(method, [])} for method in (name, reference)]
    shared = sorted(seeds[0].keys() & seeds[1].keys())
    sides = [out.over_seeds([runs[seed] for seed in shared], figure) for runs in seeds]
    return difference(*sides) if len(shared) > 1 and all(sides) else None


def left_out_table(outcomes: Outcomes, sites: Sites, title: str, score: str) -> Table:
    """One score of every method on sites left out, such as 'accuracy'."""
    rows = []
    for name, method in LEFT_OUT_BASES.items():
        cells = left_out_scores(outcomes, name, sites, score)
        if any(cells):
            seeds = max(len(cell.values) for cell in cells if cell)
            rows.append((method.title, str(seeds), *cells, out.mean_of(cells)))
    columns = (
        Column('Method'),
        Column('seeds'),
        *accuracies(sites),
        Column('average', 'percent', max),
    )
    note = (
        'Each column: trained on all other sites, tested on this one. Answered by the mean of the '
        "other sites' heads, or by the head that all sites share."
    )
    return Table(f'left-out-{score}', f'{title} on the site left out', columns, rows, note)


def left_out_scores(
    outcomes: Outcomes, name: str, sites: Sites, score: str
) -> list[Measured | None]:
    """A score of one method on every site, each time trained without it."""
    runs = {site: outcomes.get(left_out_name(name, site), []) for site in sites}
    return [out.over_seeds(of_site, f'{score}, {site}') for site, of_site in runs.items()]


def side_by_side(titles: Titles, outcomes: Outcomes, sites: Sites) -> Table:
    """A figure a row, a method a column under its title."""
    figures = {f'accuracy, {site}': f'accuracy, {site}' for site in sites}
    figures |= {'accuracy, average': 'accuracy', 'accuracy against the truth': 'true_accuracy'}
    for site in sites:
        figures[f'mean recall, {site}'] = f'mean_recall, {site}'
        figures[f'spread of recall, {site}'] = f'recall_sd, {site}'
    figures |= {'mean recall, average': 'mean_recall', 'site named by a probe': 'linear probe'}
    rows = [
        (title, *(out.over_seeds(outcomes.get(name, []), figure) for name in titles))
        for title, figure in figures.items()
    ]
    return Table(
        'side-by-side',
        'What adaptation did',
        (Column('Measure'), *(Column(title, 'percent') for title in titles.values())),
        [row for row in rows if any(row[1:])],
        'Of the classifier that answers for the site, on its test set. Spread: standard deviation '
        "over the classes. Truth: what was drawn, instead of the annotators' labels. A probe is a "
        'linear classifier that is trained on the finished features.',
    )


def gradient_table(titles: Titles, outcomes: Outcomes, site: str) -> Table:
    """What the small site and its largest sample have of the gradient, and what comes of it."""
    rows = []
    for name, runs in outcomes.items():
        lines = read_metrics(runs[0].run.workdir)
        shares = f'gradient_share_{site}', 'largest_gradient_share'
        medians = (median(lines, share) for share in shares)
        figures = f'accuracy, {site}', 'accuracy', 'mean_recall'
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


def table_of(
    name: str,
    title: str,
    titles: Titles,
    outcomes: Outcomes,
    figures: Mapping[Column, str],
    note: str,
    *,
    first: str = 'Method',
    reported: Mapping[str, Mapping[str, float]] | None = None,
) -> Table:
    """Figures of methods over the seeds, in which methods without a run have no row.

    Where `reported` has figures by method, those stand beside, and every method has its row.
    """
    columns, rows = list(figures), []
    if reported is not None:
        columns = beside(columns, (Column(f'{c.name} (paper)', c.kind) for c in columns))
    for method, heading in titles.items():
        runs = outcomes.get(method, [])
        row = [out.over_seeds(runs, figure) for figure in figures.values()]
        if reported is not None:
            row = beside(row, map(reported.get(method, {}).get, figures.values()))
        if runs or reported is not None:
            rows.append((heading, str(len(runs)), *row))
    columns = [Column(first), Column('seeds'), *columns]
    if reported is None:  # such as true accuracy, which only drawn faces have
        found = [any(row[i] is not None for row in rows) for i in range(len(columns))]
        columns, *rows = (tuple(compress(row, found)) for row in (columns, *rows))
    return Table(name, title, columns, rows, note)


def accuracies(sites: Sites) -> dict[Column, str]:
    """A column for each test set."""
    return {Column(site, 'percent'): f'accuracy, {site}' for site in sites}


def beside(measured: Iterable, reported: Iterable) -> list:
    """Two rows as one, in turns."""
    return [cell for pair in zip(measured, reported, strict=True) for cell in pair]
