"""From a config to the optimizer: any of Optax, with weight decay, rates and frozen parts."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import optax

from cda_jax.config import Config
from cda_jax.errors import InputError
from cda_jax.losses.lookup import import_function
from cda_jax.models.resnet import is_frozen
from cda_jax.schedules import Schedule


def build_optimizer(config: Config, learning_rate: Schedule) -> optax.GradientTransformation:
    """The named optimizer; weight decay acts on kernels, not on biases or batch norm.

    Raises:
        InputError: There is none of this name, or it does not take its arguments.
    """
    kernels = _each(lambda *path: path[-1] == 'kernel')
    clip = optax.clip_by_global_norm(config.gradient_clip)
    optimizer, decays = _named(config, learning_rate, kernels)
    parts = [(_in_dataset_classifier, config.dataset_classifier_rate_factor)]
    if config.pretrained_rate_factor != 1:
        parts.append((_in_backbone, config.pretrained_rate_factor))
    whole = optax.chain(
        clip if config.gradient_clip else optax.identity(),
        optax.identity() if decays else optax.add_decayed_weights(config.weight_decay, kernels),
        optimizer,
        *(optax.masked(optax.scale(factor), _each(is_in)) for is_in, factor in parts),
    )
    if config.freeze == 'nothing':
        return whole

    def kind(part, *path):
        stays = part == 'feature_extractor' and is_frozen(path, config.freeze)
        return 'frozen' if stays else 'trained'

    return optax.partition({'trained': whole, 'frozen': optax.set_to_zero()}, _each(kind))


def _named(config, learning_rate, kernels) -> tuple[optax.GradientTransformation, bool]:
    """The optimizer with those of the config's fields that it names, and if it decays weights."""
    make = import_function(config.optimizer, 'optax', 'optimizer')
    fields = {'momentum': config.momentum, 'weight_decay': config.weight_decay, 'mask': kernels}
    try:
        names = inspect.signature(make).parameters
        fields = {name: value for name, value in fields.items() if name in names}
        optimizer = make(learning_rate, **fields | config.optimizer_args)
        if not isinstance(optimizer, optax.GradientTransformation):
            raise TypeError(f'it gives a {type(optimizer).__name__}')
    except (TypeError, ValueError) as error:
        raise InputError(
            f'config field optimizer: {config.optimizer!r} cannot be used with optimizer_args '
            f'{config.optimizer_args}: {error}; expected a function of the learning rate and these '
            'that gives an optax.GradientTransformation'
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
