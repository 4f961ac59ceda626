"""JSON files that are read into dataclasses, with every field checked."""

import dataclasses
import functools
import json
import os
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from cda_jax.errors import InputError

T = TypeVar('T')

# Far more than a manifest that lists millions of rows. Parsed, it takes some ten times its size.
_MAX_BYTES = 2**28


def read_json(path: Path, kind: type[T]) -> T:
    """Reads a JSON file into a dataclass.

    Fields may be strings, numbers, booleans, None, unions of these, tuples of one type
    (`tuple[X, ...]`), pairs, dictionaries with string keys, literals and dataclasses.

    Args:
        path: The file.
        kind: The dataclass. Its fields and those of the file must be the same.

    Returns:
        An instance of `kind`.

    Raises:
        InputError: Naming the file and the field, and what was expected there.
    """
    try:
        return _parse(kind, json.loads(_read(path)), f'{path}:')
    except InputError:
        raise
    except OSError as error:
        raise InputError(f'{path}: cannot be read: {error.strerror}') from error
    except ValueError as error:
        raise InputError(f'{path}: expected JSON: {error}') from error
    except RecursionError as error:
        raise InputError(f'{path}: expected JSON of few levels, found too many') from error


def _read(path: Path) -> str:
    if path.stat().st_size > _MAX_BYTES:
        raise ValueError(f'more than {_MAX_BYTES:,} bytes')
    return path.read_text('utf-8')


def write_json(path: Path, value: Any, *, temporary: Path) -> None:
    """Writes a dataclass as JSON; the file appears complete or not at all.

    Args:
        path: The file.
        value: The dataclass.
        temporary: A name on the same file system to write under first.
    """
    text = json.dumps(dataclasses.asdict(value), indent=1)
    temporary.write_text(text + '\n', 'utf-8')
    os.replace(temporary, path)


def _parse(kind: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        return _parse_dataclass(kind, value, where)
    if origin is tuple:
        return _parse_tuple(arguments, value, where)
    if origin is dict:
        _require(isinstance(value, dict), where, 'an object', value)
        return {key: _parse(arguments[1], item, _at(where, key)) for key, item in value.items()}
    if origin is typing.Literal:
        _require(value in arguments, where, ' or '.join(map(repr, arguments)), value)
        return value
    allowed = arguments if origin is types.UnionType else (kind,)
    # Not isinstance: True is no number here.
    names = ' or '.join(item.__name__ for item in allowed)
    _require(type(value) in allowed, where, names, value)
    return value


_hints = functools.cache(typing.get_type_hints)


def _parse_dataclass(kind: Any, value: Any, where: str) -> Any:
    _require(isinstance(value, dict), where, 'an object', value)
    hints = _hints(kind)
    # Formats and versions, which explain the differences in all other fields.
    for name in hints.keys() & value.keys():
        if typing.get_origin(hints[name]) is typing.Literal:
            _parse(hints[name], value[name], _at(where, name))
    for name in sorted(hints.keys() ^ value.keys()):
        fault = 'is missing' if name in hints else 'is not known'
        raise InputError(f'{_at(where, name)} {fault}')
    return kind(**{name: _parse(hints[name], value[name], _at(where, name)) for name in hints})


def _parse_tuple(arguments: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    _require(isinstance(value, list), where, 'a list', value)
    kinds = arguments[:1] * len(value) if arguments[1:] == (...,) else arguments
    _require(len(kinds) == len(value), where, f'{len(kinds)} items', value)
    items = enumerate(zip(kinds, value, strict=True))
    return tuple(_parse(kind, item, f'{where}[{index}]') for index, (kind, item) in items)


def _at(where: str, name: str) -> str:
    name = json.dumps(name)[1:-1][:60]  # On one line, whatever it is.
    return f'{where} {name}' if where.endswith(':') else f'{where}.{name}'


def _require(condition: bool, where: str, expected: str, value: Any) -> None:
    if not condition:
        raise InputError(
            f'{where.rstrip(":")}: expected {expected}, found {json.dumps(value)[:60]}'
        )
