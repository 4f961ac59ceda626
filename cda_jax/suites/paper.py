"""The paper's tables and figures, measured beside published."""

from collections.abc import Sequence

import numpy as np

from cda_jax.analysis.tables import Column, Table
from cda_jax.suites import outcomes as out
from cda_jax.suites import published
from cda_jax.suites.outcomes import Outcomes
from cda_jax.suites.tables import accuracies, beside, table_of

_PAPER_NOTE = (
    "'paper': what Han et al. (2020) report, of ResNet-50 on RAF-DB, ExpW and AffectNet. Other "
    'data and other networks give other figures; what can be compared is how rows differ.'
)


def table_1(outcomes: Outcomes) -> Table | None:
    """Comparison with other work; None without a run of the paper's size."""
    if not (runs := outcomes.get('cda-batch-350')):
        return None
    sites = ('affectnet', 'rafdb')
    measured = [out.over_seeds(runs, out.of_site(site, 'accuracy')) for site in sites]
    rows = [('CDA + ACE, batch 350 (this run)', *measured)]
    for row in published.TABLE_1:
        name = f'{row.method} [{row.reference}]' if row.reference else 'CDA + ACE (paper)'
        rows.append((name, row.affectnet, row.rafdb))
    columns = Column('Method'), *(Column(f'{site} accuracy', 'percent') for site in sites)
    note = (
        'Numbers in brackets are references of the paper, whose figures all but the first row are.'
    )
    return Table('table-1', 'Table 1: recognition, against other work', columns, rows, note)


def table_2(outcomes: Outcomes, sites: Sequence[str]) -> Table:
    """Cross-dataset recognition: trained on one site, tested on all."""
    table = table_of(
        'table-2',
        'Table 2: accuracy when trained and tested on different datasets',
        {site: outcomes.get(f'baseline-{site}', []) for site in sites},
        accuracies(sites) | {Column('average', 'percent'): out.average('accuracy')},
        _PAPER_NOTE,
        first='Trained on',
        reported={
            site: [*map(row.get, sites), published.TABLE_2_MEAN_BY_TRAINING[site]]
            for site, row in published.TABLE_2.items()
        },
    )
    # After the name and the number of seeds, measured and reported figures take turns; the last
    # pair is the average.
    measured = list(zip(*table.rows, strict=True))[2:-2:2]
    means = [out.mean_of(column) for column in measured]
    reported = [published.TABLE_2_MEAN_BY_TEST.get(site) for site in sites]
    last = ('average', None, *beside(means, reported), None, None)
    return table._replace(rows=[*table.rows, last])


def table_4(outcomes: Outcomes, sites: Sequence[str]) -> Table:
    """The two baselines and the full method on every test set."""
    titles = titles_of(sites)
    averages = {
        Column('average', 'percent'): out.average('accuracy'),
        Column('F1 average', 'percent'): out.average('macro_f1'),
    }
    return table_of(
        'table-4',
        'Table 4: recognition by the baselines and the full method',
        {title: outcomes.get(name, []) for name, title in titles.items()},
        accuracies(sites) | averages,
        f'Averages are unweighted over the test sets. {_PAPER_NOTE} Three of its figures are not '
        'in the text that these were taken from.',
        reported={
            titles[name]: [*map(row.accuracy.get, sites), row.mean_accuracy, row.mean_f1]
            for name, row in published.TABLE_4.items()
            if name in titles
        },
    )


def titles_of(sites: Sequence[str]) -> dict[str, str]:
    """The methods of table 4 and figure 6, with their titles there."""
    alone = {f'baseline-{sites[-1]}': f'Baseline, {sites[-1]}'}
    return alone | {'baseline': 'Baseline, merged', 'cda': 'CDA + ACE'}


def figure_4_table(outcomes: Outcomes) -> Table:
    """How well a network that is trained to name the dataset does so."""
    title = 'Name that dataset, all test sets together'
    return table_of(
        'figure-4',
        'Figure 4: name that dataset',
        {title: outcomes.get('dataset-id', [])},
        {
            Column('accuracy', 'percent'): out.at('results', 'pooled', 'accuracy'),
            Column('mean recall', 'percent'): out.at('results', 'pooled', 'mean_recall'),
        },
        'Without any dataset bias both would be those of guessing.',
        reported={title: [published.DATASET_CLASSIFICATION_ACCURACY, None]},
    )


def figure_6_table(outcomes: Outcomes, sites: Sequence[str]) -> Table:
    """Mean and spread of recall and precision on the last site's test set."""
    site, titles = sites[-1], titles_of(sites)
    reported = {}
    for name in filter(published.MEAN_RECALL.__contains__, titles):
        recall, precision = published.MEAN_RECALL[name], published.MEAN_PRECISION[name]
        reported[titles[name]] = [*recall, *(precision or (None, None))]
    return table_of(
        'figure-6',
        f'Figure 6: recall and precision of the classes on {site}',
        {title: outcomes.get(name, []) for name, title in titles.items()},
        {
            Column('recall', 'percent'): out.of_site(site, 'mean_recall'),
            Column('recall sd', 'percent'): out.of_site(site, 'recall_sd'),
            Column('precision', 'percent'): out.precision(site, np.mean),
            Column('precision sd', 'percent'): out.precision(site, np.std),
        },
        f'Means over the classes; sd: over the classes. {_PAPER_NOTE}',
        reported=reported,
    )
