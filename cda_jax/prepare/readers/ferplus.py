"""FER+: how ten annotators each labelled the faces of FER2013, row for row.

Source: Barsoum et al. (2016), https://arxiv.org/abs/1608.01041; `fer2013new.csv` of
https://github.com/microsoft/FERPlus
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cda_jax.errors import InputError
from cda_jax.prepare.readers import row_checks
from cda_jax.prepare.readers.expressions import COMMON_ORDER
from cda_jax.prepare.readers.label_files import csv_rows

CLASSES = ['neutral', 'happiness', 'surprise', 'sadness', 'anger', 'disgust', 'fear', 'contempt']
OTHERS = {'unknown': 'most votes for unknown', 'NF': 'most votes for no face'}
COLUMNS = ['Usage', 'Image name', *CLASSES, *OTHERS]

_COUNT = re.compile('[0-9]{1,4}')
_PLACES = [CLASSES.index(name.lower()) for name in COMMON_ORDER]


class Votes(NamedTuple):
    """The votes on one row."""

    where: str  # file and line
    usage: str
    of_classes: tuple[int, ...]  # in `COMMON_ORDER`
    of_others: tuple[int, ...]  # of `OTHERS`


def read_votes(path: Path) -> Iterator[Votes]:
    """Yields the votes of every row; raises InputError where one is malformed."""
    rows = csv_rows(path)
    _, header = next(rows, (1, []))
    if [name.strip() for name in header] != COLUMNS:
        raise InputError(
            f'{path}, line 1: expected the header {",".join(COLUMNS)} of FER+, '
            f'found {",".join(header)[:80]!r}'
        )
    for number, fields in rows:
        usage, counts = fields[0].strip(), [field.strip() for field in fields[2:]]
        if len(fields) != len(COLUMNS) or not all(map(_COUNT.fullmatch, counts)):
            raise InputError(
                f'{path}, line {number}: expected the {len(COLUMNS)} fields {",".join(COLUMNS)} '
                f'with whole numbers of votes, found {",".join(fields)[:80]!r}'
            )
        of_columns = [int(count) for count in counts]
        of_classes = tuple(of_columns[place] for place in _PLACES)
        yield Votes(f'{path}, line {number}', usage, of_classes, tuple(of_columns[len(CLASSES) :]))


def check_match(votes: Votes | None, path: Path, where: str, usage: str) -> None:
    """Raises InputError unless there are votes, and they are of the row of FER2013 at `where`."""
    if votes is None:
        raise InputError(f'{path}: has no votes for {where}; expected as many rows')
    if votes.usage != usage:
        raise InputError(
            f'{votes.where}: the Usage is {votes.usage[:20]!r}, but {usage[:20]!r} in {where}; '
            'expected the same rows in the same order'
        )


def most_voted(votes: Votes) -> int:
    """The class with most votes; of several, the first in `COMMON_ORDER`.

    Raises:
        UnusableRowError: More annotators chose 'unknown' or 'NF' than any class, or nobody voted.
    """
    most = max(votes.of_classes)
    for reason, count in zip(OTHERS.values(), votes.of_others, strict=True):
        if count > most and count == max(votes.of_others):
            raise row_checks.UnusableRowError(reason, '', False)
    if not most:
        raise row_checks.UnusableRowError('no votes')
    return votes.of_classes.index(most)
