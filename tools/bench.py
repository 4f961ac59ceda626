"""Measures how fast a configuration trains, and which part is the slow one.

    python tools/bench.py --config=configs/demo.py

Prints images per second of reading alone, decoding records or taking pixels that are in memory; of
the training step alone (one batch that stays on the device); and of both together as training runs
them. `--config.num_threads=N` reads with N threads.
"""

import collections
import contextlib
import functools
import itertools
import time
from collections.abc import Callable, Iterator

import jax
from absl import flags

from cda_jax.config import Config, read_config
from cda_jax.data.examples import Batch, Examples
from cda_jax.data.pipeline import train_batches
from cda_jax.experiment import Experiment, build_experiment, open_batches, reading
from cda_jax.runtime import devices, program
from cda_jax.step import init_state, train_step

_CONFIG = program.config_flag()
_STEPS = flags.DEFINE_integer('steps', 100, 'Steps to time in each part.', lower_bound=2)

_WARM_UP = 20  # more than are read ahead


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


def bench(config: Config, steps: int) -> Iterator[tuple[str, float]]:
    """Yields names of parts and their seconds a step."""
    devices.check_batch_size(config.batch_size)
    experiment = build_experiment(config)
    # No stream ends while it is timed: at its end less is read than is used.
    experiment = experiment._replace(total_steps=2 * _WARM_UP + steps)
    for keep, part in ((False, 'from records'), (True, 'from memory')):
        examples = Examples(experiment.parts, range(len(experiment.parts)), keep=keep)
        if keep:
            collections.deque(_read(experiment, examples), maxlen=0)
        with contextlib.closing(_read(experiment, examples)) as batches:
            one = next(batches)
            yield part, measure(functools.partial(next, batches), steps)

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

    placed = itertools.repeat(devices.put_batch(one))
    yield 'step', measure(functools.partial(train_on, placed), steps)
    with contextlib.closing(open_batches(experiment)) as batches:
        placed = devices.prefetch(batches)
        yield 'together', measure(functools.partial(train_on, placed), steps)


def _read(experiment: Experiment, examples: Examples) -> Iterator[Batch]:
    return train_batches(
        examples,
        experiment.site_shares,
        reading(experiment.config),
        seed=experiment.config.seed,
        first_step=0,
        total_steps=experiment.total_steps,
    )


def main() -> None:
    """Prints a line for each part."""
    config = read_config(program.config_fields(_CONFIG))
    print(f'{jax.device_count()} x {jax.devices()[0].device_kind}, jax {jax.__version__}')
    for part, seconds in bench(config, _STEPS.value):
        rate = config.batch_size / seconds
        print(f'{part:<12} {1000 * seconds:9.1f} ms/step {rate:9,.0f} images/s', flush=True)


if __name__ == '__main__':
    program.run(main)
