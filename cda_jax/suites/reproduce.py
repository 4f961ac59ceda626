"""A suite from its data to its report."""

import shlex
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cda_jax.analysis.report import Page, write_report
from cda_jax.analysis.tables import as_text
from cda_jax.errors import InputError
from cda_jax.runtime.children import num_processors
from cda_jax.standin.build import make_standin, prepare_standin
from cda_jax.standin.styles import SITE_STYLES
from cda_jax.suites.figures import trade_off
from cda_jax.suites.markdown import write_section
from cda_jax.suites.methods import methods_of
from cda_jax.suites.outcomes import Outcomes, finished
from cda_jax.suites.pages import page_of, with_runs
from cda_jax.suites.plan import SCALES, as_value, plan
from cda_jax.suites.runner import Task, run_tasks
from cda_jax.suites.tables import Titles

_STANDIN = Path('data/standin')
# Of the sections of a page with many methods; the others are in the report.
_IN_MARKDOWN = ('Recognition', 'Differences', 'On the site left out')
_TRADE_OFF = (
    'Accuracy against the site left in the features. The best place is at the upper left; bars: '
    'standard deviation over the seeds.'
)


class Request(NamedTuple):
    """What to run and where: the flags of `tools/reproduce.py`, by their names."""

    suite: str  # one of `SUITES`
    scale: str  # a name of `SCALES`
    out: str
    data_dir: str | None  # of the prepared sites; None for the stand-in
    sites: Sequence[str]
    seeds: int  # how many
    methods: Sequence[str]  # names; empty for all methods of the suite
    jobs: int  # runs at once
    set: Sequence[str]  # config fields that differ in every run, as 'FIELD=VALUE'
    report_only: bool = False
    markdown: str | None = None  # file that gets the tables and plots as well

    @property
    def name(self) -> str:
        """Of the suite's section in a Markdown file: the suite, and whose data it is of."""
        return f'{self.suite} {Path(self.data_dir).name}' if self.data_dir else self.suite

    def command(self, seeds: int, methods: Iterable[str]) -> str:
        """The command that makes these runs."""
        flags = {'suite': self.suite, 'scale': self.scale, 'seeds': seeds}
        if self.data_dir is not None:
            flags |= {'data_dir': self.data_dir, 'sites': ','.join(self.sites)}
        words = [f'--{name}={value}' for name, value in flags.items()]
        words += [f'--set={text}' for text in self.set]
        words.append(f'--methods={",".join(methods)}')
        return shlex.join(['./launch.sh', 'reproduce', *words])


def reproduce(request: Request) -> dict[str, Path]:
    """Trains what is not trained yet, measures it, and writes the suite's report.

    Gives the logs of the runs that failed, by name. Raises InputError if something in the request
    cannot be used.
    """
    suite, sites = request.suite, tuple(request.sites)
    jobs, processors = request.jobs, num_processors()
    if not 1 <= jobs <= processors:
        raise InputError(f'jobs is {jobs}, expected 1 to the {processors} processors there are')
    methods = methods_of(suite, sites, papers_scale=request.scale == 'full')
    if unknown := [name for name in request.methods if name not in methods]:
        raise InputError(
            f'--methods: the suite {suite} has no {unknown[0]!r}; expected some of '
            f'{", ".join(methods)}'
        )
    methods = {name: methods[name] for name in request.methods or methods}
    own = dict(map(_field, request.set))
    data_dir = request.data_dir or _make_standin_data(request.scale, sites)
    fields = {'data_dir': data_dir, 'sites': sites, 'test_sites': sites} | own
    folder = Path(request.out).absolute() / request.scale
    runs = plan(methods, request.seeds, folder / 'runs', request.scale, fields)
    failed = {}
    if not request.report_only:
        work = [(run, run.commands(embedding=suite == 'paper')) for run in runs]
        tasks = [Task(run.workdir.name, commands, run.log) for run, commands in work if commands]
        print(f'{len(runs)} runs, {len(runs) - len(tasks)} of them done before', flush=True)
        failed = run_tasks(tasks, jobs=jobs)
    outcomes, titles = finished(runs), {name: method.title for name, method in methods.items()}
    page = page_of(suite, titles, outcomes, sites, data_dir)
    page = with_runs(page, runs, folder / suite)
    path = write_report(folder / suite, page)
    if request.markdown is not None:
        _write_markdown(request, titles, outcomes, page)
    if suite == 'demonstration' and outcomes:
        print('', as_text(page.sections[0].tables[0]), '', sep='\n')
    print(*page.answer, *page.warnings, f'\n{path}', sep='\n')
    return failed


def _field(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition('=')
    if not equals:
        raise InputError(f'--set={text}: expected FIELD=VALUE')
    return name, as_value(value)


def _make_standin_data(scale: str, sites: tuple[str, ...]) -> str:
    """Draws and prepares the stand-in, unless it is there; gives the folder of the sites."""
    if scale == 'full':
        raise InputError('--data_dir: missing; expected a folder of prepared sites at this scale')
    if unknown := set(sites) - {style.name for style in SITE_STYLES}:
        names = ', '.join(sorted(unknown))
        raise InputError(
            f'--sites: {names} not in the stand-in data; expected --data_dir beside it'
        )
    size = SCALES[scale]['image_size']
    out = _STANDIN if scale == 'demo' else _STANDIN / f'faces-{size}'
    make_standin(_STANDIN / 'raw')
    prepare_standin(_STANDIN / 'raw', out, face_size=size)
    return str(out)


def _write_markdown(request: Request, titles: Titles, outcomes: Outcomes, page: Page) -> None:
    by_seeds = defaultdict(list)
    for name, found in outcomes.items():
        by_seeds[found[-1].run.seed + 1].append(name)
    commands = [request.command(*each) for each in by_seeds.items()]
    plots = {}
    if request.suite == 'stability':
        plots = {each.caption: each.figure for part in page.sections for each in part.figures}
    elif outcomes and request.suite in ('ablation', 'methods'):
        plots = {_TRADE_OFF: trade_off(titles, outcomes)}
    if request.suite in ('ablation', 'methods', 'real'):
        kept = [each for each in page.sections if each.title in _IN_MARKDOWN]
        page = page._replace(sections=tuple(kept))
    write_section(Path(request.markdown), request.name, commands, page, plots)
