"""A training run, in the order in which it happens."""

import contextlib
import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import msgspec
import numpy as np

from cda_jax import evaluate
from cda_jax import experiment as experiments
from cda_jax.analysis.health import Setup, Watch, read_metrics
from cda_jax.config import CHANGEABLE, Config, as_fields
from cda_jax.data.doubts import doubts
from cda_jax.data.sites import with_validation
from cda_jax.errors import DivergenceError, InputError
from cda_jax.experiment import Experiment, data_position
from cda_jax.runtime import devices
from cda_jax.runtime.checkpoint import Checkpoints
from cda_jax.runtime.files import writing
from cda_jax.runtime.logs import Clock, Logs, console_line
from cda_jax.runtime.multihost import all_processes, check_agreement, together
from cda_jax.runtime.results import Results, format_results, read_results, write_results
from cda_jax.runtime.signals import Preempted, StopSignals
from cda_jax.runtime.workdir import CHECKPOINTS, check_owner, claim, occupied
from cda_jax.step import TrainState, init_state, train_step
from cda_jax.step_metrics import WATCHED_TERMS
from cda_jax.trained import chosen_step, read_position, restore_weights
from cda_jax.use.pretrained import read_pretrained


class _Run(NamedTuple):
    """What the loop needs besides its state."""

    config: Config
    experiment: Experiment
    held_out: list[evaluate.EvaluationSet]
    evaluation: Callable
    checkpoints: Checkpoints
    logs: Logs
    stop: StopSignals
    health: Watch


def train(config: Config, workdir: Path, stop: StopSignals | None = None) -> Results:
    """Trains to the end of the config's epochs and evaluates on its test sets.

    A run that was stopped goes on where its last checkpoint stands; a finished one only reports.

    Args:
        workdir: Where configuration, logs, checkpoints and results are.
        stop: May ask the run to save and stop.

    Raises:
        InputError: The config, the data or the workdir cannot be used.
        DivergenceError: A term of the objective was not finite.
        Preempted: It was asked to stop, and has saved.
    """
    check_agreement(experiments.agreement_facts(config), workdir)
    with together():
        devices.check_batch_size(config.batch_size)
        check_owner(workdir, as_fields(config), changeable=CHANGEABLE)
        results = read_results(workdir)
    if results is None:
        results = _train_and_evaluate(config, workdir, stop or StopSignals())
    if jax.process_index() == 0:
        print(f'\n{format_results(results)}\n\nAll of it is in {workdir}', flush=True)
    return results


def _train_and_evaluate(config, workdir, stop):
    # All data first, so that a fault in them shows before anything is written or trained.
    with together():
        experiment = experiments.build_experiment(config)
        classes = experiment.parts[0].site.class_names
        test_sets = evaluate.open_sets(config, classes)
        held_out = []
        sites = [part.site for part in experiment.parts]
        if names := with_validation(sites, config.validation_fraction):
            held_out = evaluate.open_sets(config, classes, 'validation', names)
    pretrained = _pretrained(experiment, workdir, experiments.class_names(config, classes))
    is_writer = jax.process_index() == 0
    counts = experiments.head_class_counts(config, experiment.parts)
    evaluation = evaluate.over_devices(experiment.recipe.model, config, counts)
    with contextlib.ExitStack() as stack:
        with together():
            if is_writer:
                stack.enter_context(occupied(workdir))
                claim(workdir, as_fields(config), changeable=CHANGEABLE)
                # One that cannot be used has to show before the log is cut.
                with writing(workdir / CHECKPOINTS):
                    (workdir / CHECKPOINTS).mkdir(exist_ok=True)
            checkpoints = stack.enter_context(
                Checkpoints(workdir / CHECKPOINTS, keep=config.keep_checkpoints)
            )
        state, step = _first_state(experiment, checkpoints, pretrained)
        with stop.deferred(), Logs(workdir, first_step=step, active=is_writer) as logs:
            _announce(logs, experiment, step, [entry.part for entry in test_sets])
            earlier = []
            with contextlib.suppress(InputError):  # a damaged log is no reason to stop
                earlier = read_metrics(workdir) if is_writer else []
            health = Watch(Setup.of_run(config, data_position(experiment, step)), earlier)
            run = _Run(config, experiment, held_out, evaluation, checkpoints, logs, stop, health)
            state, step = _train(run, state, step)
            checkpoints.finish()
        # Asked to stop in training, or in any process while the last step was saved.
        if step < experiment.total_steps or not all(all_processes([not stop.requested])):
            raise Preempted(
                f'saved after step {step} of {experiment.total_steps}; the same command goes on'
            )
        step, weights = chosen_step(checkpoints), state.weights
        if step != experiment.total_steps:
            weights = restore_weights(checkpoints, step, weights, config)
        results = evaluate.evaluate_weights(config, evaluation, weights, test_sets, step, workdir)
        if is_writer:
            write_results(workdir, results)
    return results


def _pretrained(experiment, workdir, names) -> dict:
    """What a new run starts from; a run that goes on does not need it any more."""
    config = experiment.config
    if config.init_from:
        with Checkpoints(workdir / CHECKPOINTS) as checkpoints:
            if checkpoints.latest_step() is None:
                return read_pretrained(config, experiment.recipe.model, names)
    return {}


