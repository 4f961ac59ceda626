"""Devices and processes: lift a per-device step over them, place states and batches on them.

In one process the step is lifted by `jax.pmap`, the state unstacked. Where several processes take
part, by what pmap itself expands to, `jit(shard_map)`: pmap's outputs belong to one process there,
and a checkpoint of all cannot be made of them. The step is the same function in both.
"""

import collections
import functools
from collections.abc import Callable, Iterable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from cda_jax.errors import InputError

# The mapped axis: what a step sums over, to speak to the other devices.
AXIS = 'data'

_BATCHES_AHEAD = 2


def check_batch_size(batch_size: int) -> None:
    """Checks that every device gets the same number of rows.

    Raises:
        InputError: The devices do not divide the batch.
    """
    if batch_size <= 0 or batch_size % jax.device_count():
        raise InputError(
            f'batch_size is {batch_size}, expected a multiple of the {jax.device_count()} devices'
        )


def lift_train_step(step: Callable) -> Callable:
    """Lifts `step(state, batch) -> (state, metrics)`; the given state's memory is used again.

    Args:
        step: Per device, with sums over the axis `AXIS`.

    Returns:
        Function of a replicated state (see `replicate`) and a batch placed by `put_batch`.
    """
    return _lift(step, donate_argnums=0)


def lift_eval_step(step: Callable) -> Callable:
    """Lifts `step(weights, batch) -> sums`, as `lift_train_step` does; the weights stay."""
    return _lift(step)


def lift_rows(step: Callable) -> Callable:
    """Lifts `step(weights, batch) -> arrays of this device's rows`, in one process.

    Returns:
        Function as of `lift_eval_step`; its arrays have a new first axis of devices.
    """
    return jax.pmap(step, axis_name=AXIS, in_axes=(None, 0), out_axes=0)


def _lift(step: Callable, **options: int) -> Callable:
    if jax.process_count() == 1:
        return jax.pmap(step, axis_name=AXIS, in_axes=(None, 0), out_axes=None, **options)
    # JAX's check of what is the same on all devices would sum the gradients once more.
    per_device = jax.shard_map(
        step, mesh=_mesh(), in_specs=(P(), P(AXIS)), out_specs=P(), check_vma=False
    )
    return jax.jit(per_device, **options)


def replicated() -> NamedSharding:
    """The sharding of what is the same on every device of every process."""
    return NamedSharding(_mesh(), P())


def replicate(tree):
    """Places a tree of arrays, the same in every process, on every device."""
    # Through jit, because device_put refuses random keys where several processes take part.
    return jax.jit(lambda x: x, out_shardings=replicated())(tree)


def put_batch(batch: dict[str, np.ndarray]) -> dict[str, jax.Array]:
    """Places this process's rows of a global batch on its devices.

    The transfer runs on while the caller goes on.

    Args:
        batch: Arrays [B / processes, ...]; the processes' rows one after another are the batch.

    Returns:
        Arrays as the lifted steps take them.
    """
    rows = NamedSharding(_mesh(), P(AXIS))
    if jax.process_count() > 1:
        place = functools.partial(jax.make_array_from_process_local_data, rows)
        return {name: place(values) for name, values in batch.items()}
    devices = jax.local_device_count()
    return jax.device_put(
        {name: values.reshape(devices, -1, *values.shape[1:]) for name, values in batch.items()},
        rows,
    )


class AnyProcess:
    """Whether any process says yes, answered alike in all of them at the same step.

    With several processes the answer is some steps old, so that nobody waits for it.
    """

    def __init__(self):
        self._answers = collections.deque()

    def __call__(self, flag: bool) -> bool:
        """Takes this process's word and gives the answer; to be called once a step by all."""
        if jax.process_count() == 1:
            return flag
        flags = np.full(jax.local_device_count(), flag)
        of_all = jax.make_array_from_process_local_data(NamedSharding(_mesh(), P(AXIS)), flags)
        self._answers.append(jax.jit(jnp.any, out_shardings=replicated())(of_all))
        return len(self._answers) > _BATCHES_AHEAD and bool(self._answers.popleft())


def prefetch(batches: Iterable[dict[str, np.ndarray]]) -> Iterator[dict[str, jax.Array]]:
    """Places batches on the devices ahead of their use, so that transfer and work overlap.

    Args:
        batches: As for `put_batch`.
    """
    ahead = collections.deque()
    for batch in batches:
        ahead.append(put_batch(batch))
        if len(ahead) > _BATCHES_AHEAD:
            yield ahead.popleft()
    yield from ahead


def must_wait_each_step() -> bool:
    """Whether steps in flight can lock each other out.

    Virtual CPU devices share one pool of threads; with several steps queued, the collectives of one
    can wait for threads that those of the next hold.
    """
    return jax.default_backend() == 'cpu' and jax.device_count() > 1


@functools.cache
def _mesh() -> Mesh:
    # In the order of the processes, and of pmap within one; jax.make_mesh may choose another.
    devices = sorted(jax.devices(), key=lambda device: device.process_index)
    return Mesh(np.array(devices), (AXIS,), axis_types=(jax.sharding.AxisType.Auto,))
