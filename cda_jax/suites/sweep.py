"""Random search over config fields, scored on validation data alone."""

import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import optuna
from matplotlib.figure import Figure
from optuna import distributions
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import FrozenTrial, TrialState

from cda_jax.analysis.figures.style import COLOURS, in_style, panels
from cda_jax.analysis.health import read_metrics
from cda_jax.analysis.report import Page, Picture, Section, environment, write_report
from cda_jax.analysis.tables import Column, Table, as_text, show_percent
from cda_jax.config import CHANGEABLE, Config, as_fields, read_config
from cda_jax.data.sites import open_part, open_sites, with_validation
from cda_jax.errors import InputError
from cda_jax.runtime.results import read_results
from cda_jax.runtime.workdir import RESULTS, claim, occupied
from cda_jax.suites.methods import left_out_name
from cda_jax.suites.plan import Fields, as_value
from cda_jax.suites.runner import Task, run_tasks

# Scores under different values of these would not be of the same thing.
_NOT_SEARCHED = {'data_dir', 'sites', 'site_weights', 'target', 'validation_fraction', 'select_by'}

Spaces = Mapping[str, distributions.BaseDistribution]  # by field


class Request(NamedTuple):
    """What to search and where: a config, and the flags of `tools/sweep.py` by their names."""

    config: Config  # what all trials have in common
    words: tuple[str, ...]  # flags of `cda_jax.main` that give this config
    search: Sequence[str]  # 'FIELD=SPACE', as `read_space` reads it
    select: str  # 'training-sites' or 'leave-one-site-out'
    out: str
    trials: int  # how many
    seed: int
    jobs: int  # trials at once

    @property
    def folder(self) -> Path:
        """For runs and report."""
        return Path(self.out).absolute()

    @property
    def left_out(self) -> tuple[str, ...]:
        """The sites without which a trial trains, once each; '' stands for none."""
        return self.config.sites if self.select == 'leave-one-site-out' else ('',)

    def fields(self, values: Mapping[str, Any], left_out: str) -> Fields:
        """The config fields that a trial sets, whose own are these values."""
        base, own = as_fields(self.config), {}
        for name, value in values.items():
            field, *entry = name.split('.', 1)
            value = as_value(value)
            if entry:
                entries = own.get(field, base.get(field))
                if not isinstance(entries, dict):
                    raise InputError(f'--search={name}: config field {field} has no entries')
                value = entries | {entry[0]: value}
            own[field] = value
        if left_out:
            kept = [n for n, site in enumerate(self.config.sites) if site != left_out]
            for name in ('sites', 'site_weights'):
                if each := getattr(self.config, name):
                    own[name] = tuple(each[n] for n in kept)
        return own

    def workdir(self, number: int, left_out: str = '') -> Path:
        """Where a trial trains."""
        name = f'trial-{number}'
        return self.folder / 'runs' / (left_out_name(name, left_out) if left_out else name)

    def arguments(self, trial: FrozenTrial, left_out: str, workdir: Path) -> list[str]:
        """Python's arguments for a training of a trial."""
        fields = self.fields(trial.params, left_out).items()
        own = [f'--config.{name}={value}' for name, value in fields]
        return ['-m', 'cda_jax.main', *self.words, *own, f'--workdir={workdir}']