def _first_state(experiment, checkpoints, pretrained) -> tuple[TrainState, int]:
    """The state of the newest whole checkpoint, or a new one, and the steps it has done."""
    make_state = functools.partial(init_state, experiment.recipe, experiment.config.seed)
    make_state = devices.on_every_device(make_state)
    found = checkpoints.resume(jax.eval_shape(make_state, pretrained))
    if found is None:
        return make_state(pretrained), 0
    state, position, step = found
    position, expected = read_position(position), data_position(experiment, step)
    for name in expected.__struct_fields__:
        was, now = getattr(position, name), getattr(expected, name)
        if was != now:
            raise InputError(
                f'the data are not those that checkpoint {step} was trained on: {name} was {was}, '
                f'is {now}; expected the same, or a new workdir'
            )
    return state, step


def _train(run: _Run, state: TrainState, first_step: int) -> tuple[TrainState, int]:
    """The state after the last step, or after the one at which it was asked to stop."""
    train_over_devices = devices.lift(
        functools.partial(train_step, recipe=run.experiment.recipe, axis_name=devices.AXIS),
        donate_argnums=0,
    )
    step, total = first_step, run.experiment.total_steps
    validate_every_steps = run.config.validate_every_epochs * run.experiment.steps_per_epoch
    must_stop = devices.AnyProcess()
    start, clock = time.monotonic(), None
    with contextlib.closing(experiments.open_batches(run.experiment, first_step)) as stream:
        batches = devices.prefetch(stream)
        for step, batch in zip(range(first_step + 1, total + 1), batches, strict=True):
            state, metrics = train_over_devices(state, batch)
            if clock is None:
                jax.block_until_ready(metrics)  # so that compiling does not count
                run.logs.say(f'first step done after {time.monotonic() - start:.0f} s')
                clock = Clock(step, total, run.config.batch_size)
            elif devices.must_wait_each_step():
                jax.block_until_ready(metrics)

            is_last, stopping = step == total, must_stop(run.stop.requested)
            if is_last or step % run.config.log_every_steps == 0:
                _log(run, state, metrics, step, clock)
            score = None
            if is_last or step % validate_every_steps == 0:
                score = _validate(run, state, step)
            is_due = is_last or stopping or step % run.config.checkpoint_every_steps == 0
            if is_due or score is not None:
                _check_finite(state)
                position = msgspec.to_builtins(data_position(run.experiment, step))
                run.checkpoints.save(state, step, data=position, validation_score=score)
            if stopping:
                break
    return state, step


def _log(run: _Run, state, metrics, step, clock) -> None:
    figures = {name: float(x) for name, x in jax.device_get(metrics).items()}
    _check_finite(state)
    figures |= {'epoch': step / run.experiment.steps_per_epoch} | clock.lap(step)
    run.logs.write('train', step, figures)
    run.logs.say(console_line(step, run.experiment.total_steps, figures))
    for warning in run.health(step, figures):
        run.logs.say(f'warning: {warning}')


def _validate(run: _Run, state, step) -> float | None:
    """The score to select by, averaged over the sites' validation data; None without any."""
    if not run.held_out:
        return None
    results = evaluate.evaluate_weights(
        run.config, run.evaluation, state.weights, run.held_out, step
    )
    figures = {f'accuracy_{site}': scores.accuracy for site, scores in results.answers().items()}
    figures |= msgspec.structs.asdict(results.average)
    run.logs.write('validation', step, figures)
    shown = '  '.join(f'{name} {100 * value:.1f} %' for name, value in figures.items())
    run.logs.say(f'validation after {step} steps: {shown}')
    return figures[run.config.select_by]


def _check_finite(state) -> None:
    """Looks at what the steps recorded of terms that were not finite."""
    step, terms = jax.device_get((state.fault_step, state.fault_terms))
    if step >= 0:
        names = ', '.join(np.array(WATCHED_TERMS)[terms])
        raise DivergenceError(
            f'step {step + 1}: not finite: {names}. Nothing was saved since. A lower learning_rate '
            'or lambda maximum, or a longer warm-up, may help'
        )


def _announce(logs, experiment, step, tests):
    sizes = ', '.join(f'{part.site.name} {len(part.records):,}' for part in experiment.parts)
    logs.say(
        f'{jax.device_count()} device(s) ({jax.devices()[0].device_kind}), training images: {sizes}'
    )
    for site in (part.site for part in experiment.parts):
        lacking = set(site.class_names) - set(site.manifest.class_names)
        lacking = ['labels'] if site.manifest.unlabelled else sorted(lacking)
        if lacking and experiment.config.target == 'label':
            logs.say(f'{site.name} has no {", ".join(lacking)}')
    if experiment.config.target == 'label':
        for doubt in doubts(experiment.parts, tests):
            logs.say(f'warning: {doubt}')
    source, total = experiment.config.init_from, experiment.total_steps
    start = f'going on after step {step}' if step else f'starting{source and f" from {source}"}'
    logs.say(
        f'{start}; {total} steps in all, {experiment.steps_per_epoch} an epoch; the first step '
        'compiles the program, which may take half a minute'
    )
