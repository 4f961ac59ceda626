"""A suite from its data to its report."""

from pathlib import Path
from typing import Any

from cda_jax.errors import InputError
from cda_jax.runtime.children import num_processors
from cda_jax.standin.build import make_standin, prepare_standin
from cda_jax.standin.styles import SITE_STYLES
from cda_jax.suites.methods import methods_of
from cda_jax.suites.plan import SCALES, Request, as_value, plan
from cda_jax.suites.runner import Task, run_tasks

_STANDIN = Path('data/standin')


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
    runs = plan(methods, request.seeds, request.folder / 'runs', request.scale, fields)
    failed = {}
    if not request.report_only:
        work = [(run, run.commands(embedding=suite == 'paper')) for run in runs]
        tasks = [Task(run.workdir.name, commands, run.log) for run, commands in work if commands]
        print(f'{len(runs)} runs, {len(runs) - len(tasks)} of them done before', flush=True)
        failed = run_tasks(tasks, jobs=jobs)
    # Only now: it imports what draws pages, which data and training need not wait for.
    from cda_jax.suites.report import report

    report(request, {name: method.title for name, method in methods.items()}, runs, data_dir)
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
