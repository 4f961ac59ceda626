"""Label files: the text files that list the rows of a dataset."""

import csv
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from cda_jax.errors import InputError

# Several times as long as any list or row of the datasets; a wrong file must not fill the memory.
_MAX_TEXT = 2**25
_MAX_LINE = 2**20


def first_file(candidates: Iterable[Path]) -> Path | None:
    """The first of the candidates that is a file, or None."""
    return next((path for path in candidates if os.path.isfile(path)), None)


def first_folder(candidates: Iterable[Path]) -> Path | None:
    """The first of the candidates that is a folder, or None."""
    return next((path for path in candidates if os.path.isdir(path)), None)


def found_in(folder: Path, most: int = 12) -> str:
    """What a folder holds, as the end of an error that expected something else there."""
    try:
        with os.scandir(folder) as entries:
            names = [
                f'{ascii(entry.name)[1:-1]}/' if entry.is_dir() else ascii(entry.name)[1:-1]
                for entry in entries
                if not entry.name.startswith('.')
            ]
    except OSError:  # a file
        return ''
    more = f' and {len(names) - most:,} more' if len(names) > most else ''
    names.sort(key=lambda name: (not name.endswith('/'), name))
    return f'; found {", ".join(names[:most]) or "nothing"}{more}'


def read_text(path: Path, max_characters: int = _MAX_TEXT) -> str:
    """Reads a text file in UTF-8; every line end becomes a single newline."""
    try:
        with path.open(encoding='utf-8-sig') as file:
            text = file.read(max_characters + 1)
    except OSError as error:
        raise InputError(f'{path}: cannot be read ({error.strerror})') from error
    except UnicodeDecodeError as error:
        raise InputError(f'{path}: expected UTF-8 text ({error})') from error
    if len(text) > max_characters:
        raise InputError(f'{path}: expected at most {max_characters:,} characters')
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


def csv_table(path: Path) -> tuple[list[str], Iterator[tuple[int, dict[str, str]]]]:
    """The header of a CSV file, and its rows by the header's names, as of `csv_rows`."""
    rows = csv_rows(path)
    _, header = next(rows, (1, []))

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
