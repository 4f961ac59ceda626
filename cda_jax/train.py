"""A training run, in the order in which it happens."""

import contextlib
import functools
import time
from pathlib import Path

import jax
import numpy as np
from ml_collections import ConfigDict

from cda_jax import evaluate, parallel
from cda_jax.agreement import check_agreement
from cda_jax.checkpoint import Checkpoints
from cda_jax.errors import DivergenceError, InputError
from cda_jax.experiment import (
    Experiment,
    build_experiment,
    data_position,
    head_class_counts,
    open_batches,
)
from cda_jax.logs import Clock, Logs, console_line, duration
from cda_jax.results import format_results, read_results, write_results
from cda_jax.step import WATCHED_TERMS, TrainState, init_state, train_step
from cda_jax.workdir import check_owner, claim


def train(config: ConfigDict, workdir: Path) -> dict:
    """Trains to the end of the config's epochs and evaluates on its test sets.

    A run that was stopped goes on where its last checkpoint stands; a finished one only reports.

    Args:
        config: Checked by `check_config`.
        workdir: Where configuration, logs, checkpoints and results are.

    Returns:
        The results, as `cda_jax.results.summarise` gives them.

    Raises:
        InputError: The config, the data or the workdir cannot be used.
        DivergenceError: A term of the objective was not finite.
    """
    check_agreement(config, workdir)
    parallel.check_batch_size(config.batch_size)
    check_owner(workdir, config)
    results = read_results(workdir)
    if results is None:
        results = _train_and_evaluate(config, workdir)
    if jax.process_index() == 0:
        print(f'\n{format_results(results)}\n\nAll of it is in {workdir}', flush=True)
    return results


def _train_and_evaluate(config, workdir):
    # All data first, so that a fault in them shows before anything is written or trained.
    experiment = build_experiment(config)
    classes = experiment.parts[0].site.manifest.class_names
    test_sets = evaluate.open_sets(config, classes)
    held_out = []
    if config.validation_fraction:
        held_out = evaluate.open_sets(config, classes, 'validation')
    is_writer = jax.process_index() == 0
    if is_writer:
        claim(workdir, config)
    with Checkpoints(workdir / 'checkpoints', keep=config.keep_checkpoints) as checkpoints:
        state, step = _first_state(config, experiment, checkpoints)
        step_over_devices = evaluate.lift(
            experiment.recipe.model, config, head_class_counts(config, experiment.parts)
        )
        with Logs(workdir, first_step=step, active=is_writer) as logs:
            _announce(logs, experiment, step)
            validate = functools.partial(_validate, config, step_over_devices, held_out, logs)
            state = _train(config, experiment, checkpoints, logs, validate, state, step)
        weights, step = _chosen_weights(checkpoints, state, experiment.total_steps)
    results = evaluate.evaluate_weights(config, step_over_devices, weights, test_sets, step)
    if is_writer:
        write_results(workdir, results)
    return results


def _first_state(config, experiment, checkpoints) -> tuple[TrainState, int]:
    """The state of the newest checkpoint, or a new one, and the steps it has done."""
    make_state = functools.partial(init_state, experiment.recipe, config.seed)
    step = checkpoints.latest_step()
    if step is None:
        return parallel.replicate(jax.jit(make_state)()), 0
    state, position = checkpoints.restore(step, jax.eval_shape(make_state))
    expected = data_position(config, experiment, step)
    changed = [name for name in expected if position.get(name) != expected[name]]
    if changed:
        raise InputError(
            f'the data are not those that checkpoint {step} was trained on: {changed[0]} was '
            f'{position.get(changed[0])}, is {expected[changed[0]]}; expected the same, or a new '
            'workdir'
        )
    return state, step


def _train(
    config, experiment: Experiment, checkpoints, logs, validate, state, first_step
) -> TrainState:
    step_over_devices = parallel.lift_train_step(
        functools.partial(train_step, recipe=experiment.recipe)
    )
    total, epoch = experiment.total_steps, experiment.steps_per_epoch
    start, clock = time.monotonic(), None
    with contextlib.closing(open_batches(config, experiment, first_step)) as stream:
        batches = parallel.prefetch(stream)
        for step, batch in zip(range(first_step + 1, total + 1), batches, strict=True):
            state, metrics = step_over_devices(state, batch)
            if clock is None:
                jax.block_until_ready(metrics)  # so that compiling does not count
                logs.say(f'first step done after {duration(time.monotonic() - start)}')
                clock = Clock(step, total, config.batch_size)
            elif parallel.must_wait_each_step():
                jax.block_until_ready(metrics)

            last = step == total
            if last or step % config.log_every_steps == 0:
                figures = {name: float(x) for name, x in jax.device_get(metrics).items()}
                _check_finite(state)
                figures |= {'epoch': step / epoch} | clock.lap(step)
                logs.write('train', step, figures)
                logs.say(console_line(step, total, figures))
            accuracy = None
            if last or step % (config.validate_every_epochs * epoch) == 0:
                accuracy = validate(state, step)
            if last or step % config.checkpoint_every_steps == 0 or accuracy is not None:
                _check_finite(state)
                position = data_position(config, experiment, step)
                checkpoints.save(state, step, data=position, validation_accuracy=accuracy)
    return state


def _validate(config, step_over_devices, held_out, logs, state, step) -> float | None:
    """Mean accuracy over the sites' validation data; None where there is none."""
    if not held_out:
        return None
    results = evaluate.evaluate_weights(config, step_over_devices, _weights(state), held_out, step)
    figures = {
        f'accuracy_{site}': next(iter(heads.values()))['accuracy']
        for site, heads in results['test_sites'].items()
    }
    figures |= results['average']
    logs.write('validation', step, figures)
    shown = '  '.join(f'{name} {100 * value:.1f} %' for name, value in figures.items())
    logs.say(f'validation after {step} steps: {shown}')
    return figures['accuracy']


def _check_finite(state) -> None:
    """Looks at what the steps recorded of terms that were not finite."""
    step, terms = jax.device_get((state.fault_step, state.fault_terms))
    if step >= 0:
        names = ', '.join(np.array(WATCHED_TERMS)[terms])
        raise DivergenceError(
            f'step {step + 1}: not finite: {names}. Nothing was saved since. A lower learning_rate '
            'or lambda maximum, or a longer warm-up, may help'
        )


def _chosen_weights(checkpoints, state, total_steps) -> tuple[dict, int]:
    """The weights that results are reported of, and the steps they have seen."""
    checkpoints.finish()
    step = evaluate.chosen_step(checkpoints)
    weights = _weights(state)
    if step != total_steps:
        weights = checkpoints.restore_weights(step, weights)
    return weights, step


def _weights(state):
    return {'params': state.params, 'batch_stats': state.batch_stats}


def _announce(logs, experiment, step):
    sizes = ', '.join(f'{part.site.name} {len(part.records):,}' for part in experiment.parts)
    logs.say(
        f'{jax.device_count()} device(s) ({jax.devices()[0].device_kind}), training images: {sizes}'
    )
    start = f'going on after step {step}' if step else 'starting'
    logs.say(
        f'{start}; {experiment.total_steps} steps in all, {experiment.steps_per_epoch} an epoch'
    )
