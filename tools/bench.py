"""Measures how fast a configuration trains, and which part is the slow one.

    python tools/bench.py --config=configs/demo.py

Prints images per second of reading and decoding alone, of the training step alone (one batch that
stays on the device), and of both together as training runs them.
"""

import functools
import itertools
import sys
import time
from collections.abc import Callable, Iterator

import jax
from absl import app, flags
from ml_collections import config_flags

from cda_jax.config import read_config
from cda_jax.errors import InputError
from cda_jax.experiment import build_experiment, open_batches
from cda_jax.runtime import devices
from cda_jax.step import init_state, train_step

_CONFIG = config_flags.DEFINE_config_file('config', help_string='Config file.', lock_config=True)
_STEPS = flags.DEFINE_integer('steps', 100, 'Steps to time in each part.', lower_bound=2)
flags.mark_flag_as_required('config')

_WARM_UP = 8  # more than are read ahead


def measure(work: Callable[[], object], steps: int) -> float:
    """Seconds a step, after some that do not count; waits for the device at both ends."""
    for _ in range(_WARM_UP):
        last = work()
    jax.block_until_ready(last)
    start = time.perf_counter()
    for _ in range(steps):
        last = work()
    jax.block_until_ready(last)
    return (time.perf_counter() - start) / steps


def bench(config, steps: int) -> Iterator[tuple[str, float]]:
    """Yields names of parts and their seconds a step."""
    devices.check_batch_size(config.batch_size)
    experiment = build_experiment(config)
    # Streams are read to their end: Grain's workers leave shared memory behind otherwise.
    experiment = experiment._replace(total_steps=_WARM_UP + steps)
    batches = open_batches(experiment)
    one = devices.put_batch(next(batches))
    yield 'reading', measure(functools.partial(next, batches), steps - 1)
    next(batches, None)

    recipe = experiment.recipe
    step = devices.lift_train_step(
        functools.partial(train_step, recipe=recipe, axis_name=devices.AXIS)
    )
    state = devices.replicate(init_state(recipe, config.seed))

    def train_on(batches):
        nonlocal state
        state, metrics = step(state, next(batches))
        if devices.must_wait_each_step():
            jax.block_until_ready(metrics)
        return metrics

    yield 'step', measure(functools.partial(train_on, itertools.repeat(one)), steps)
    placed = devices.prefetch(open_batches(experiment))
    yield 'together', measure(functools.partial(train_on, placed), steps)
    next(placed, None)


def main(argv: list[str]) -> None:
    """Prints a line for each part."""
    del argv
    try:
        config = read_config(_CONFIG.value.to_dict())
        print(f'{jax.device_count()} x {jax.devices()[0].device_kind}, jax {jax.__version__}')
        for part, seconds in bench(config, _STEPS.value):
            rate = config.batch_size / seconds
            print(f'{part:<9} {1000 * seconds:9.1f} ms/step {rate:9,.0f} images/s', flush=True)
    except InputError as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    app.run(main)
