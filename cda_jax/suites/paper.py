"""The paper's tables and figures, measured beside published."""

from collections.abc import Sequence

from cda_jax.analysis.tables import Column, Table
from cda_jax.suites import outcomes as out
from cda_jax.suites.outcomes import Outcomes
from cda_jax.suites.published import REPORTED, TABLE_1, TABLE_2_MEAN_BY_TEST
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
    measured = [out.over_seeds(runs, f'accuracy, {site}') for site in sites]
    columns = Column('Method'), *(Column(f'{site} accuracy', 'percent') for site in sites)
    rows = [('CDA + ACE, batch 350 (this run)', *measured), *TABLE_1]
    note = (
        'Numbers in brackets are references of the paper, whose figures all but the first row are.'
    )
    return Table('table-1', 'Table 1: recognition, against other work', columns, rows, note)


def table_2(outcomes: Outcomes, sites: Sequence[str]) -> Table:
    """Cross-dataset recognition: trained on one site, tested on all."""
    table = table_of(
        'table-2',
        'Table 2: accuracy when trained and tested on different datasets',
        {f'baseline-{site}': site for site in sites},
        outcomes,
        accuracies(sites) | {Column('average', 'percent'): 'accuracy'},
        _PAPER_NOTE,
        first='Trained on',
        reported=REPORTED,
    )
    # After the name and the number of seeds, measured and reported figures take turns; the last
    # pair is the average.
    means = [out.mean_of(column) for column in list(zip(*table.rows, strict=True))[2:-2:2]]
    last = ('average', None, *beside(means, map(TABLE_2_MEAN_BY_TEST.get, sites)), None, None)
    return table._replace(rows=[*table.rows, last])


def table_4(outcomes: Outcomes, sites: Sequence[str]) -> Table:
    """The two baselines and the full method on every test set."""
    averages = {
        Column('average', 'percent'): 'accuracy',
        Column('F1 average', 'percent'): 'macro_f1',
    }
    return table_of(
        'table-4',
        'Table 4: recognition by the baselines and the full method',
        titles_of(sites),
        outcomes,
        accuracies(sites) | averages,
        f'Averages are unweighted over the test sets. {_PAPER_NOTE} Three of its figures are not '
        'in the text that these were taken from.',
        reported=REPORTED,
    )


def titles_of(sites: Sequence[str]) -> dict[str, str]:
    """The methods of table 4 and figure 6, with their titles there."""
    alone = {f'baseline-{sites[-1]}': f'Baseline, {sites[-1]}'}
    return alone | {'baseline': 'Baseline, merged', 'cda': 'CDA + ACE'}


def figure_4_table(outcomes: Outcomes) -> Table:
    """How well a network that is trained to name the dataset does so."""
    return table_of(
        'figure-4',
        'Figure 4: name that dataset',
        {'dataset-id': 'Name that dataset, all test sets together'},
        outcomes,
        {
            Column('accuracy', 'percent'): 'pooled accuracy',
            Column('mean recall', 'percent'): 'pooled recall',
        },
        'Without any dataset bias both would be those of guessing.',
        reported=REPORTED,
    )


def figure_6_table(outcomes: Outcomes, sites: Sequence[str]) -> Table:
    """Mean and spread of recall and precision on the last site's test set."""
    site = sites[-1]
    return table_of(
        'figure-6',
        f'Figure 6: recall and precision of the classes on {site}',
        titles_of(sites),
        outcomes,
        {
            Column('recall', 'percent'): f'mean_recall, {site}',
            Column('recall sd', 'percent'): f'recall_sd, {site}',
            Column('precision', 'percent'): f'mean_precision, {site}',
            Column('precision sd', 'percent'): f'precision_sd, {site}',
        },
        f'Means over the classes; sd: over the classes. {_PAPER_NOTE}',
        reported=REPORTED,
    )
