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
from cda_jax.prepare.readers.label_files import csv_table

CLASSES = [name.lower() for name in COMMON_ORDER]
OTHERS = {'unknown': 'most votes for unknown', 'NF': 'most votes for no face'}
COLUMNS = ['Usage', 'Image name', *CLASSES, *OTHERS]  # in any order

_COUNT = re.compile('[0-9]{1,4}')


class Votes(NamedTuple):
    """The votes on one row."""

    where: str  # file and line
    usage: str
    of_classes: tuple[int, ...]  # in `COMMON_ORDER`
    of_others: tuple[int, ...]  # of `OTHERS`


def read_votes(path: Path) -> Iterator[Votes]:
    """Yields the votes of every row; raises InputError where one is malformed."""
    for number, row in csv_table(path, COLUMNS)[1]:
        where = f'{path}, line {number}'
        counts = [row[column].strip() for column in (*CLASSES, *OTHERS)]
        if not all(map(_COUNT.fullmatch, counts)):
            raise InputError(
                f'{where}: expected whole numbers of votes, found {",".join(counts)[:80]!r}'
            )
        votes = tuple(map(int, counts))
        yield Votes(where, row['Usage'].strip(), votes[: len(CLASSES)], votes[len(CLASSES) :])


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
