"""A suite from its data to its report."""

from pathlib import Path
from typing import NamedTuple

from cda_jax.analysis.report import Page, write_page
from cda_jax.analysis.tables import write_tables
from cda_jax.config import read_config
from cda_jax.errors import InputError
from cda_jax.suites.methods import Fields, Method
from cda_jax.suites.outcomes import finished
from cda_jax.suites.pages import (
    comparison_page,
    left_out_page,
    paper_page,
    suite_tables,
    with_runs,
)
from cda_jax.suites.runner import check_jobs, run_tasks
from cda_jax.suites.runs import SCALES, Run, plan
from cda_jax.suites.standin_data import make_standin_data
from cda_jax.suites.suites import LEFT_OUT_BASES, methods_of
from cda_jax.suites.tasks import open_tasks


class Request(NamedTuple):
    """What to run and where.

    Attributes:
        suite: One of `SUITES`.
        scale: A name of `SCALES`.
        out: Folder for everything that is written.
        data_dir: Folder of the prepared sites; None for the stand-in.
        sites: Their names.
        num_seeds: Runs of each method.
        methods: Names of the methods to run; empty for all of the suite.
        jobs: Runs at once.
        fields: Config fields that differ in every run.
        report_only: Whether to run nothing.
    """

    suite: str
    scale: str
    out: Path
    data_dir: str | None
    sites: tuple[str, ...]
    num_seeds: int
    methods: tuple[str, ...]
    jobs: int
    fields: Fields
    report_only: bool


def reproduce(request: Request) -> dict[str, Path]:
    """Trains what is not trained yet, measures it, and writes the suite's report.

    Args:
        request: What to run and where.

    Returns:
        The logs of the runs that failed, by name.

    Raises:
        InputError: Something in the request cannot be used.
    """
    check_jobs(request.jobs)
    scale = SCALES[request.scale]
    methods = _chosen(request)
    data_dir = request.data_dir or make_standin_data(scale, request.sites)
    fields = {
        'data_dir': data_dir,
        'sites': request.sites,
        'test_sites': request.sites,
    } | request.fields
    folder = request.out / request.scale
    runs = plan(methods, request.num_seeds, folder / 'runs', scale, fields)
    for run in runs:
        read_config(run.config().to_dict())
    failed = {}
    if not request.report_only:
        tasks = open_tasks(runs, embedding=request.suite == 'paper')
        print(f'{len(runs)} runs, {len(runs) - len(tasks)} of them done before', flush=True)
        failed = run_tasks(tasks, jobs=request.jobs, say=_say)
    _report(request, methods, runs, data_dir, folder / request.suite)
    return failed


def _chosen(request: Request) -> dict[str, Method]:
    methods = methods_of(
        request.suite, request.sites, papers_scale=SCALES[request.scale].face_size is None
    )
    for name in request.methods:
        if name not in methods:
            raise InputError(
                f'--methods: the suite {request.suite} has no {name!r}; expected some of '
                f'{", ".join(methods)}'
            )
    return {name: methods[name] for name in request.methods or methods}


def _report(request, methods, runs: list[Run], data_dir: str, folder: Path) -> None:
    outcomes = finished(runs)
    page = _page(request, methods, outcomes, data_dir)
    missing = [run.workdir.name for run in runs if not run.is_done()]
    page = with_runs(page, outcomes, missing, folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_tables(folder / 'tables', suite_tables(page))
    write_page(folder / 'report.html', page)
    for sentence in (*page.answer, *page.warnings):
        print(sentence)
    print(f'\n{folder / "report.html"}')


def _page(request, methods, outcomes, data_dir) -> Page:
    if request.suite == 'paper':
        return paper_page(methods, outcomes, request.sites, data_dir)
    if request.suite == 'leave-one-site-out':
        return left_out_page(LEFT_OUT_BASES, outcomes, request.sites)
    title = {'ablation': 'What each part adds', 'losses': 'Losses'}[request.suite]
    return comparison_page(title, methods, outcomes, request.sites)


def _say(text: str) -> None:
    print(text, flush=True)
