"""What is doubtful about the data of a run, as their indexes show it before anything is read."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from cda_jax.data.sites import Part


def doubts(training: Sequence[Part], tests: Sequence[Part]) -> Iterator[str]:
    """Says what makes figures wrong or means low: a sentence for each finding.

    Test pictures that are trained on, one site under two names, and classes that only test sets
    have. Pictures count as the same if their pixels are equal.
    """
    for test, part in itertools.product(tests, training):
        if count := _common(test, part):
            yield (
                f'{count:,} of {len(test.records):,} test pictures of {test.site.name} are in the '
                f'training data of {part.site.name}; tools/audit.py lists them, and near copies; '
                'with --drop_leaks it keeps the copies out of training'
            )
    for one, other in itertools.combinations(training, 2):
        if 2 * (count := _common(one, other)) > min(len(one.records), len(other.records)):
            yield (
                f'training pictures that {one.site.name} and {other.site.name} have in common: '
                f'{count:,}; are they one dataset under two names?'
            )
    trained = sum(part.class_counts for part in training)
    for test in tests:
        for place in np.flatnonzero((trained == 0) & (test.class_counts > 0)):
            yield (
                f'{test.site.name} tests {test.site.class_names[place]}, which no training picture '
                'has; it lowers the mean recall'
            )


def _common(one: Part, other: Part) -> int:
    return int(np.isin(one.index.pixel_hash, other.index.pixel_hash).sum())
