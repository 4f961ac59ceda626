"""The page of a suite: answers first, then tables and figures, then the runs."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from cda_jax.analysis.report import Details, Link, Page, Section, environment
from cda_jax.analysis.tables import Table
from cda_jax.suites import paper_figures, paper_tables
from cda_jax.suites.answers import answers_of_comparison, answers_of_paper
from cda_jax.suites.left_out import left_out_answers, left_out_table
from cda_jax.suites.methods import Method
from cda_jax.suites.outcomes import Outcome
from cda_jax.suites.score_tables import (
    bias_table,
    difference_table,
    recall_table,
    recognition_table,
)

Outcomes = Mapping[str, list[Outcome]]

_MAX_NAMED = 5


def paper_page(
    methods: Mapping[str, Method], outcomes: Outcomes, sites: Sequence[str], data_dir: str
) -> Page:
    """The paper's tables and figures.

    Args:
        methods: Of the suite, by name.
        outcomes: Of `finished`.
        sites: All sites.
        data_dir: Folder of the prepared sites.
    """
    recognisers = {name: method for name, method in methods.items() if name != 'dataset-id'}
    features = paper_figures.figures_5_and_7(outcomes)
    sections = [
        _section('Baselines and full method', 'table-4', paper_tables.table_4(outcomes, sites)),
        _section(
            'Recall of every class',
            'figure-6',
            paper_tables.figure_6_table(outcomes, sites),
            figures=(paper_figures.figure_6(outcomes, sites),),
        ),
        _section(
            'Name that dataset',
            'figure-4',
            paper_tables.figure_4_table(outcomes),
            figures=(paper_figures.figure_4(outcomes, sites),),
        ),
        _section('Cross-dataset recognition', 'table-2', paper_tables.table_2(outcomes, sites)),
        _section('Comparison with other work', 'table-1', paper_tables.table_1(outcomes)),
        _section('Dataset bias', 'bias', bias_table(recognisers, outcomes), figures=features),
        _section('Data', 'figure-3', figures=(paper_figures.figure_3(data_dir, sites),)),
        _section(
            'All runs',
            'all-runs',
            recognition_table(recognisers, outcomes, sites),
            recall_table(recognisers, outcomes, sites),
        ),
    ]
    return _page('The experiments of the paper', answers_of_paper(outcomes, sites), sections)


def comparison_page(
    title: str, methods: Mapping[str, Method], outcomes: Outcomes, sites: Sequence[str]
) -> Page:
    """Any set of methods against the merged baseline.

    Args:
        title: Of the page.
        methods: Of the suite, by name.
        outcomes: Of `finished`.
        sites: All sites.
    """
    recognition = recognition_table(methods, outcomes, sites)
    sections = [
        Section(
            'Recognition',
            'recognition',
            tables=(recognition,),
            highest=('average', 'macro F1', 'true accuracy'),
        ),
        Section(
            'Evenness of recall',
            'recall',
            tables=(recall_table(methods, outcomes, sites),),
            highest=tuple(f'{site} mean' for site in sites),
            lowest=tuple(f'{site} sd' for site in sites),
        ),
        Section(
            'Dataset bias',
            'bias',
            tables=(bias_table(methods, outcomes),),
            lowest=('linear probe', 'MLP probe', 'linear within class', 'MLP within class'),
        ),
        _section('Differences', 'differences', difference_table(methods, outcomes, 'baseline')),
    ]
    return _page(title, answers_of_comparison(methods, outcomes, 'baseline'), sections)


def left_out_page(bases: Mapping[str, Method], outcomes: Outcomes, sites: Sequence[str]) -> Page:
    """Methods tested on the site that they were not trained on.

    Args:
        bases: Methods by name, before a site was left out.
        outcomes: Of `finished`.
        sites: All sites.
    """
    tables = [
        left_out_table(bases, outcomes, sites, score)
        for score in ('accuracy', 'macro_f1', 'true_accuracy')
    ]
    sections = [
        Section(
            'On the site left out',
            'left-out',
            text='Each column: trained on all other sites, tested on this one.',
            tables=tuple(table for table in tables if table.rows),
            highest=('average',) if any(table.rows for table in tables) else (),
        )
    ]
    return _page('Leave one site out', left_out_answers(bases, outcomes, sites), sections)


def suite_tables(page: Page) -> list[Table]:
    """All tables of a page."""
    return [table for section in page.sections for table in section.tables]


def with_runs(page: Page, outcomes: Outcomes, missing: Sequence[str], folder: Path) -> Page:
    """Adds what the runs were: links to their pages, their configs, and which are missing.

    Args:
        page: Of a suite.
        outcomes: Of `finished`.
        missing: Names of runs that are not finished.
        folder: Where the page will be.
    """
    runs = [outcome.run for each in outcomes.values() for outcome in each]
    pages = [run.workdir / 'report.html' for run in runs]
    links = tuple(
        Link(run.workdir.name, Path(os.path.relpath(path, folder)).as_posix())
        for run, path in zip(runs, pages, strict=True)
        if path.exists()
    )
    configs = tuple(Details(name, values=each[0].run.fields) for name, each in outcomes.items())
    base = runs[0].config_file.name if runs else ''
    section = Section(
        'Runs',
        'runs',
        text=f'The fields in which each method differs from configs/{base}, of its first seed. '
        'Each run has a page of its own.',
        links=links,
        details=configs,
    )
    warnings = page.warnings
    if missing:
        named = ', '.join(missing[:_MAX_NAMED]) + (' and others' if missing[_MAX_NAMED:] else '')
        warnings += (f'{len(missing)} runs are not finished: {named}.',)
    return page._replace(
        sections=(*page.sections, section), warnings=warnings, environment=environment()
    )


def _section(title, anchor, *tables, figures=()) -> Section | None:
    tables, figures = tuple(filter(None, tables)), tuple(filter(None, figures))
    return Section(title, anchor, tables=tables, figures=figures) if tables or figures else None


def _page(title, answer, sections) -> Page:
    return Page(
        title,
        tuple(answer) or ('No run is finished yet.',),
        sections=tuple(filter(None, sections)),
        table_folder='tables',
    )
