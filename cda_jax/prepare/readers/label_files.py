"""Label files: the text files that list the rows of a dataset."""

import csv
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TextIO

from cda_jax.errors import InputError

# Several times as long as any list or row of the datasets; a wrong file must not fill the memory.
_MAX_TEXT = 2**25
_MAX_LINE = 2**20


def first_file(candidates: Iterable[Path]) -> Path | None:
    """The first of the candidates that is a file, or None."""
    return next(filter(os.path.isfile, candidates), None)


def first_folder(candidates: Iterable[Path]) -> Path | None:
    """The first of the candidates that is a folder, or None."""
    return next(filter(os.path.isdir, candidates), None)


def other_layout(folder: Path, problem: str, most: int = 12) -> InputError:
    """The error for a folder that is not as expected: the problem, and what the folder holds."""
    names = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                # A link that leads in a circle would make is_dir() raise.
                is_folder = os.path.isdir(entry) if entry.is_symlink() else entry.is_dir()
                if not entry.name.startswith('.'):
                    names.append(ascii(entry.name)[1:-1] + ('/' if is_folder else ''))
    except OSError:  # a file, or a folder that may not be read
        return InputError(f'{folder}: {problem}')
    names.sort(key=lambda name: (not name.endswith('/'), name))
    more = f' and {len(names) - most:,} more' if len(names) > most else ''
    return InputError(f'{folder}: {problem}; found {", ".join(names[:most]) or "nothing"}{more}')


def read_text(path: Path) -> str:
    """Reads a text file in UTF-8; every line end becomes a single newline."""
    try:
        with path.open(encoding='utf-8-sig') as file:
            text = file.read(_MAX_TEXT + 1)
    except OSError as error:
        raise InputError(f'{path}: cannot be read ({error.strerror})') from error
    except UnicodeDecodeError as error:
        raise InputError(f'{path}: expected UTF-8 text ({error})') from error
    if len(text) > _MAX_TEXT:
        raise InputError(f'{path}: expected at most {_MAX_TEXT:,} characters')
    return text


def numbered_lines(path: Path) -> list[tuple[int, str]]:
    """The lines of a text file that are not blank, with their numbers from 1."""
    lines = enumerate(read_text(path).split('\n'), start=1)
    return [(number, line) for number, line in lines if line.strip()]


def csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields the rows of a CSV file that are not blank, with the line number that each ends on."""
    number = 0
    try:
        with path.open(encoding='utf-8-sig', newline='') as file:
            reader = csv.reader(_short_lines(path, file), strict=True)
            for fields in reader:
                number = reader.line_num
                if fields:
                    yield number, fields
    except OSError as error:
        raise InputError(f'{path}: cannot be read ({error.strerror})') from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(
            f'{path}, after line {number}: expected comma-separated UTF-8 text ({error})'
        ) from error


def csv_table(
    path: Path, columns: Collection[str]
) -> tuple[list[str], Iterator[tuple[int, dict[str, str]]]]:
    """The header of a CSV file, and its rows by the header's names, as of `csv_rows`.

    Raises InputError unless the header has each of the columns once.
    """
    rows = csv_rows(path)
    _, first = next(rows, (1, []))
    header = [name.strip() for name in first]
    if any(header.count(name) != 1 for name in columns):
        raise InputError(
            f'{path}, line 1: expected a header with {", ".join(columns)}, '
            f'found {",".join(header)[:80]!r}'
        )

    def by_name() -> Iterator[tuple[int, dict[str, str]]]:
        for number, fields in rows:
            if len(fields) != len(header):
                raise InputError(
                    f'{path}, line {number}: expected the {len(header)} fields '
                    f'{",".join(header)[:80]}, found {len(fields)}: {",".join(fields)[:80]!r}'
                )
            yield number, dict(zip(header, fields, strict=True))

    return header, by_name()


def _short_lines(path: Path, file: TextIO) -> Iterator[str]:
    number = 0
    while line := file.readline(_MAX_LINE + 1):
        number += 1
        if len(line) > _MAX_LINE:
            raise InputError(f'{path}, line {number}: expected at most {_MAX_LINE:,} characters')
        yield line
