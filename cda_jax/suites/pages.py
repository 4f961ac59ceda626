"""The page of a suite: answers first, then tables and figures, then the runs."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cda_jax.analysis.report import Link, Page, Picture, Section, environment
from cda_jax.analysis.run_page import data_figure
from cda_jax.analysis.tables import Table, show_percent
from cda_jax.runtime.workdir import REPORT
from cda_jax.suites import answers, figures, paper, tables
from cda_jax.suites.methods import SMALL_SHARE, own_site_methods
from cda_jax.suites.outcomes import Outcomes
from cda_jax.suites.plan import Method, Run

Methods = Mapping[str, Method]
Sites = Sequence[str]

_MAX_NAMED = 5
_TITLES = {'ablation': 'What each part adds', 'losses': 'Losses', 'methods': 'Methods compared'}


def page_of(suite: str, methods: Methods, outcomes: Outcomes, sites: Sites, data_dir: str) -> Page:
    """The page of any suite."""
    if suite in ('demonstration', 'paper'):
        page = demonstration_page if suite == 'demonstration' else paper_page
        return page(methods, outcomes, sites, data_dir)
    if suite == 'stability':
        return stability_page(methods, outcomes, sites)
    if suite in _TITLES:
        return comparison_page(_TITLES[suite], methods, outcomes, sites)
    return real_page(outcomes, sites) if suite == 'real' else left_out_page(outcomes, sites)


def demonstration_page(methods: Methods, outcomes: Outcomes, sites: Sites, data_dir: str) -> Page:
    """The merged baseline and the recommended method, side by side."""
    titles = {name: method.title for name, method in methods.items()}
    recall = {f'Recall on {site}': [figures.figure_6(titles, outcomes, site)] for site in sites}
    contents = {'Side by side': [tables.side_by_side(titles, outcomes, sites)]} | recall
    contents['Data'] = [data_figure(data_dir, sites)]
    return _page('What adaptation did', answers.answers_of_demonstration(outcomes), contents)


def paper_page(methods: Methods, outcomes: Outcomes, sites: Sites, data_dir: str) -> Page:
    """The paper's tables and figures."""
    recognisers = {name: method for name, method in methods.items() if name != 'dataset-id'}
    rows, titles = tables.by_title(recognisers, outcomes), paper.titles_of(sites)
    planes = figures.figures_5_and_7({name: titles[name] for name in ('baseline', 'cda')}, outcomes)
    contents = {
        'Baselines and full method': [paper.table_4(outcomes, sites)],
        'Recall of every class': [
            paper.figure_6_table(outcomes, sites),
            figures.figure_6(titles, outcomes, sites[-1]),
        ],
        'Name that dataset': [paper.figure_4_table(outcomes), figures.figure_4(outcomes, sites)],
        'Cross-dataset recognition': [paper.table_2(outcomes, sites)],
        'Comparison with other work': [paper.table_1(outcomes)],
        'Dataset bias': [tables.bias_table(rows), *planes],
        'Data': [data_figure(data_dir, sites)],
        'All runs': [tables.recognition_table(rows, sites), tables.recall_table(rows, sites)],
    }
    return _page(
        'The experiments of the paper', answers.answers_of_paper(outcomes, sites), contents
    )


def comparison_page(title: str, methods: Methods, outcomes: Outcomes, sites: Sites) -> Page:
    """Any set of methods against the merged baseline."""
    rows = tables.by_title(methods, outcomes)
    contents = {
        'Recognition': [tables.recognition_table(rows, sites)],
        'Evenness of recall': [tables.recall_table(rows, sites)],
        'Dataset bias': [tables.bias_table(rows)],
        'Differences': [tables.difference_table(methods, outcomes, 'baseline')],
    }
    return _page(title, answers.answers_of_comparison(methods, outcomes, 'baseline'), contents)


def left_out_page(outcomes: Outcomes, sites: Sites) -> Page:
    """Methods tested on the site that they were not trained on."""
    scores = {'Accuracy': 'accuracy', 'Macro F1': 'macro_f1'}
    scores['Accuracy against the true labels'] = 'true_accuracy'
    of_scores = [tables.left_out_table(outcomes, sites, *score) for score in scores.items()]
    found = answers.answers_of_left_out(outcomes, sites)
    return _page('Leave one site out', found, {'On the site left out': of_scores})


def real_page(outcomes: Outcomes, sites: Sites) -> Page:
    """Methods on the sites that they were trained on, and on one that they were not."""
    own = comparison_page('On sites of your own', own_site_methods(), outcomes, sites)
    unseen = left_out_page(outcomes, sites)
    found = own.answer + (unseen.answer if unseen.sections else ())
    return own._replace(answer=found, sections=own.sections + unseen.sections)


def stability_page(methods: Methods, outcomes: Outcomes, sites: Sites) -> Page:
    """Where the first site is small: whose gradient it is, and what comes of it."""
    titles = {name: method.title for name, method in methods.items()}
    picture = outcomes and Picture(
        figures.gradient_figure(titles, outcomes, sites[0]),
        f'Training with {100 * SMALL_SHARE:.0f} % of every batch from {sites[0]} (dashed).',
        'Shares of the gradient and the emotion loss over the epochs, a line for each method.',
    )
    table = tables.gradient_table(titles, outcomes, sites[0])
    found = (
        f'{title}: {sites[0]} has {show_percent(share)} of the gradient, one sample '
        f'{show_percent(largest)}; accuracy {show_percent(small)} there and {show_percent(mean)} '
        'on average.'
        for title, share, largest, small, mean, _ in table.rows
    )
    return _page('Where one site is small', found, {'Gradients': [table, picture or None]})


def with_runs(page: Page, runs: Sequence[Run], folder: Path) -> Page:
    """A page for `folder`, with links to its runs' pages, their configs, and which are missing."""
    reports = [run.workdir / REPORT for run in runs]
    section = Section(
        'Runs',
        'The fields in which the first run of each method differs from configs/cda.py. '
        'Each run has a page of its own.',
        links=tuple(
            Link(report.parent.name, Path(os.path.relpath(report, folder)).as_posix())
            for report in reports
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


def _page(
    title: str, answer: Iterable[str], contents: Mapping[str, list[Table | Picture | None]]
) -> Page:
    """A page with a section, by its title, for what there is: tables with rows, and pictures."""
    sections = []
    for name, parts in contents.items():
        there = tuple(part for part in parts if isinstance(part, Table) and part.rows)
        shown = tuple(part for part in parts if isinstance(part, Picture))
        if there or shown:
            sections.append(Section(name, tables=there, figures=shown))
    found = tuple(answer) or ('No run is finished yet.',)
    return Page(title, found, sections=tuple(sections))
