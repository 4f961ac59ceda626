"""What changes over training: the strength of the reversed gradient and the learning rate."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from cda_jax.errors import InputError

Schedule = Callable[[jax.Array], jax.Array]

_SHAPES = {
    'linear': lambda p: p,
    'dann': lambda p: 2 / (1 + jnp.exp(-10 * p)) - 1,
    'constant': jnp.ones_like,
}


def share_done(total_steps: int) -> Schedule:
    """Progress p of training by the step (int32 scalar): 0 at the first step, 1 at the last.

    Args:
        total_steps: Steps of the whole training.
    """
    return lambda step: step / jnp.float32(max(total_steps - 1, 1))


def reversal_strength(
    kind: str, *, maximum: float, warmup_fraction: float, total_steps: int
) -> Schedule:
    """Lambda as a function of the step.

    Source: 'linear' is the rise "from 0 to 1 during the entire training epochs" of Han et al.
    (2020), section III-E; 'dann' is Ganin and Lempitsky (2015), section 4; 'constant' is its
    maximum throughout.

    Args:
        kind: 'linear', 'dann' or 'constant'.
        maximum: Lambda at the end.
        warmup_fraction: Share of training, 0 to below 1, in which lambda is 0; the schedule then
            runs over the rest.
        total_steps: Steps of the whole training.

    Returns:
        Function from the step (int32 scalar, from 0) to lambda (float32 scalar).

    Raises:
        InputError: `kind` or `warmup_fraction` is none of these.
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
    """Learning rate that rises linearly to `peak` over the warm-up and falls to 0 by a cosine.

    Source: Goyal et al. (2017), section 2.2, for the warm-up.

    Args:
        peak: Highest learning rate.
        warmup_steps: Steps of the rise.
        total_steps: Steps of the whole training.

    Returns:
        Function from the step (from 0) to the learning rate.
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
