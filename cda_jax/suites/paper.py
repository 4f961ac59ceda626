"""The paper's tables and figures, measured beside published."""

import functools

from cda_jax.analysis.tables import Column, Table
from cda_jax.suites import outcomes as out
from cda_jax.suites.outcomes import Outcomes
from cda_jax.suites.published import REPORTED, TABLE_1, TABLE_2_MEAN_BY_TEST
from cda_jax.suites.tables import Sites, accuracies, beside, table_of

_beside_paper = functools.partial(table_of, reported=REPORTED)

_PAPER_NOTE = (
    "'paper': what Han et al. (2020) report, of ResNet-50 on RAF-DB, ExpW and AffectNet. Other "
    'data and other networks give other figures; what can be compared is how rows differ.'
)


def table_1(outcomes: Outcomes) -> Table | None:
    """Comparison with other work; None without a run of the paper's size."""
    if not (runs := outcomes.get('cda-batch-350')):
        return None
    sites, title = ('affectnet', 'rafdb'), 'Table 1: recognition, against other work'
    note = (
        'Numbers in brackets are references of the paper, whose figures all but the first row are.'
    )
    columns = Column('Method'), *(Column(f'{site} accuracy', 'percent') for site in sites)
    measured = (out.over_seeds(runs, f'accuracy, {site}') for site in sites)
    rows = [('CDA + ACE, batch 350 (this run)', *measured), *TABLE_1]
    return Table('table-1', title, columns, rows, note)


def table_2(outcomes: Outcomes, sites: Sites) -> Table:
    """Cross-dataset recognition: trained on one site, tested on all."""
    titles = {f'baseline-{site}': site for site in sites}
    figures = accuracies(sites) | {Column('average', 'percent'): 'accuracy'}
    title = 'Table 2: accuracy when trained and tested on different datasets'
    table = _beside_paper(
        'table-2', title, titles, outcomes, figures, _PAPER_NOTE, first='Trained on'
    )
    # After the name and the number of seeds, measured and reported figures take turns; the last
    # pair is the average.
    means = [out.mean_of(column) for column in list(zip(*table.rows, strict=True))[2:-2:2]]
    last = ('average', None, *beside(means, map(TABLE_2_MEAN_BY_TEST.get, sites)), None, None)
    return table._replace(rows=[*table.rows, last])


def table_4(outcomes: Outcomes, sites: Sites) -> Table:
    """The two baselines and the full method on every test set."""
    figures = accuracies(sites) | {Column('average', 'percent'): 'accuracy'}
    figures[Column('F1 average', 'percent')] = 'macro_f1'
    title = 'Table 4: recognition by the baselines and the full method'
    note = (
        f'Averages are unweighted over the test sets. {_PAPER_NOTE} Three of its figures are not '
        'in the text that these were taken from.'
    )
    return _beside_paper('table-4', title, titles_of(sites), outcomes, figures, note)


def titles_of(sites: Sites) -> dict[str, str]:
    """The methods of table 4 and figure 6, with their titles there."""
    alone = {f'baseline-{sites[-1]}': f'Baseline, {sites[-1]}'}
    return alone | {'baseline': 'Baseline, merged', 'cda': 'CDA + ACE'}


def figure_4_table(outcomes: Outcomes) -> Table:
    """How well a network that is trained to name the dataset does so."""
    titles = {'dataset-id': 'Name that dataset, all test sets together'}
    figures = {Column('accuracy', 'percent'): 'pooled accuracy'}
    figures[Column('mean recall', 'percent')] = 'pooled recall'
    note = 'Without any dataset bias both would be those of guessing.'
    title = 'Figure 4: name that dataset'
    return _beside_paper('figure-4', title, titles, outcomes, figures, note)


def figure_6_table(outcomes: Outcomes, sites: Sites) -> Table:
    """Mean and spread of recall and precision on the last site's test set."""
    site, figures = sites[-1], {}
    for kind in ('recall', 'precision'):
        figures[Column(kind, 'percent')] = f'mean_{kind}, {site}'
        figures[Column(f'{kind} sd', 'percent')] = f'{kind}_sd, {site}'
    title = f'Figure 6: recall and precision of the classes on {site}'
    note = f'Means over the classes; sd: over the classes. {_PAPER_NOTE}'
    return _beside_paper('figure-6', title, titles_of(sites), outcomes, figures, note)
