"""What a step descends by: learning rate and lambda over training, and the optimizer."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from cda_jax.errors import InputError
from cda_jax.losses.lookup import import_function
from cda_jax.models.resnet import is_frozen

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
    kind: str, warmup_fraction: float, *, maximum: float, total_steps: int
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

    >>> strength = reversal_strength('linear', maximum=0.3, warmup_fraction=0.5, total_steps=5)
    >>> print([round(float(strength(step)), 2) for step in range(5)])
    [0.0, 0.0, 0.0, 0.15, 0.3]
    """

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

    Raises InputError if there is not even one.
    """
    steps = num_examples // batch_size
    if steps == 0:
        raise InputError(
            f'batch_size is {batch_size}, but there are only {num_examples} training examples; '
            'expected a batch no larger than the data'
        )
    return steps


def build_optimizer(
    learning_rate: Schedule,
    *,
    optimizer: str,
    optimizer_args: Mapping[str, Any],
    momentum: float,
    weight_decay: float,
    gradient_clip: float,
    dataset_classifier_rate_factor: float,
    pretrained_rate_factor: float,
    freeze: str,
) -> optax.GradientTransformation:
    """The named optimizer; weight decay acts on kernels, not on biases or batch norm.

    Args:
        optimizer: A function of Optax, or a dotted path; it gets the learning rate, of the momentum
            and the weight decay what it names, and `optimizer_args`.
        gradient_clip: The largest norm of the whole gradient; 0 for none.
        dataset_classifier_rate_factor: Of the dataset classifier's learning rate.
        pretrained_rate_factor: Of that of the ResNet without its last layer.
        freeze: As of `is_frozen`.

    Raises InputError if there is none of this name, or it does not take its arguments.
    """

    def in_backbone(part, *path):
        return part == 'feature_extractor' and path[0] != 'feature'

    kernels = _each(lambda *path: path[-1] == 'kernel')
    given = {'momentum': momentum, 'weight_decay': weight_decay}
    given |= {'mask': kernels, 'weight_decay_mask': kernels}
    named, decays = _named(optimizer, optimizer_args, learning_rate, given)
    parts = [(lambda part, *path: part == 'dataset_classifier', dataset_classifier_rate_factor)]
    if pretrained_rate_factor != 1:
        parts.append((in_backbone, pretrained_rate_factor))
    whole = optax.chain(
        optax.clip_by_global_norm(gradient_clip) if gradient_clip else optax.identity(),
        optax.identity() if decays else optax.add_decayed_weights(weight_decay, kernels),
        named,
        *(optax.masked(optax.scale(factor), _each(is_in)) for is_in, factor in parts),
    )
    if freeze == 'nothing':
        return whole

    def kind(part, *path):
        stays = part == 'feature_extractor' and is_frozen(path, freeze)
        return 'frozen' if stays else 'trained'

    return optax.partition({'trained': whole, 'frozen': optax.set_to_zero()}, _each(kind))


def _named(name, args, learning_rate, given) -> tuple[optax.GradientTransformation, bool]:
    """The optimizer with those of the given arguments that it names, and if it decays weights."""
    make = import_function(name, 'optax', 'optimizer')
    try:
        names = inspect.signature(make).parameters
        given = {argument: value for argument, value in given.items() if argument in names}
        optimizer = make(learning_rate, **given | args)
        if not isinstance(optimizer, optax.GradientTransformation):
            raise TypeError(f'it gives a {type(optimizer).__name__}')
    except (TypeError, ValueError) as error:
        raise InputError(
            f'config field optimizer: {name!r} cannot be used with optimizer_args {args}: {error}; '
            'expected a function of the learning rate and these that gives an '
            'optax.GradientTransformation'
        ) from error
    return optimizer, 'weight_decay' in names


def _each(judge: Callable[..., Any]) -> Callable[[dict], dict]:
    """From a tree to what is judged of each of its leaves by its path."""
    return functools.partial(
        jax.tree.map_with_path, lambda path, _: judge(*(entry.key for entry in path))
    )
