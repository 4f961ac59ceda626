"""A suite from its data to its report."""

import os
import shlex
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cda_jax.analysis.report import Page, write_report
from cda_jax.analysis.tables import as_text
from cda_jax.errors import InputError
from cda_jax.standin import make_standin, prepare_standin
from cda_jax.standin.styles import SITE_STYLES
from cda_jax.suites.figures import trade_off
from cda_jax.suites.markdown import write_section
from cda_jax.suites.methods import methods_of
from cda_jax.suites.outcomes import Outcomes, finished
from cda_jax.suites.pages import page_of, with_runs
from cda_jax.suites.plan import SCALES, Fields, Scale, plan
from cda_jax.suites.runner import Task, run_tasks
from cda_jax.suites.tables import by_title

_STANDIN = Path('data/standin')
# Of the sections of a page with many methods; the others are in the report.
_IN_MARKDOWN = ('Recognition', 'Differences', 'On the site left out')
_TRADE_OFF = (
    'Accuracy against the site left in the features. The best place is at the upper left; bars: '
    'standard deviation over the seeds.'
)


class Request(NamedTuple):
    """What to run and where; the flags of `tools/reproduce.py`."""

    suite: str  # one of `SUITES`
    scale: str  # a name of `SCALES`
    out: Path  # folder for runs and reports
    data_dir: str | None  # of the prepared sites; None for the stand-in
    sites: tuple[str, ...]
    num_seeds: int
    methods: tuple[str, ...]  # names; empty for all methods of the suite
    jobs: int  # runs at once
    fields: Fields  # config fields that differ in every run
    report_only: bool
    markdown: Path | None = None  # file that gets the tables and plots as well

    def command(self, num_seeds: int, methods: Iterable[str]) -> str:
        """The command that makes these runs."""
        flags = {'suite': self.suite, 'scale': self.scale, 'seeds': num_seeds}
        if self.data_dir is not None:
            flags |= {'data_dir': self.data_dir, 'sites': ','.join(self.sites)}
        words = ['python', 'tools/reproduce.py', *(f'--{k}={v}' for k, v in flags.items())]
        words += [f'--set={name}={value}' for name, value in self.fields.items()]
        return shlex.join([*words, f'--methods={",".join(methods)}'])


def reproduce(request: Request) -> dict[str, Path]:
    """Trains what is not trained yet, measures it, and writes the suite's report.

    Gives the logs of the runs that failed, by name. Raises InputError if something in the request
    cannot be used.
    """
    jobs, processors = request.jobs, os.cpu_count() or 1
    if not 1 <= jobs <= processors:
        raise InputError(f'jobs is {jobs}, expected 1 to the {processors} processors there are')
    scale = SCALES[request.scale]
    methods = methods_of(request.suite, request.sites, papers_scale=request.scale == 'full')
    for name in request.methods:
        if name not in methods:
            raise InputError(
                f'--methods: the suite {request.suite} has no {name!r}; expected some of '
                f'{", ".join(methods)}'
            )
    methods = {name: methods[name] for name in request.methods or methods}
    data_dir = request.data_dir or _make_standin_data(scale, request.sites)
    fields = {'data_dir': data_dir, 'sites': request.sites, 'test_sites': request.sites}
    folder = request.out / request.scale
    runs = plan(methods, request.num_seeds, folder / 'runs', scale, fields | request.fields)
    failed = {}
    if not request.report_only:
        work = [(run, run.commands(embedding=request.suite == 'paper')) for run in runs]
        tasks = [Task(run.workdir.name, commands, run.log) for run, commands in work if commands]
        print(f'{len(runs)} runs, {len(runs) - len(tasks)} of them done before', flush=True)
        failed = run_tasks(tasks, jobs=jobs)
    folder, outcomes = folder / request.suite, finished(runs)
    page = page_of(request.suite, methods, outcomes, request.sites, data_dir)
    page = with_runs(page, runs, folder)
    path = write_report(folder, page)
    if request.markdown is not None:
        _write_markdown(request, methods, outcomes, page)
    if request.suite == 'demonstration' and outcomes:
        print('', as_text(page.sections[0].tables[0]), '', sep='\n')
    print(*page.answer, *page.warnings, f'\n{path}', sep='\n')
    return failed


def _make_standin_data(scale: Scale, sites: tuple[str, ...]) -> str:
    """Draws and prepares the stand-in, unless it is there; gives the folder of the sites."""
    if scale.crop_size is None:
        raise InputError('--data_dir: missing; expected a folder of prepared sites at this scale')
    if unknown := set(sites) - {style.name for style in SITE_STYLES}:
        names = ', '.join(sorted(unknown))
        raise InputError(
            f'--sites: {names} not in the stand-in data; expected --data_dir beside it'
        )
    out = _STANDIN if scale.crop_size == 48 else _STANDIN / f'faces-{scale.crop_size}'
    make_standin(_STANDIN / 'raw', report=print)
    prepare_standin(_STANDIN / 'raw', out, face_size=scale.crop_size, report=print)
    return str(out)


def _write_markdown(request: Request, methods, outcomes: Outcomes, page: Page) -> None:
    by_seeds = defaultdict(list)
    for name, found in outcomes.items():
        by_seeds[found[-1].run.seed + 1].append(name)
    commands = [request.command(*each) for each in by_seeds.items()]
    plots, name = {}, request.suite
    if request.data_dir is not None:
        name += f' {Path(request.data_dir).name}'
    if request.suite == 'stability':
        plots = {each.caption: each.figure for part in page.sections for each in part.figures}
    elif outcomes and request.suite in ('ablation', 'methods'):
        plots = {_TRADE_OFF: trade_off(by_title(methods, outcomes))}
    if request.suite in ('ablation', 'methods', 'real'):
        kept = [each for each in page.sections if each.title in _IN_MARKDOWN]
        page = page._replace(sections=tuple(kept))
    write_section(request.markdown, name, commands, page, plots)
