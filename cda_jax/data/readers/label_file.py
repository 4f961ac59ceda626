"""Text files that say what the rows of a dataset are."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from cda_jax.errors import InputError


def first_file(candidates: Iterable[Path]) -> Path | None:
    """Returns the first of the candidates that is a file, else None."""
    return next((path for path in candidates if path.is_file()), None)


def first_folder(candidates: Iterable[Path]) -> Path | None:
    """Returns the first of the candidates that is a folder, else None."""
    return next((path for path in candidates if path.is_dir()), None)


def read_text(path: Path) -> str:
    """Reads a whole text file.

    Args:
        path: A file in UTF-8, with or without a byte order mark.

    Returns:
        Its text, every line end a single newline.

    Raises:
        InputError: The file cannot be read or is not UTF-8.
    """
    try:
        return path.read_text(encoding='utf-8-sig')
    except OSError as error:
        raise InputError(f'{path}: cannot be read ({error.strerror})') from error
    except UnicodeDecodeError as error:
        raise InputError(f'{path}: expected UTF-8 text ({error})') from error


def numbered_lines(path: Path) -> list[tuple[int, str]]:
    """Reads the lines of a text file that are not blank.

    Args:
        path: A file in UTF-8.

    Returns:
        Pairs of line number, from 1, and line without its end.

    Raises:
        InputError: The file cannot be read or is not UTF-8.
    """
    lines = enumerate(read_text(path).split('\n'), start=1)
    return [(number, line) for number, line in lines if line.strip()]


def csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Streams the rows of a CSV file that are not blank.

    Args:
        path: A comma-separated file in UTF-8.

    Yields:
        Pairs of the number of the line the row ends on, from 1, and the row's fields.

    Raises:
        InputError: The file cannot be read, or is not CSV in UTF-8.
    """
    number = 0
    try:
        with path.open(encoding='utf-8-sig', newline='') as file:
            reader = csv.reader(file, strict=True)
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
