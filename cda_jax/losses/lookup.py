"""From a config's words to a loss function."""

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from cda_jax.errors import InputError

_FORM = ('logits', 'targets', 'mask', 'axis_name')


def find_loss(name: str, args: Mapping[str, Any]) -> Callable:
    """Finds a loss and binds its hyper-parameters.

    Args:
        name: A function of `cda_jax.losses`, or the dotted path of one elsewhere
            ('my_lab.losses.my_loss').
        args: Hyper-parameters by keyword.

    Returns:
        The loss, called with `(logits, targets, mask, axis_name=...)`.

    Raises:
        InputError: There is no such loss, or it does not take these arguments.
    """
    loss = _import(name if '.' in name else f'cda_jax.losses.{name}', name)
    parameters = inspect.signature(loss).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    missing = [p for p in _FORM if p not in parameters]
    if missing and not takes_any:
        raise InputError(
            f'loss {name!r} has no parameter {missing[0]!r}; expected the form '
            'loss(logits, targets, mask=None, *, ..., axis_name=None)'
        )
    hyper = [p for p in parameters if p not in _FORM]
    for arg in args:
        if arg not in hyper and not takes_any:
            raise InputError(
                f'loss {name!r} takes no argument {arg!r}; it takes: {", ".join(hyper) or "none"}'
            )
    return functools.partial(loss, **args)


def _import(path, name):
    module_name, _, attribute = path.rpartition('.')
    try:
        loss = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f'no loss {name!r} ({error}); expected a function of cda_jax.losses, such as '
            "'cross_entropy' or 'adaptive_cross_entropy', or the dotted path of one that can be "
            'imported'
        ) from error
    if not callable(loss):
        raise InputError(f'{name!r} is a {type(loss).__name__}, expected a loss function')
    return loss
