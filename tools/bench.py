"""Measures how fast a configuration trains, which part is the slow one, and what it does there.

    python tools/bench.py --config=configs/demo.py --profile
    python tools/bench.py --config=configs/demo.py --json=new.json --compare=old.json

The parts: reading alone, from records or from memory; the training step alone, on a batch that
stays on the device; both together, as training runs them; evaluation, which reads records. They
take turns, so that other work on the machine hits all alike, and the median counts. A product of
large matrices, of which the fastest counts, shows what the devices are capable of.
"""

import functools
import itertools
import platform
import re
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import jax
import msgspec
from absl import flags
from tabulate import tabulate

from cda_jax import evaluate, experiment
from cda_jax.config import Config, as_fields, read_config
from cda_jax.data.examples import Examples, is_kept
from cda_jax.runtime import devices, program
from cda_jax.runtime.children import num_processors
from cda_jax.runtime.files import read_json, write_json
from cda_jax.runtime.profile import profile
from cda_jax.step import init_state, train_step

_CONFIG = program.config_flag()
_STEPS = flags.DEFINE_integer('steps', 20, 'Steps to time in a turn.', lower_bound=1)
_REPEATS = flags.DEFINE_integer('repeats', 5, 'Turns of each part.', lower_bound=1)
_PROFILE = flags.DEFINE_bool('profile', False, 'Also list the largest operations of the step.')
_JSON = flags.DEFINE_string('json', None, 'File to write all figures to.')
_COMPARE = flags.DEFINE_string('compare', None, 'Such a file of before, to compare with.')


class Speed(msgspec.Struct, frozen=True):
    """What was measured, and where; FLOP are operations, and flops operations a second."""

    machine: str
    config: dict[str, Any]
    seconds_per_batch: dict[str, list[float]]  # by part, in each turn
    together_to_step: float
    product_flops: dict[str, float]  # by the type of the matrices
    step_flop: float  # as the step is written
    share_of_peak: float  # of the product in the type that the ResNet computes in
    peak_memory_bytes: int  # of the fullest device, or of the process where devices do not say
    profile: dict[str, tuple[float, str]]


def bench(config: Config, steps: int, repeats: int, with_profile: bool) -> Speed:
    """Measures all parts of a configuration."""
    devices.check_batch_size(config.batch_size)
    to_read = max(steps, 100)
    # No stream ends while it is timed: at its end less is read than is used.
    run = experiment.build_experiment(config)._replace(total_steps=to_read + 50)
    step = functools.partial(train_step, recipe=run.recipe, axis_name=devices.AXIS)
    make_state = functools.partial(init_state, run.recipe, config.seed)
    train = devices.lift(step, donate_argnums=0)
    state = devices.on_every_device(make_state)()
    counts = experiment.head_class_counts(config, run.parts)
    evaluation = evaluate.over_devices(run.recipe.model, config, counts)
    sets = []
    for entry in evaluate.open_sets(config, run.parts[0].site.class_names):
        some = slice(steps * config.batch_size)  # the beginning is enough
        index = entry.part.index.take(some)
        part = entry.part._replace(records=entry.part.records[some], index=index)
        examples = Examples([part], [0], label_is_site=config.target == 'site')
        sets.append(entry._replace(part=part, examples=examples))

    def train_on(batch: dict) -> dict:
        nonlocal state
        state, metrics = train(state, batch)
        return jax.block_until_ready(metrics) if devices.must_wait_each_step() else metrics

    def evaluate_all(_: dict) -> None:
        evaluate.evaluate_weights(config, evaluation, state.weights, sets, step=0)

    def read(examples: Examples) -> float:
        # The batches that were read ahead do not count.
        return _seconds(lambda batch: None, open_batches(examples), to_read, warm_up=20)

    open_batches = functools.partial(experiment.open_batches, run, 0)
    sources = {'from records': experiment.open_examples(run, keep=False)}
    if config.keep_decoded == 'yes' or is_kept('auto', run.parts, 1):
        sources['from memory'] = experiment.open_examples(run, keep=True)
        read(sources['from memory'])
    used = sources['from memory' if is_kept(config.keep_decoded, run.parts, 1) else 'from records']
    rows = next(open_batches(used))
    same = itertools.repeat(devices.put_batch(rows))
    batches_of_tests = sum(len(entry.part.records) for entry in sets) / config.batch_size
    parts = {name: functools.partial(read, examples) for name, examples in sources.items()} | {
        'step': lambda: _seconds(train_on, same, steps),
        'together': lambda: _seconds(train_on, devices.prefetch(open_batches(used)), steps),
        'evaluation': lambda: _seconds(evaluate_all, same, 1, 0) / batches_of_tests,
    }

    evaluate_all({})  # compiles
    turns = [{name: part() for name, part in parts.items()} for _ in range(repeats)]
    seconds = {name: [turn[name] for turn in turns] for name in parts}
    of_step, rates = median(seconds['step']), {}
    of_devices = [device.memory_stats() or {} for device in jax.local_devices()]
    of_process = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # Linux: KiB
    peak_memory = max(of.get('peak_bytes_in_use', 0) for of in of_devices) or of_process
    # Only now, lest they count in the memory that training takes.
    side = 2048 if jax.default_backend() == 'cpu' else 8192
    multiply = devices.lift(lambda matrix, _: matrix @ matrix)
    for kind in ('float32', config.compute_dtype):
        matrix = devices.replicate(jax.random.normal(jax.random.key(0), (side, side), kind))
        product = functools.partial(multiply, matrix)
        fastest = min(_seconds(product, same, 5) for _ in range(repeats))
        rates[kind] = 2.0 * side**3 * jax.device_count() / fastest

    # As for one CPU, wherever it runs: of what a GPU's libraries do, XLA counts nothing.
    cpu = jax.local_devices(backend='cpu')[:1]
    on_cpu = jax.pmap(step, devices.AXIS, in_axes=(None, 0), out_axes=None, devices=cpu)
    lowered = on_cpu.lower(jax.eval_shape(make_state), {k: x[None] for k, x in rows.items()})
    flop, operations = lowered.cost_analysis()['flops'], {}
    if with_profile:
        text = train.lower(state, next(same)).compile().as_text()
        operations = profile(lambda: train_on(next(same)), 3, text)
    file, device = Path('/proc/cpuinfo'), f'{jax.device_count()} x {jax.devices()[0].device_kind}'
    names = re.findall(r'model name\s*: (.*)', file.read_text()) if file.exists() else []
    processors = f'{num_processors()} x {names[0] if names else platform.machine()}'
    return Speed(
        machine=f'{device}, {processors}, jax {jax.__version__}',
        config=as_fields(config),
        seconds_per_batch=seconds,
        together_to_step=median(seconds['together']) / of_step,
        product_flops=rates,
        step_flop=flop,
        share_of_peak=flop / of_step / rates[config.compute_dtype],
        peak_memory_bytes=peak_memory,
        profile=operations,
    )


