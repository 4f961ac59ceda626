"""What the devices tell each other in one training step, and how long that may take."""

import functools
import math
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import AbstractMesh
from jax.sharding import PartitionSpec as P

from cda_jax.step import AXIS, Recipe, init_state, train_step

PURPOSES = (
    'gradients',
    'batch norm, forward',
    'batch norm, backward',
    'counts of the losses',
    'metrics',
)


class Sum(NamedTuple):
    """A sum over the devices.

    Attributes:
        purpose: One of `PURPOSES`.
        num_bytes: What each device puts in, and gets back.
    """

    purpose: str
    num_bytes: int


def step_sums(recipe: Recipe, record_size: int) -> list[Sum]:
    """Every sum over the devices in one training step, in order; nothing is computed.

    Args:
        recipe: Of the step.
        record_size: Side of the records' images, in pixels.
    """
    state = jax.eval_shape(functools.partial(init_state, recipe, 0))
    rows = 2
    batch = {
        'image': jax.ShapeDtypeStruct((rows, record_size, record_size, 3), jnp.uint8),
        'label': jax.ShapeDtypeStruct((rows,), jnp.int32),
        'site': jax.ShapeDtypeStruct((rows,), jnp.int32),
        'mask': jax.ShapeDtypeStruct((rows,), bool),
    }
    step = jax.shard_map(
        functools.partial(train_step, recipe=recipe),
        mesh=AbstractMesh((2,), (AXIS,)),
        in_specs=(P(), P()),
        out_specs=P(),
        check_vma=False,
    )
    equations = list(_collectives(jax.make_jaxpr(step)(state, batch).jaxpr))
    # Outside of differentiation stand first the gradients, one for each parameter, then metrics.
    gradients_left = len(jax.tree.leaves(state.params))
    sums = []
    for equation in equations:
        where = str(equation.source_info.name_stack)
        num_bytes = sum(v.aval.size * v.aval.dtype.itemsize for v in equation.invars)
        if '/' in where:  # a layer; with remat its forward pass is done again on the way back
            is_forward = where.startswith(('jvp', 'rematted'))
            purpose = 'batch norm, forward' if is_forward else 'batch norm, backward'
        elif where:
            purpose = 'counts of the losses'
        else:
            purpose = 'gradients' if gradients_left > 0 else 'metrics'
            gradients_left -= len(equation.invars)
        sums.append(Sum(purpose, num_bytes))
    return sums


def all_reduce_seconds(
    num_bytes: float, num_devices: int, *, bytes_per_second: float, latency: float
) -> float:
    """How long a sum over the devices takes, by a ring or by a tree, whichever is quicker.

    A ring passes 2 (N - 1) / N of the bytes through every link, in 2 (N - 1) messages one after
    another; a tree passes all of them up and down, in 2 log2 N.

    Args:
        num_bytes: Of each device.
        num_devices: N.
        bytes_per_second: Of each link, in each direction.
        latency: Of one message, in seconds.
    """
    if num_devices == 1:
        return 0.0
    hops = 2 * (num_devices - 1)
    ring = hops / num_devices * num_bytes / bytes_per_second + hops * latency
    tree = 2 * math.ceil(math.log2(num_devices)) * (latency + num_bytes / bytes_per_second)
    return min(ring, tree)


def _collectives(jaxpr) -> Iterator:
    for equation in jaxpr.eqns:
        if equation.primitive.name.startswith(('psum', 'all_reduce')):
            yield equation
        for value in equation.params.values():
            for part in value if isinstance(value, tuple | list) else (value,):
                inner = getattr(part, 'jaxpr', part)
                if hasattr(inner, 'eqns'):
                    yield from _collectives(inner)
