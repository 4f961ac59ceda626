"""What a suite found, in sentences."""

from collections.abc import Iterator, Mapping, Sequence

from cda_jax.analysis.tables import Column, Measured, difference, format_cell
from cda_jax.suites import outcomes as out
from cda_jax.suites import published
from cda_jax.suites.methods import Method
from cda_jax.suites.outcomes import Figure, Outcome
from cda_jax.suites.paper_tables import methods_of_table_4

Outcomes = Mapping[str, list[Outcome]]


def answers_of_paper(outcomes: Outcomes, sites: Sequence[str]) -> Iterator[str]:
    """The paper's claims and what was measured of them.

    Args:
        outcomes: Of `finished`.
        sites: All sites.
    """
    for label, figure, reported in (
        ('Accuracy averaged over the test sets', out.average('accuracy'), 'mean_accuracy'),
        ('Macro F1', out.average('macro_f1'), 'mean_f1'),
    ):
        parts = []
        for name, (_, short) in methods_of_table_4(sites).items():
            if outcomes.get(name):
                measured = _shown(out.over_seeds(outcomes[name], figure))
                paper = published.TABLE_4.get(name)
                beside = f' (paper: {_shown(getattr(paper, reported))})' if paper else ''
                parts.append(f'{short} {measured}{beside}')
        if parts:
            yield f'{label}: {"; ".join(parts)}.'
    runs = outcomes.get('dataset-id')
    if runs:
        accuracy = out.over_seeds(runs, lambda outcome: outcome.results.pooled.accuracy)
        yield (
            f'Name that dataset: a network is right about {_shown(accuracy)} of the test pictures '
            f'(paper: {_shown(published.DATASET_CLASSIFICATION_ACCURACY)}).'
        )
    yield from _probes(outcomes, ('baseline', 'cda'), methods_of_table_4(sites))


def _probes(outcomes, names, titles) -> Iterator[str]:
    parts = []
    for name in names:
        probe = out.over_seeds(outcomes.get(name, []), out.probe())
        if probe is not None:
            parts.append(f'{titles[name][1]} {_shown(probe)}')
    if parts:
        chance = out.over_seeds(outcomes[names[0]], out.chance)
        yield (
            'Dataset bias left in the features, by the balanced accuracy of a fresh linear probe '
            f'for the site (chance {_shown(chance and chance.mean)}): {"; ".join(parts)}.'
        )


def answers_of_comparison(
    methods: Mapping[str, Method], outcomes: Outcomes, reference: str
) -> Iterator[str]:
    """Which method leads in what, and by how much against the reference.

    Args:
        methods: By name.
        outcomes: Of `finished`.
        reference: Name of the method to compare with.
    """
    for label, figure, best in (
        ('accuracy averaged over the test sets', out.average('accuracy'), max),
        ('macro F1', out.average('macro_f1'), max),
        ('accuracy against the true labels', out.average_true_accuracy, max),
        ('site left in the features (linear probe; lower is better)', out.probe(), min),
    ):
        scores = {
            name: measured
            for name in methods
            if (measured := out.over_seeds(outcomes.get(name, []), figure))
        }
        if not scores:
            continue
        leader = best(scores, key=lambda name: scores[name].mean)
        parts = [f'Best {label}: {methods[leader].title}, {_shown(scores[leader])}']
        if reference in scores and reference != leader:
            change = _change(outcomes, leader, reference, figure)
            parts.append(f'{methods[reference].title}: {_shown(scores[reference])}{change}')
        if 'cda' in scores and leader != 'cda':
            parts.append(f'{methods["cda"].title}: {_shown(scores["cda"])}')
        yield f'{"; ".join(parts)}.'


def _change(outcomes: Outcomes, name: str, reference: str, figure: Figure) -> str:
    """The interval of the difference over the seeds that both have, if they are several."""
    seeds = [{o.run.seed: o for o in outcomes[method]} for method in (name, reference)]
    shared = sorted(seeds[0].keys() & seeds[1].keys())
    if len(shared) < 2:
        return ' (one seed)'
    sides = [out.over_seeds([runs[seed] for seed in shared], figure) for runs in seeds]
    low, high = difference(*sides).interval
    return f' (difference {100 * low:+.1f} to {100 * high:+.1f} points, 95 %, {len(shared)} seeds)'


def _shown(value: Measured | float | None) -> str:
    return f'{format_cell(value, Column("", "percent"))} %'