def _seconds(work: Callable, batches: Iterator, calls: int, warm_up: int = 3) -> float:
    """Seconds a batch; waits for the device after those that do not count, and at the end."""
    result = None
    for count in (warm_up, calls):
        start = time.perf_counter()
        for batch in itertools.islice(batches, count):
            result = work(batch)
        jax.block_until_ready(result)
    return (time.perf_counter() - start) / calls


def report(new: Speed, old: Speed | None) -> Iterator[str]:
    """Yields tables and lines, with how many times as fast each part is as it was."""
    rows = []
    for part, seconds in new.seconds_per_batch.items():
        times = [1000 * s for s in (median(seconds), min(seconds), max(seconds))]
        before = [old.seconds_per_batch[part]] if old and part in old.seconds_per_batch else []
        faster = [median(was) / median(seconds) for was in before]
        rows.append([part, *times, new.config['batch_size'] / median(seconds), *faster])
    head = ['', 'ms/batch', 'least', 'most', 'images/s', *['times as fast'] * bool(old)]
    yield tabulate(rows, head, floatfmt=('', '.1f', '.1f', '.1f', ',.0f', '.2f'))
    yield f'together / step: {new.together_to_step:.2f}'
    for kind, rate in new.product_flops.items():
        yield f'product of {kind} matrices: {rate / 1e9:,.0f} GFLOP/s'
    flop, kind = new.step_flop / 1e9, new.config['compute_dtype']
    yield f'step: {flop:,.1f} GFLOP, at {new.share_of_peak:.1%} of the rate of {kind}'
    yield f'peak memory: {new.peak_memory_bytes / 2**20:,.0f} MiB'
    if new.profile:
        total = sum(each for each, _ in new.profile.values())
        found = [(name, *of) for name, of in new.profile.items()]
        rows = [(name, 1000 * s, 100 * s / total, what[:99]) for name, s, what in found]
        yield tabulate(rows[:10], ['operation', 'ms/step', '%', 'what'], floatfmt='.1f')
    if old:
        was, now = ({'machine': of.machine} | of.config for of in (old, new))
        differing = [name for name in was | now if was.get(name) != now.get(name)]
        yield from (f'{name} was {was.get(name)}, is {now.get(name)}' for name in differing)


def main() -> None:
    """Does what the flags say."""
    config = read_config(program.config_fields(_CONFIG))
    if names := jax.config.jax_platforms:  # the CPU counts operations
        jax.config.update('jax_platforms', f'{names},cpu')
    old = read_json(Path(_COMPARE.value), Speed) if _COMPARE.value else None
    speed = bench(config, _STEPS.value, _REPEATS.value, _PROFILE.value)
    print(speed.machine, *report(speed, old), sep='\n')
    if _JSON.value:
        write_json(Path(_JSON.value), speed)


if __name__ == '__main__':
    program.run(main)
