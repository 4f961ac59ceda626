"""Splits: what folders and lists call them, and a test set drawn where there is none."""

import re
from collections.abc import Callable, Collection, Iterable
from pathlib import PurePosixPath

from cda_jax.data.manifest import Split
from cda_jax.data.records import hash_photo
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Example, Skipped, each_example

# In lower case.
SPLIT_NAMES: dict[str, Split] = {
    **dict.fromkeys(('train', 'training'), 'train'),
    **dict.fromkeys(('val', 'valid', 'validation'), 'validation'),
    **dict.fromkeys(('test', 'testing'), 'test'),
}

HOW_TO_DRAW = '--test_fraction=0.2 draws a test split'


def draw_test(
    rows: list[Example | Skipped],
    fraction: float | None,
    group_of: Callable[[Example], str] | None = None,
) -> list[Example | Skipped]:
    """Puts a fraction of the photos into the test split, and all others into training.

    A hash of the photo's name decides, so that more pictures change nothing for those that are
    there; where it draws none, the first by this hash is drawn. With `group_of`, the rows of a
    group (of one person, for example) count as those of one photo, also where part of the training
    split is held out later. Without a fraction, rows stay in their splits.
    """
    if fraction is not None and not 0 < fraction < 1:
        raise InputError(f'test_fraction: expected more than 0 and less than 1, found {fraction}')
    if group_of is not None:
        rows = each_example(rows, lambda row: row._replace(photo=group_of(row)))
    if fraction is None:
        return rows
    photos = sorted({row.photo for row in rows if isinstance(row, Example)}, key=hash_photo)
    test = {photo for photo in photos if hash_photo(photo) / 2**64 < fraction}
    return with_test(rows, test or photos[:1])


def with_test(
    rows: Iterable[Example | Skipped], photos: Collection[str]
) -> list[Example | Skipped]:
    """Puts the rows of these photos into the test split, and all others into training."""
    return each_example(
        rows, lambda row: row._replace(split='test' if row.photo in photos else 'train')
    )


def group_by_name(pattern: str) -> Callable[[Example], str]:
    """The group of a row: the part of its photo's file name that a regular expression matches.

    Where the expression has a group in parentheses, it is this group.

    Raises InputError if it is no regular expression, or, from the result, it matches nothing.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise InputError(f'group: {pattern!r} is no regular expression ({error})') from error

    def group_of(row: Example) -> str:
        name = PurePosixPath(row.photo).name
        match = expression.search(name)
        found = match and match[min(expression.groups, 1)]
        if not found:
            raise InputError(f'group: {pattern!r} matches nothing in the file name {name!r}')
        return found

    return group_of
