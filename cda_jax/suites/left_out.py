"""Leave-one-site-out: what methods do on a site that they were not trained on."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from cda_jax.analysis.tables import Column, Measured, Table, format_cell
from cda_jax.suites import outcomes as out
from cda_jax.suites.methods import Method, left_out_name
from cda_jax.suites.outcomes import Outcome

Outcomes = Mapping[str, list[Outcome]]

_TITLES = {
    'accuracy': 'Accuracy on the site left out',
    'macro_f1': 'Macro F1 on the site left out',
    'true_accuracy': 'Accuracy against the true labels on the site left out',
}


def left_out_table(
    bases: Mapping[str, Method], outcomes: Outcomes, sites: Sequence[str], score: str
) -> Table:
    """One score of every method on each site that it was not trained on.

    Args:
        bases: Methods by name, before a site was left out.
        outcomes: Of `finished`.
        sites: All sites.
        score: 'accuracy', 'macro_f1' or 'true_accuracy'.
    """
    rows = []
    for name, method in bases.items():
        cells = [_measured(outcomes, name, site, score) for site in sites]
        if any(cells):
            seeds = max(len(cell.values) for cell in cells if cell)
            rows.append((method.title, str(seeds), *cells, _average(cells)))
    columns = [Column('Method', 'text'), Column('seeds', 'text')]
    columns += [Column(name, 'percent') for name in (*sites, 'average')]
    note = "Answered by the mean of the other sites' heads, or by the head that all sites share."
    return Table(f'left-out-{score}', _TITLES[score], tuple(columns), tuple(rows), note)


def left_out_answers(
    bases: Mapping[str, Method], outcomes: Outcomes, sites: Sequence[str]
) -> Iterator[str]:
    """Every method's average over the sites left out.

    Args:
        bases: Methods by name, before a site was left out.
        outcomes: Of `finished`.
        sites: All sites.
    """
    parts = []
    for name, method in bases.items():
        average = _average([_measured(outcomes, name, site, 'accuracy') for site in sites])
        if average:
            parts.append(f'{method.title} {format_cell(average, Column("", "percent"))} %')
    if parts:
        yield f'Accuracy on the site left out, averaged over the sites: {"; ".join(parts)}.'


def _measured(outcomes, name, site, score) -> Measured | None:
    runs = outcomes.get(left_out_name(name, site), [])
    figure = out.true_accuracy(site) if score == 'true_accuracy' else out.of_site(site, score)
    return out.over_seeds(runs, figure)


def _average(cells: Sequence[Measured | None]) -> Measured | None:
    """Over the sites, seed by seed; None unless every site has the same number of seeds."""
    if not all(cells) or len({len(cell.values) for cell in cells}) > 1:
        return None
    by_seed = zip(*(cell.values for cell in cells), strict=True)
    return Measured(tuple(float(np.mean(values)) for values in by_seed))
