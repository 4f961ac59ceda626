"""What changes over training: the strength of the reversed gradient and the learning rate."""

import math
from collections.abc import Callable

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from cda_jax.errors import InputError

# From the steps that are done to a value.
Schedule = Callable[[Int[Array, '']], Float[Array, '']]

_SHAPES = {
    'linear': lambda p: p,
    'dann': lambda p: 2 / (1 + jnp.exp(-10 * p)) - 1,
    'constant': jnp.ones_like,
}


def share_done(total_steps: int) -> Schedule:
    """Progress p of training: 0 at the first step, 1 at the last."""
    return lambda step: step / jnp.float32(max(total_steps - 1, 1))


def reversal_strength(
    kind: str, *, maximum: float, warmup_fraction: float, total_steps: int
) -> Schedule:
    """Lambda, the strength of a gradient reversal.

    Source: 'linear' is the rise "from 0 to 1 during the entire training epochs" of Han et al.
    (2020), section III-E, https://doi.org/10.1109/ACCESS.2020.3018738; 'dann' is
    2 / (1 + exp(-10 p)) - 1 of Ganin and Lempitsky (2015), section 4,
    https://arxiv.org/abs/1409.7495; 'constant' is 1 throughout.

    Args:
        maximum: What the shape, 0 to 1, is multiplied by.
        warmup_fraction: Share of training, 0 to below 1, in which lambda is 0; the schedule then
            runs over the rest.

    Raises:
        InputError: `kind` or `warmup_fraction` is none of these.

    >>> strength = reversal_strength('linear', maximum=0.3, warmup_fraction=0.5, total_steps=5)
    >>> print([round(float(strength(step)), 2) for step in range(5)])
    [0.0, 0.0, 0.0, 0.15, 0.3]
    """
    if kind not in _SHAPES:
        raise InputError(f'lambda_schedule is {kind!r}, expected one of {", ".join(_SHAPES)}')
    if not 0 <= warmup_fraction < 1:
        raise InputError(f'lambda_warmup_fraction is {warmup_fraction}, expected 0 to below 1')

    def schedule(step):
        progress = share_done(total_steps)(step)
        rest = (progress - warmup_fraction) / (1 - warmup_fraction)
        return jnp.where(
            progress < warmup_fraction, 0, maximum * _SHAPES[kind](jnp.clip(rest, 0, 1))
        )

    return schedule


def warmup_cosine(*, peak: float, warmup_steps: int, total_steps: int) -> Schedule:
    """Learning rate that rises linearly to its peak over the warm-up and falls to 0 by a cosine.

    Source: Goyal et al. (2017), section 2.2, https://arxiv.org/abs/1706.02677, for the warm-up.
    """
    warmup_steps = min(warmup_steps, total_steps - 1)
    return optax.warmup_cosine_decay_schedule(
        init_value=peak / max(warmup_steps, 1) if warmup_steps else peak,
        peak_value=peak,
        warmup_steps=warmup_steps,
        decay_steps=total_steps,
    )


def steps_per_epoch(num_examples: int, batch_size: int) -> int:
    """Whole batches in one pass over the training data.

    Raises:
        InputError: There is not even one.
    """
    steps = math.floor(num_examples / batch_size)
    if steps == 0:
        raise InputError(
            f'batch_size is {batch_size}, but there are only {num_examples} training examples; '
            'expected a batch no larger than the data'
        )
    return steps
