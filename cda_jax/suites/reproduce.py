"""A suite from its data to its report."""

from pathlib import Path
from typing import NamedTuple

from cda_jax.analysis.report import Page, write_report
from cda_jax.errors import InputError
from cda_jax.standin import make_standin
from cda_jax.standin.prepared import prepare_standin
from cda_jax.standin.styles import SITE_STYLES
from cda_jax.suites.methods import methods_of
from cda_jax.suites.outcomes import finished
from cda_jax.suites.pages import comparison_page, left_out_page, paper_page, with_runs
from cda_jax.suites.plan import SCALES, Fields, Method, Run, Scale, plan
from cda_jax.suites.runner import Task, check_jobs, run_tasks

_STANDIN = Path('data/standin')


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

    Returns:
        The logs of the runs that failed, by name.

    Raises:
        InputError: Something in the request cannot be used.
    """
    check_jobs(request.jobs)
    scale = SCALES[request.scale]
    methods = _chosen(request)
    data_dir = request.data_dir or make_standin_data(scale, request.sites)
    fields = {'data_dir': data_dir, 'sites': request.sites, 'test_sites': request.sites}
    folder = request.out / request.scale
    runs = plan(methods, request.num_seeds, folder / 'runs', scale, fields | request.fields)
    failed = {}
    if not request.report_only:
        tasks = [
            Task(run.workdir.name, commands, run.log)
            for run in runs
            if (commands := run.commands(embedding=request.suite == 'paper'))
        ]
        print(f'{len(runs)} runs, {len(runs) - len(tasks)} of them done before', flush=True)
        failed = run_tasks(tasks, jobs=request.jobs)
    folder = folder / request.suite
    page = with_runs(_page(request, methods, runs, data_dir), runs, folder)
    path = write_report(folder, page)
    print(*page.answer, *page.warnings, f'\n{path}', sep='\n')
    return failed


def make_standin_data(scale: Scale, sites: tuple[str, ...]) -> str:
    """Draws and prepares the stand-in below `data/standin`, unless it is there.

    Args:
        scale: Of the runs.
        sites: Their sites.

    Returns:
        The folder of the prepared sites.

    Raises:
        InputError: The scale is not made for the stand-in, or the sites are not its own.
    """
    if scale.crop_size is None:
        raise InputError('--data_dir: missing; expected a folder of prepared sites at this scale')
    unknown = set(sites) - {style.name for style in SITE_STYLES}
    if unknown:
        raise InputError(
            f'--sites: {", ".join(sorted(unknown))} not in the stand-in data; expected --data_dir '
            'beside it'
        )
    out = _STANDIN if scale.crop_size == 48 else _STANDIN / f'faces-{scale.crop_size}'
    make_standin(_STANDIN / 'raw', report=print)
    prepare_standin(_STANDIN / 'raw', out, face_size=scale.crop_size, report=print)
    return str(out)


def _chosen(request: Request) -> dict[str, Method]:
    methods = methods_of(request.suite, request.sites, papers_scale=request.scale == 'full')
    for name in request.methods:
        if name not in methods:
            raise InputError(
                f'--methods: the suite {request.suite} has no {name!r}; expected some of '
                f'{", ".join(methods)}'
            )
    return {name: methods[name] for name in request.methods or methods}


def _page(request: Request, methods: dict[str, Method], runs: list[Run], data_dir: str) -> Page:
    outcomes = finished(runs)
    if request.suite == 'paper':
        return paper_page(methods, outcomes, request.sites, data_dir)
    if request.suite == 'leave-one-site-out':
        return left_out_page(outcomes, request.sites)
    title = {'ablation': 'What each part adds', 'losses': 'Losses'}[request.suite]
    return comparison_page(title, methods, outcomes, request.sites)