def sweep(request: Request) -> list[str]:
    """Trains the trials that are not trained yet, and writes the sweep's report.

    A trial's score is the mean of `select_by` over the validation data: of the training sites, at
    its best checkpoint; or of the site left out, in turn, by a network that was trained without it.
    These are the training-domain validation set and the leave-one-domain-out cross-validation of
    Gulrajani and Lopez-Paz (2021), section 3, https://arxiv.org/abs/2007.01434

    Trial n depends on the seed and on n alone, so that a sweep can be killed, and made longer.

    Returns:
        The command of the best trial, with all training sites.

    Raises InputError if the request cannot be used, or every trial failed.
    """
    texts = dict(text.partition('=')[::2] for text in request.search)
    spaces = {field: read_space(field, texts[field]) for field in sorted(texts)}
    _check(request, spaces)
    own = {'select': request.select, 'sweep_seed': request.seed, 'search': texts}
    with occupied(request.folder):
        claim(request.folder, as_fields(request.config) | own, changeable=CHANGEABLE)
        study = _draw(request, spaces)
        trials = study.trials[: request.trials]
        tasks = [_task(request, each) for each in trials if each.state == TrialState.RUNNING]

        def record(task: Task, is_good: bool) -> None:
            number = int(task.name.removeprefix('trial-'))
            scores = _scores(request, number) if is_good else [None]
            if None in scores:
                study.tell(number, state=TrialState.FAIL)
            else:
                study.tell(number, statistics.fmean(scores))

        print(f'{len(trials)} trials, {len(trials) - len(tasks)} of them done before', flush=True)
        run_tasks(tasks, jobs=request.jobs, when_done=record)
        return _report(request, spaces, study.trials[: request.trials])


def read_space(field: str, text: str) -> distributions.BaseDistribution:
    """The values that a field may take: 'log:0.01:1', 'uniform:0:1', 'int:1:9', 'choice:a:b'."""
    kind, *values = text.split(':')
    try:
        if kind == 'choice' and all(values):
            return distributions.CategoricalDistribution(values)
        low, high = map(int if kind == 'int' else float, values)
        if kind == 'int':
            return distributions.IntDistribution(low, high)
        return distributions.FloatDistribution(low, high, log={'log': True, 'uniform': False}[kind])
    except (KeyError, ValueError) as error:
        raise InputError(
            f'--search={field}={text}: expected FIELD=log:LOW:HIGH, FIELD=uniform:LOW:HIGH, '
            'FIELD=int:LOW:HIGH or FIELD=choice:A:B:...'
        ) from error


def _check(request: Request, spaces: Spaces) -> None:
    """Finds out before anything is trained what every trial would fail of."""
    config = request.config
    if found := _NOT_SEARCHED & spaces.keys():
        raise InputError(
            f'--search={min(found)}: expected another field, because the scores of all trials must '
            'be of the same data'
        )
    sites = open_sites(config.data_dir, config.sites)
    if len(with_validation(sites, config.validation_fraction)) < len(sites):
        raise InputError(
            'config field validation_fraction is 0.0, expected more: a sweep is scored on '
            'validation data, and not every site has a validation split of its own'
        )
    if request.select == 'leave-one-site-out' and len(config.sites) < 2:
        raise InputError(f'config field sites is {config.sites}, expected two or more to leave out')
    for field, space in spaces.items():
        for value in getattr(space, 'choices', None) or (space.low, space.high):
            for site in request.left_out:
                read_config(as_fields(config) | request.fields({field: value}, site))
    for site in sites:
        open_part(site, 'validation', config.validation_fraction)


