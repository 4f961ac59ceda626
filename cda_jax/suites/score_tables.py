"""Tables that any set of methods can be laid out in: recognition, recall, bias, differences."""

from collections.abc import Mapping, Sequence

from cda_jax.analysis.tables import Column, Measured, Table, difference
from cda_jax.suites import outcomes as out
from cda_jax.suites.methods import Method
from cda_jax.suites.outcomes import Figure, Outcome

Outcomes = Mapping[str, list[Outcome]]

# What one looks at first, with the name it has in tables.
HEADLINES: dict[str, Figure] = {
    'accuracy': out.average('accuracy'),
    'macro F1': out.average('macro_f1'),
    'mean recall': out.average('mean_recall'),
    'true accuracy': out.average_true_accuracy,
    'probe': out.probe(),
    'probe within class': out.probe(within_class=True),
}


def recognition_table(
    methods: Mapping[str, Method], outcomes: Outcomes, sites: Sequence[str]
) -> Table:
    """Accuracy on every test set, and averages over them.

    Args:
        methods: Rows, in order.
        outcomes: Of `finished`.
        sites: The test sets.
    """
    figures = {site: out.of_site(site, 'accuracy') for site in sites}
    figures |= {
        'average': out.average('accuracy'),
        'macro F1': out.average('macro_f1'),
        'true accuracy': out.average_true_accuracy,
    }
    return _table(
        'recognition',
        'Accuracy on each test set',
        methods,
        outcomes,
        figures,
        note='Of the classifier that answers for the site. The average is unweighted over the '
        'test sets, as are macro F1 and true accuracy, which is against what there is to see '
        "instead of the site's labels.",
    )


def recall_table(methods: Mapping[str, Method], outcomes: Outcomes, sites: Sequence[str]) -> Table:
    """Mean and standard deviation of the classes' recall on every test set.

    Args:
        methods: Rows, in order.
        outcomes: Of `finished`.
        sites: The test sets.
    """
    figures = {}
    for site in sites:
        figures[f'{site} mean'] = out.of_site(site, 'mean_recall')
        figures[f'{site} sd'] = out.of_site(site, 'recall_sd')
    return _table(
        'recall',
        'Recall over the classes of each test set',
        methods,
        outcomes,
        figures,
        note='sd: standard deviation over the classes; the smaller, the more even.',
    )


def bias_table(methods: Mapping[str, Method], outcomes: Outcomes) -> Table:
    """How much of the datasets' identity is left in the features.

    Args:
        methods: Rows, in order.
        outcomes: Of `finished`.
    """
    figures = {
        'linear probe': out.probe(),
        'MLP probe': out.probe('mlp'),
        'linear within class': out.probe(within_class=True),
        'MLP within class': out.probe('mlp', within_class=True),
        'chance': out.chance,
    }
    numbers = {
        'A-distance': out.a_distance,
        'iLISI': out.mixing('ilisi'),
        'cLISI': out.mixing('clisi'),
    }
    return _table(
        'bias',
        'Dataset bias in the features of the test sets',
        methods,
        outcomes,
        figures,
        numbers,
        note='Balanced accuracy with which a fresh probe names the site, over all examples and '
        'within each class; mean proxy A-distance of the pairs of sites, 0 to 2; effective number '
        'of sites (iLISI) and of classes (cLISI) in a neighbourhood.',
    )


def difference_table(
    methods: Mapping[str, Method], outcomes: Outcomes, reference: str
) -> Table | None:
    """Differences from one method, seed by seed; None without two seeds of both anywhere.

    Args:
        methods: Rows, in order.
        outcomes: Of `finished`.
        reference: Name of the method to compare with.
    """
    rows = []
    for name, method in methods.items():
        pairs = _paired(outcomes.get(name, []), outcomes.get(reference, []))
        if name == reference or len(pairs) < 2:
            continue
        cells = [_difference(pairs, figure) for figure in HEADLINES.values()]
        rows.append((method.title, *(cell for each in cells for cell in each)))
    if not rows:
        return None
    columns = [Column('Method', 'text')]
    for name in HEADLINES:
        columns += [Column(name, 'percent'), Column(f'{name}, 95 %', 'text')]
    return Table(
        f'difference-from-{reference}',
        f'Difference from: {methods[reference].title}',
        tuple(columns),
        tuple(rows),
        note='In percentage points, of runs with the same seed; the interval of the mean is '
        "Student's t over the seeds.",
    )


def _table(name, title, methods, outcomes, shares, numbers=None, *, note) -> Table:
    numbers = numbers or {}
    rows = []
    for key, method in methods.items():
        runs = outcomes.get(key, [])
        if runs:
            cells = [out.over_seeds(runs, figure) for figure in (shares | numbers).values()]
            rows.append((method.title, str(len(runs)), *cells))
    columns = [Column('Method', 'text'), Column('seeds', 'text')]
    columns += [Column(name, 'percent') for name in shares]
    columns += [Column(name, 'number') for name in numbers]
    return Table(name, title, tuple(columns), tuple(rows), note)


def _paired(runs, reference_runs):
    by_seed = {outcome.run.seed: outcome for outcome in reference_runs}
    return [(run, by_seed[run.run.seed]) for run in runs if run.run.seed in by_seed]


def _difference(pairs, figure) -> tuple[Measured | None, str | None]:
    left = out.over_seeds([pair[0] for pair in pairs], figure)
    right = out.over_seeds([pair[1] for pair in pairs], figure)
    if left is None or right is None:
        return None, None
    change = difference(left, right)
    low, high = change.interval
    return change, f'{100 * low:+.1f} to {100 * high:+.1f}'
