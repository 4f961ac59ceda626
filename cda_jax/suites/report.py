"""What a suite's finished runs show: on the console, as a page, and in a Markdown file."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from cda_jax.analysis.report import Page, write_report
from cda_jax.analysis.tables import as_text
from cda_jax.suites.figures import trade_off
from cda_jax.suites.markdown import write_section
from cda_jax.suites.outcomes import Outcomes, finished
from cda_jax.suites.pages import page_of, with_runs
from cda_jax.suites.plan import Request, Run
from cda_jax.suites.tables import Titles

# Of the sections of a page with many methods; the others are in the report.
_IN_MARKDOWN = ('Recognition', 'Differences', 'On the site left out')
_TRADE_OFF = (
    'Accuracy against the site left in the features. The best place is at the upper left; bars: '
    'standard deviation over the seeds.'
)


def report(request: Request, titles: Titles, runs: Sequence[Run], data_dir: str) -> None:
    """Writes the suite's page and tables, and prints the answers; `titles` has its methods."""
    folder = request.folder / request.suite
    outcomes = finished(runs)
    page = page_of(request.suite, titles, outcomes, tuple(request.sites), data_dir)
    page = with_runs(page, runs, folder)
    path = write_report(folder, page)
    if request.markdown is not None:
        _write_markdown(request, titles, outcomes, page)
    if request.suite == 'demonstration' and outcomes:
        print('', as_text(page.sections[0].tables[0]), '', sep='\n')
    print(*page.answer, *page.warnings, f'\n{path}', sep='\n')


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
