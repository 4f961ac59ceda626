"""The exceptions whose message is all that a user sees."""

import difflib
import importlib
from collections.abc import Iterable
from typing import Any


class InputError(ValueError):
    """A file, row, field or argument that cannot be used.

    The message names the file, row or field and says what was expected there. Programs print it on
    one line and end with exit code 1.
    """


class DivergenceError(RuntimeError):
    """Training left the finite numbers. The message names the step and the terms."""


class DamagedError(InputError):
    """A checkpoint, or a part of it, is not what was saved."""


def import_extra(module: str, extra: str, otherwise: str = '') -> Any:
    """A module that only some installations have; an `InputError` says how to get it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(f'{module} is missing: pip install -e ".[{extra}]"{otherwise}') from error


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, if any is near.

    >>> did_you_mean('optimiser', ['seed', 'optimizer'])
    "; did you mean 'optimizer'?"
    >>> did_you_mean('lr', ['seed', 'learning_rate'])  # by its initials
    "; did you mean 'learning_rate'?"
    """
    names = list(names)
    of_initials = [each for each in names if ''.join(x[:1] for x in each.split('_')) == name]
    found = difflib.get_close_matches(name.lower(), names, n=1) or of_initials
    return f'; did you mean {found[0]!r}?' if found else ''