def _draw(request: Request, spaces: Spaces) -> optuna.Study:
    """The study in the request's folder, with all of its trials drawn."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(request.folder / 'trials.journal'))),
        study_name='sweep',
        direction='maximize',
        load_if_exists=True,
    )
    for number in range(len(study.trials), request.trials):
        seed = np.random.SeedSequence((request.seed, number)).generate_state(1)[0]
        study.sampler = optuna.samplers.RandomSampler(int(seed))
        study.ask(dict(spaces))
    return study


def _task(request: Request, trial: FrozenTrial) -> Task:
    """What a trial still has to do."""
    commands = []
    for site in request.left_out:
        workdir = request.workdir(trial.number, site)
        words = request.arguments(trial, site, workdir)
        if read_results(workdir) is None:
            commands.append([sys.executable, *words])
        if site:
            unseen = ['--mode=eval', '--split=validation', f'--config.test_sites={(site,)}']
            commands.append([sys.executable, *words, *unseen])
    name = f'trial-{trial.number}'
    return Task(name, commands, request.folder / 'runs' / 'logs' / f'{name}.log')


def _scores(request: Request, number: int) -> list[float | None]:
    """The scores of a finished trial: one, or one for each site left out; None if it is missing."""
    name = request.config.select_by
    if request.left_out == ('',):
        lines = read_metrics(request.workdir(number))
        return [max(line[name] for line in lines if line['kind'] == 'validation')]
    found = [
        read_results(request.workdir(number, site), f'{RESULTS}-{site}-validation')
        for site in request.left_out
    ]
    return [results and getattr(results.average, name) for results in found]


def _report(request: Request, spaces: Spaces, trials: Sequence[FrozenTrial]) -> list[str]:
    """Writes and prints the report; gives the command of the best trial."""
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    finished.sort(key=lambda trial: -trial.value)
    failed = [trial for trial in trials if trial.state == TrialState.FAIL]
    logs = '\n  '.join(str(_task(request, trial).log) for trial in failed)
    if not finished:
        raise InputError(f'every trial failed; their output:\n  {logs}')
    best = finished[0]
    table = _table(request, spaces, [*finished, *failed])
    said = ', '.join(f'{field} {_shown(best.params[field])}' for field in spaces)
    alt = 'The score of every trial against each field.'
    picture = Picture(_plot(spaces, finished), table.note, alt)
    settings = {'Configuration': as_fields(request.config), 'Environment': environment()}
    trials_section = Section('Trials', tables=(table,), figures=(picture,))
    page = Page(
        f'Sweep, selected by {request.select}',
        (f'The best of {len(trials)} trials: {best.number}, {show_percent(best.value)}; {said}.',),
        (f'{len(failed)} trials failed; their output:\n  {logs}',) if failed else (),
        (trials_section, Section('Settings', folded=settings)),
    )
    path = write_report(request.folder, page)
    print('', as_text(table), '', *page.answer, *page.warnings, f'\n{path}', sep='\n')
    # Trained already, unless every training was without some site.
    workdir = request.workdir(best.number) if request.left_out == ('',) else request.folder / 'best'
    return ['python', *request.arguments(best, '', workdir)]


def _table(request: Request, spaces: Spaces, trials: Sequence[FrozenTrial]) -> Table:
    by_site = [Column(f'without {site}', 'percent', max) for site in request.left_out if site]
    score = request.config.select_by.replace('_', ' ')
    columns = Column('trial'), *map(Column, spaces), *by_site, Column(score, 'percent', max)
    rows = []
    for trial in trials:
        is_good = trial.state == TrialState.COMPLETE
        scores = _scores(request, trial.number) if is_good and by_site else [None] * len(by_site)
        shown = (_shown(trial.params[field]) for field in spaces)
        rows.append((str(trial.number), *shown, *scores, trial.value))
    where = 'the site left out' if by_site else 'the training sites'
    note = f'{score.capitalize()} on the validation data of {where}, averaged over the sites.'
    return Table('trials', 'All trials', columns, rows, note)


@in_style
def _plot(spaces: Spaces, trials: Sequence[FrozenTrial]) -> Figure:
    figure, grid = panels(len(spaces), 3, 2.0, sharey=True)
    for axes, (field, space) in zip(grid, spaces.items(), strict=True):
        values = [trial.params[field] for trial in trials]
        if isinstance(space, distributions.CategoricalDistribution):
            axes.set_xticks(range(len(space.choices)), space.choices)
            values = [space.choices.index(value) for value in values]
        axes.plot(values, [100 * trial.value for trial in trials], 'o', ms=4, color=COLOURS[0])
        axes.set(xlabel=field, xscale='log' if getattr(space, 'log', False) else 'linear')
    grid[0].set_ylabel('score (%)')
    return figure


def _shown(value: str | float) -> str:
    return value if isinstance(value, str) else f'{value:.4g}'
