"""From a config's words to a loss function."""

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax

from cda_jax.errors import InputError

_FORM = ('logits', 'targets', 'mask', 'axis_name')
_STATISTICS = {'class_counts': 'the data', 'progress': 'the training'}


def find_loss(
    name: str, args: Mapping[str, Any], *, class_counts: jax.Array | None = None
) -> Callable:
    """Finds a loss and binds its hyper-parameters and the class counts, if it names them.

    Args:
        name: A function of `cda_jax.losses`, or the dotted path of one elsewhere
            ('my_lab.losses.my_loss').
        args: Hyper-parameters by keyword.
        class_counts: float[C], the training examples of every class.

    Returns:
        The loss, called with `(logits, targets, mask, axis_name=..., progress=...)`: progress, 0 to
        1, reaches losses that name it and is dropped for all others, which need not be given it.

    Raises:
        InputError: There is no such loss, it does not take these arguments, or it needs class
            counts and there are none.
    """
    loss = _import(name if '.' in name else f'cda_jax.losses.{name}', name)
    parameters = _parameters(loss, name)
    _check_arguments(name, parameters, args)
    statistics = {}
    if 'class_counts' in parameters:
        if class_counts is not None:
            statistics['class_counts'] = class_counts
        elif parameters['class_counts'].default is inspect.Parameter.empty:
            raise InputError(
                f'loss {name!r} needs class_counts; expected the training examples of every class'
            )
    bound = functools.partial(loss, **args, **statistics)
    return bound if 'progress' in parameters else functools.partial(_without_progress, bound)


def _parameters(loss, name):
    try:
        return inspect.signature(loss).parameters
    except ValueError as error:
        raise InputError(f'{name!r} does not say what arguments it takes: {error}') from error


def _check_arguments(name, parameters, args):
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    missing = [p for p in _FORM if p not in parameters]
    if missing and not takes_any:
        raise InputError(
            f'loss {name!r} has no parameter {missing[0]!r}; expected the form '
            'loss(logits, targets, mask=None, *, ..., axis_name=None)'
        )
    hyper = [p for p in parameters if p not in _FORM and p not in _STATISTICS]
    for arg in args:
        if arg in _STATISTICS and arg in parameters:
            raise InputError(
                f'{arg} of loss {name!r} comes from {_STATISTICS[arg]}; expected no such argument'
            )
        if arg not in hyper and not takes_any:
            raise InputError(
                f'loss {name!r} takes no argument {arg!r}; it takes: {", ".join(hyper) or "none"}'
            )


def _without_progress(loss, logits, targets, mask=None, *, axis_name=None, progress=None):
    del progress
    return loss(logits, targets, mask, axis_name=axis_name)


def _import(path, name):
    module_name, _, attribute = path.rpartition('.')
    try:
        loss = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError, TypeError) as error:  # the last: '.name'
        raise InputError(
            f'no loss {name!r} ({error}); expected a function of cda_jax.losses, such as '
            "'cross_entropy' or 'adaptive_cross_entropy', or the dotted path of one that can be "
            'imported'
        ) from error
    if not callable(loss):
        raise InputError(f'{name!r} is a {type(loss).__name__}, expected a loss function')
    return loss
