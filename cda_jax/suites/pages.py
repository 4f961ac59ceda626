"""The page of a suite: answers first, then tables and figures, then the runs."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cda_jax.analysis.report import Link, Page, Picture, Section, environment
from cda_jax.analysis.run_page import data_figure
from cda_jax.analysis.tables import Table, show_percent
from cda_jax.runtime.workdir import REPORT
from cda_jax.suites import answers, figures, paper, tables
from cda_jax.suites.methods import SMALL_SHARE
from cda_jax.suites.outcomes import Outcomes
from cda_jax.suites.plan import Run
from cda_jax.suites.tables import Sites, Titles

_MAX_NAMED = 5
_TITLES = {'ablation': 'What each part adds', 'losses': 'Losses', 'methods': 'Methods compared'}


def page_of(suite: str, titles: Titles, outcomes: Outcomes, sites: Sites, data_dir: str) -> Page:
    """The page of any suite."""
    if suite in _TITLES:
        return _comparison(_TITLES[suite], titles, outcomes, sites)
    if suite == 'real':
        return _real(titles, outcomes, sites)
    if suite == 'leave-one-site-out':
        return _left_out(outcomes, sites)
    if suite == 'stability':
        return _stability(titles, outcomes, sites)
    return (_paper if suite == 'paper' else _demonstration)(titles, outcomes, sites, data_dir)


def _demonstration(titles: Titles, outcomes: Outcomes, sites: Sites, data_dir: str) -> Page:
    recall = {f'Recall on {site}': [figures.figure_6(titles, outcomes, site)] for site in sites}
    contents = {'Side by side': [tables.side_by_side(titles, outcomes, sites)]} | recall
    contents['Data'] = [data_figure(data_dir, sites)]
    return _page('What adaptation did', answers.answers_of_demonstration(outcomes), contents)


def _paper(titles: Titles, outcomes: Outcomes, sites: Sites, data_dir: str) -> Page:
    of_tables = paper.titles_of(sites)
    recognisers = {name: title for name, title in titles.items() if name != 'dataset-id'}
    planes = figures.figures_5_and_7({k: of_tables[k] for k in ('baseline', 'cda')}, outcomes)
    contents = {
        'Baselines and full method': [paper.table_4(outcomes, sites)],
        'Recall of every class': [
            paper.figure_6_table(outcomes, sites),
            figures.figure_6(of_tables, outcomes, sites[-1]),
        ],
        'Name that dataset': [paper.figure_4_table(outcomes), figures.figure_4(outcomes, sites)],
        'Cross-dataset recognition': [paper.table_2(outcomes, sites)],
        'Comparison with other work': [paper.table_1(outcomes)],
        'Dataset bias': [tables.bias_table(recognisers, outcomes), *planes],
        'Data': [data_figure(data_dir, sites)],
        'All runs': [
            tables.recognition_table(recognisers, outcomes, sites),
            tables.recall_table(recognisers, outcomes, sites),
        ],
    }
    found = answers.answers_of_paper(outcomes, sites)
    return _page('The experiments of the paper', found, contents)


def _comparison(title: str, titles: Titles, outcomes: Outcomes, sites: Sites) -> Page:
    """Any set of methods against the merged baseline."""
    contents = {
        'Recognition': [tables.recognition_table(titles, outcomes, sites)],
        'Evenness of recall': [tables.recall_table(titles, outcomes, sites)],
        'Dataset bias': [tables.bias_table(titles, outcomes)],
        'Differences': [tables.difference_table(titles, outcomes, 'baseline')],
    }
    return _page(title, answers.answers_of_comparison(titles, outcomes, 'baseline'), contents)


def _left_out(outcomes: Outcomes, sites: Sites) -> Page:
    """Methods tested on the site that they were not trained on."""
    scores = {'Accuracy': 'accuracy', 'Macro F1': 'macro_f1'}
    scores['Accuracy against the true labels'] = 'true_accuracy'
    of_scores = [tables.left_out_table(outcomes, sites, *score) for score in scores.items()]
    found = answers.answers_of_left_out(outcomes, sites)
    return _page('Leave one site out', found, {'On the site left out': of_scores})


def _real(titles: Titles, outcomes: Outcomes, sites: Sites) -> Page:
    """Methods on the sites that they were trained on, and on one that they were not."""
    of_all = {name: title for name, title in titles.items() if '-without-' not in name}
    own = _comparison('On sites of your own', of_all, outcomes, sites)
    unseen = _left_out(outcomes, sites)
    found = own.answer + (unseen.answer if unseen.sections else ())
    return own._replace(answer=found, sections=own.sections + unseen.sections)


def _stability(titles: Titles, outcomes: Outcomes, sites: Sites) -> Page:
    """Where the first site is small: whose gradient it is, and what comes of it."""
    small = sites[0]
    picture = outcomes and Picture(
        figures.gradient_figure(titles, outcomes, small),
        f'Training with {100 * SMALL_SHARE:.0f} % of every batch from {small} (dashed).',
        'Shares of the gradient and the emotion loss over the epochs, a line for each method.',
    )
    table = tables.gradient_table(titles, outcomes, small)
    found = []
    for title, *shares, _ in table.rows:
        share, largest, of_small, mean = map(show_percent, shares)
        found.append(
            f'{title}: {small} has {share} of the gradient, one sample {largest}; accuracy '
            f'{of_small} there and {mean} on average.'
        )
    return _page('Where one site is small', found, {'Gradients': [table, picture]})


def with_runs(page: Page, runs: Sequence[Run], folder: Path) -> Page:
    """A page for `folder`, with links to its runs' pages, their configs, and which are missing."""
    section = Section(
        'Runs',
        'The fields in which the first run of each method differs from configs/cda.py. '
        'Each run has a page of its own.',
        links=tuple(
            Link(report.parent.name, os.path.relpath(report, folder))
            for report in (run.workdir / REPORT for run in runs)
            if report.exists()
        ),
        folded={run.method: run.fields for run in reversed(runs)} | {'Environment': environment()},
    )
    missing = [run.workdir.name for run in runs if not run.is_done]
    warnings = page.warnings
    if missing:
        named = ', '.join(missing[:_MAX_NAMED]) + (' and others' if missing[_MAX_NAMED:] else '')
        warnings += (f'{len(missing)} runs are not finished: {named}.',)
    return page._replace(sections=(*page.sections, section), warnings=warnings)


def _page(title: str, answer: Iterable[str], contents: Mapping[str, list]) -> Page:
    """A page with a section, by its title, for what there is: tables with rows, and pictures."""
    sections = []
    for name, parts in contents.items():
        there = tuple(part for part in parts if isinstance(part, Table) and part.rows)
        shown = tuple(part for part in parts if isinstance(part, Picture))
        if there or shown:
            sections.append(Section(name, tables=there, figures=shown))
    found = tuple(answer) or ('No run is finished yet.',)
    return Page(title, found, sections=tuple(sections))
