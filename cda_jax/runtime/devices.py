"""Devices and processes: lifts a per-device step over them, and places states and batches on them.

In one process `jax.pmap` lifts the step, the state unstacked. In several processes it is what pmap
itself expands to, `jit(shard_map)`, because the outputs of pmap belong to one process there, and
Orbax refuses them. The step is the same function in both.
"""

import collections
import functools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from cda_jax.errors import InputError

# The mapped axis: a step sums over it to combine what the devices have.
AXIS = 'data'

_BATCHES_AHEAD = 2

T = TypeVar('T')


def check_batch_size(batch_size: int) -> None:
    """Checks that the batch can be divided among all devices equally."""
    if batch_size <= 0 or batch_size % jax.device_count():
        raise InputError(
            f'batch_size is {batch_size}, expected a multiple of the {jax.device_count()} devices'
        )


def lift_rows(step: Callable) -> Callable:
    """Lifts `step(weights, batch) -> arrays of the device's rows`, in one process.

    The arrays that the lifted step returns have a new first axis of devices.
    """
    return jax.pmap(step, axis_name=AXIS, in_axes=(None, 0), out_axes=0)


def lift(step: Callable, **options: int) -> Callable:
    """Lifts `step(state, batch)`, whose results are the same on all devices, over all of them.

    It sums over `AXIS`. The lifted step takes a replicated state, or weights, and a placed batch.
    With the option `donate_argnums=0` it uses the memory of the state again.
    """
    if jax.process_count() == 1:
        return jax.pmap(step, axis_name=AXIS, in_axes=(None, 0), out_axes=None, **options)
    # JAX's check of what is the same on all devices would sum the gradients once more.
    per_device = jax.shard_map(
        step, mesh=_mesh(), in_specs=(P(), P(AXIS)), out_specs=P(), check_vma=False
    )
    return jax.jit(per_device, **options)


def on_every_device(make: Callable) -> Callable:
    """Compiles a function whose results, the same in every process, go to every device.

    It is for what is quickly done, and is optimised little: on a CPU, what draws the first weights
    would take half a minute to compile.
    """
    name, options = 'xla_backend_optimization_level', None
    if jax.default_backend() == 'cpu' and name not in os.environ.get('XLA_FLAGS', ''):
        options = {name: 1}
    return jax.jit(make, out_shardings=NamedSharding(_mesh(), P()), compiler_options=options)


def replicate(tree):
    """Places a tree of arrays, the same in every process, on every device."""
    # Not by device_put, which refuses random keys where several processes take part.
    return on_every_device(lambda x: x)(tree)


def put_batch(batch: dict[str, np.ndarray]) -> dict[str, jax.Array]:
    """Starts to place this process's rows of a global batch, [B / processes, ...], on its devices.

    The rows of all processes, in their order, make up the batch.
    """
    rows = NamedSharding(_mesh(), P(AXIS))
    if jax.process_count() > 1:
        return {k: jax.make_array_from_process_local_data(rows, x) for k, x in batch.items()}
    by_device = {k: x.reshape(jax.device_count(), -1, *x.shape[1:]) for k, x in batch.items()}
    return jax.device_put(by_device, rows)


class AnyProcess:
    """Whether any process says yes; all get the same answer at the same step.

    With several processes the answer is some steps old, so that none of them waits for it.
    """

    def __init__(self):
        self._answers = collections.deque()

    def __call__(self, flag: bool) -> bool:
        """Takes this process's word, and gives all the same answer; all call it once per step."""
        if jax.process_count() == 1:
            return flag
        of_all = put_batch({'flags': np.full(jax.local_device_count(), flag)})['flags']
        self._answers.append(on_every_device(jnp.any)(of_all))
        return len(self._answers) > _BATCHES_AHEAD and bool(self._answers.popleft())


def prefetch(batches: Iterable[dict[str, np.ndarray]]) -> Iterator[dict[str, jax.Array]]:
    """Places batches by `put_batch` ahead of their use, so that transfer and work overlap."""
    return run_ahead(map(put_batch, batches))


def run_ahead(items: Iterable[T], count: int = _BATCHES_AHEAD) -> Iterator[T]:
    """Passes items on, each once `count` more have come: what they set going runs meanwhile."""
    ahead = collections.deque()
    for item in items:
        ahead.append(item)
        if len(ahead) > count:
            yield ahead.popleft()
    yield from ahead


def must_wait_each_step() -> bool:
    """Whether each step must end before the next begins, lest they lock each other out.

    Virtual CPU devices share one pool of threads, and the collectives of one step can wait for
    threads that those of the next hold.
    """
    return jax.default_backend() == 'cpu' and jax.device_count() > 1


@functools.cache
def _mesh() -> Mesh:
    # In the order of the processes, and of pmap within one; jax.make_mesh may choose another.
    devices = sorted(jax.devices(), key=lambda device: device.process_index)
    return Mesh(np.array(devices), (AXIS,), axis_types=(jax.sharding.AxisType.Auto,))
