"""From a config's words to a loss function."""

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any

from jaxtyping import ArrayLike, Real

from cda_jax.errors import InputError, did_you_mean

# What a loss may ask for that no config gives.
_FROM_THE_PROGRAM = ('class_counts', 'progress', 'axis_name')


def find_loss(
    name: str, args: Mapping[str, Any], *, class_counts: Real[ArrayLike, ' C'] | None = None
) -> Callable:
    """Finds a loss and binds its hyper-parameters, and the class counts if it names them.

    The name is that of a function of `cda_jax.losses`, or a dotted path ('my_lab.losses.my_loss').
    What is found is called with `(logits, targets, mask, axis_name=..., progress=...)`; the loss is
    handed those of the last two that it names.

    Raises InputError if there is no such loss, or it does not take these arguments.

    >>> import jax.numpy as jnp
    >>> loss = find_loss('focal_loss', {'gamma': 0.5})
    >>> logits, targets = jnp.zeros((1, 2)), jnp.array([[0.0, 1.0]])
    >>> print(loss(logits, targets, None, axis_name=None, progress=0.1))
    [0.490...]
    """
    loss = import_function(name, 'cda_jax.losses', 'loss')
    try:
        parameters = inspect.signature(loss).parameters
    except ValueError as error:
        raise InputError(f'{name!r} does not say what arguments it takes: {error}') from error
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    taken = [p for p in parameters if p not in _FROM_THE_PROGRAM]
    for arg in ('logits', 'targets', 'mask', *args):
        if arg not in taken and not takes_any:
            raise InputError(
                f'loss {name!r} takes no argument {arg!r}; it takes: {", ".join(taken)}; expected '
                f'the form loss(logits, targets, mask=None, *, ...), and no argument that the '
                f'program gives ({", ".join(_FROM_THE_PROGRAM)})'
            )
    bound = dict(args)
    if class_counts is not None and 'class_counts' in parameters:
        bound['class_counts'] = class_counts

    def call(logits, targets, mask=None, **context):
        named = {key: value for key, value in context.items() if key in parameters}
        return loss(logits, targets, mask, **bound, **named)

    return call


def import_function(name: str, package: str, kind: str) -> Callable:
    """A function of a package by its name, or one of another module by its dotted path.

    Raises InputError if there is no such function, of which `kind` says what it is; it names the
    one that is spelt alike.
    """
    module_name, _, attribute = (name if '.' in name else f'{package}.{name}').rpartition('.')
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError, TypeError) as error:  # the last: '.name'
        alike = did_you_mean(attribute, dir(sys.modules.get(module_name)))
        raise InputError(
            f'no {kind} {name!r} ({error}){alike}; '
            f'expected a function of {package}, or the dotted path of one that can be imported'
        ) from error
    if not callable(found):
        raise InputError(f'{name!r} is a {type(found).__name__}, expected a function')
    return found
