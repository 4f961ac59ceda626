"""The paper's tables, measured beside published."""

from collections.abc import Mapping, Sequence

import numpy as np

from cda_jax.analysis.tables import Column, Measured, Table
from cda_jax.metrics import score
from cda_jax.suites import outcomes as out
from cda_jax.suites import published
from cda_jax.suites.outcomes import Outcome

Outcomes = Mapping[str, list[Outcome]]

_PAPER_NOTE = (
    "'paper': what Han et al. (2020) report, of ResNet-50 on RAF-DB, ExpW and AffectNet. Other "
    'data and other networks give other figures; what can be compared is how rows differ.'
)


def table_1(outcomes: Outcomes) -> Table | None:
    """Comparison with other work; only with runs of the paper's size. None without such a run."""
    runs = outcomes.get('cda-batch-350')
    if not runs:
        return None
    rows = [
        (f'{row.method} [{row.reference}]' if row.reference else 'CDA + ACE (paper)')
        for row in published.TABLE_1
    ]
    cells = [
        (name, row.affectnet, row.rafdb) for name, row in zip(rows, published.TABLE_1, strict=True)
    ]
    measured = [out.over_seeds(runs, out.of_site(site, 'accuracy')) for site in _TABLE_1_SITES]
    return Table(
        'table-1',
        'Table 1: recognition, against other work',
        (
            Column('Method', 'text'),
            *(Column(f'{site} accuracy', 'percent') for site in _TABLE_1_SITES),
        ),
        (('CDA + ACE, batch 350 (this run)', *measured), *cells),
        'Numbers in brackets are references of the paper, whose figures all but the first row are.',
    )


_TABLE_1_SITES = ('affectnet', 'rafdb')


def table_2(outcomes: Outcomes, sites: Sequence[str]) -> Table:
    """Cross-dataset recognition: trained on one site, tested on all.

    Args:
        outcomes: Of `finished`.
        sites: All sites.
    """
    rows = []
    for trained in sites:
        runs = outcomes.get(f'baseline-{trained}', [])
        measured = [out.over_seeds(runs, out.of_site(site, 'accuracy')) for site in sites]
        measured.append(out.over_seeds(runs, out.average('accuracy')))
        paper = published.TABLE_2.get(trained, {})
        reported = [paper.get(site) for site in sites]
        reported.append(published.TABLE_2_MEAN_BY_TRAINING.get(trained))
        rows.append((trained, *_beside(measured, reported)))
    reported = [published.TABLE_2_MEAN_BY_TEST.get(site) for site in sites]
    rows.append(('average', *_beside([*_column_means(rows, len(sites)), None], [*reported, None])))
    return Table(
        'table-2',
        'Table 2: accuracy when trained and tested on different datasets',
        _columns('Trained on', [*sites, 'average']),
        tuple(rows),
        _PAPER_NOTE,
    )


def table_4(outcomes: Outcomes, sites: Sequence[str]) -> Table:
    """The two baselines and the full method on every test set.

    Args:
        outcomes: Of `finished`.
        sites: All sites; the last is the one that the first baseline is trained on.
    """
    figures = {site: out.of_site(site, 'accuracy') for site in sites}
    figures |= {'average': out.average('accuracy'), 'F1 average': out.average('macro_f1')}
    rows = []
    for name, (title, _) in methods_of_table_4(sites).items():
        measured = [out.over_seeds(outcomes.get(name, []), figure) for figure in figures.values()]
        paper = published.TABLE_4.get(name)
        reported = [None] * len(measured)
        if paper:
            by_site = [paper.accuracy.get(site) for site in sites]
            reported = [*by_site, paper.mean_accuracy, paper.mean_f1]
        rows.append((title, *_beside(measured, reported)))
    return Table(
        'table-4',
        'Table 4: recognition by the baselines and the full method',
        _columns('Method', list(figures)),
        tuple(rows),
        f'Averages are unweighted over the test sets. {_PAPER_NOTE} Three of its figures are not '
        'in the text that these were taken from.',
    )


def methods_of_table_4(sites: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Methods of table 4 and figure 6, with a long and a short title."""
    return {
        f'baseline-{sites[-1]}': (f'Baseline, {sites[-1]} alone', f'Baseline, {sites[-1]}'),
        'baseline': ('Baseline, all sites merged', 'Baseline, merged'),
        'cda': ('CDA + ACE', 'CDA + ACE'),
    }


def figure_4_table(outcomes: Outcomes) -> Table:
    """How well a network that is trained to name the dataset does so.

    Args:
        outcomes: Of `finished`.
    """
    runs = outcomes.get('dataset-id', [])
    return Table(
        'figure-4',
        'Figure 4: name that dataset',
        (Column('', 'text'), Column('accuracy', 'percent'), Column('mean recall', 'percent')),
        (
            (
                'measured, all test sets together',
                out.over_seeds(runs, lambda outcome: outcome.results.pooled.accuracy),
                out.over_seeds(runs, lambda outcome: outcome.results.pooled.mean_recall),
            ),
            ('paper', published.DATASET_CLASSIFICATION_ACCURACY, None),
        ),
        'Without any dataset bias both would be those of guessing.',
    )


def figure_6_table(outcomes: Outcomes, sites: Sequence[str]) -> Table:
    """Mean and spread of recall and precision on the last site's test set.

    Args:
        outcomes: Of `finished`.
        sites: All sites.
    """
    site = sites[-1]
    rows = []
    for name, (title, _) in methods_of_table_4(sites).items():
        runs = outcomes.get(name, [])
        measured = [
            out.over_seeds(runs, out.of_site(site, 'mean_recall')),
            out.over_seeds(runs, out.of_site(site, 'recall_sd')),
            out.over_seeds(runs, _precision(site, np.mean)),
            out.over_seeds(runs, _precision(site, np.std)),
        ]
        recall = published.MEAN_RECALL.get(name)
        precision = published.MEAN_PRECISION.get(name)
        reported = [
            spread and getattr(spread, field)
            for spread in (recall, precision)
            for field in ('mean', 'sd')
        ]
        rows.append((title, *_beside(measured, reported)))
    columns = _columns('Method', ['recall', 'recall sd', 'precision', 'precision sd'])
    return Table(
        'figure-6',
        f'Figure 6: recall and precision of the classes on {site}',
        columns,
        tuple(rows),
        f'Means over the classes; sd: over the classes. {_PAPER_NOTE}',
    )


def _precision(site, summarise):
    def figure(outcome):
        counts = out.confusion([outcome], site)
        return float(summarise(score(counts).precision))

    return figure


def _columns(first: str, names: Sequence[str]) -> tuple[Column, ...]:
    pairs = [(Column(name, 'percent'), Column(f'{name} (paper)', 'percent')) for name in names]
    return (Column(first, 'text'), *(column for pair in pairs for column in pair))


def _beside(measured: Sequence, reported: Sequence) -> list:
    return [cell for pair in zip(measured, reported, strict=True) for cell in pair]


def _column_means(rows, num_sites) -> list[Measured | None]:
    """Means over the training sets, seed by seed."""
    means = []
    for site in range(num_sites):
        cells = [row[1 + 2 * site] for row in rows]
        whole = all(cells) and len({len(cell.values) for cell in cells}) == 1
        values = zip(*(cell.values for cell in cells), strict=True) if whole else ()
        means.append(Measured(tuple(float(np.mean(v)) for v in values)) if whole else None)
    return means
