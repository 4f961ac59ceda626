"""The optimizer: any of Optax, with weight decay, rates of the parts and frozen ones."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

from cda_jax.errors import InputError
from cda_jax.losses.lookup import import_function
from cda_jax.models.resnet import is_frozen
from cda_jax.schedules import Schedule


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
        dataset_classifier_rate_factor: Times the learning rate, like that of the ResNet without its
            last layer, `pretrained_rate_factor`.
        freeze: As of `is_frozen`.

    Raises:
        InputError: There is none of this name, or it does not take its arguments.
    """
    kernels = _each(lambda *path: path[-1] == 'kernel')
    given = {'momentum': momentum, 'weight_decay': weight_decay, 'mask': kernels}
    named, decays = _named(optimizer, optimizer_args, learning_rate, given)
    parts = [(_in_dataset_classifier, dataset_classifier_rate_factor)]
    if pretrained_rate_factor != 1:
        parts.append((_in_backbone, pretrained_rate_factor))
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


def _in_dataset_classifier(part: str, *path: str) -> bool:
    return part == 'dataset_classifier'


def _in_backbone(part: str, *path: str) -> bool:
    return part == 'feature_extractor' and path[0] != 'feature'


def _each(judge: Callable[..., Any]) -> Callable[[dict], dict]:
    """From a tree to what is judged of each of its leaves by its path."""

    def of_tree(tree):
        return jax.tree.map_with_path(lambda path, _: judge(*(entry.key for entry in path)), tree)

    return of_tree
