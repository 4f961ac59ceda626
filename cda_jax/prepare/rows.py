"""The rows of a dataset: counted, checked, and cut into the slices that become shards."""

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from cda_jax.data.manifest import ALL_SPLITS, SPLITS, SkippedRow, Split
from cda_jax.data.records import UNLABELLED
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Example, Skipped

Rows = Iterable[Example | Skipped]


class Survey(NamedTuple):
    """What is known of all rows before a picture is opened."""

    counts: dict[Split, int]  # of examples; of validation only where there are some
    excluded: Counter[str]  # rows left out on purpose, by reason
    skipped: tuple[SkippedRow, ...]  # those that the reader found unusable
    sha256: str  # of all rows in order; without paths, because a dataset may move


def survey(rows: Rows, num_classes: int) -> Survey:
    """Goes through all rows once; raises InputError if a label or split is out of range.

    Training examples may be unlabelled, but then all of them.
    """
    kinds = set()  # of labels of training examples: known or not
    has_votes: dict[Split, bool] = {}
    counts: Counter[Split] = Counter()
    excluded: Counter[str] = Counter()
    skipped = []
    digest = hashlib.sha256()
    for row in rows:
        if isinstance(row, Example):
            is_known = row.split != 'train' or row.label != UNLABELLED
            if is_known and not 0 <= row.label < num_classes:
                raise InputError(
                    f'row {row.id}: label {row.label}: expected 0 to {num_classes - 1}, an index '
                    'into the class names'
                )
            if row.split not in ALL_SPLITS:
                raise InputError(
                    f'row {row.id}: split {row.split!r}: expected {", ".join(ALL_SPLITS)}'
                )
            counts[row.split] += 1
            if row.split == 'train':
                kinds.add(row.label == UNLABELLED)
            box = None if row.box is None else [float(edge) for edge in row.box]
            hashed = [as_text(row.id), as_text(row.photo), box, int(row.label), row.split, row.data]
            if has_votes.setdefault(row.split, row.votes is not None) != (row.votes is not None):
                raise InputError(f'row {row.id}: expected votes in all {row.split} rows or in none')
            hashed += [] if row.votes is None else [list(row.votes)]
        else:
            hashed = [as_text(row.id), row.reason, row.fault]
            if row.fault:
                skipped.append(skipped_row(row.id, row.reason, row.detail))
            else:
                excluded[row.reason] += 1
        digest.update(msgspec.msgpack.encode(hashed))
    if len(kinds) > 1:
        raise InputError('some training rows have a label and others have none; expected all to')
    by_split = {split: counts[split] for split in ALL_SPLITS if split in SPLITS or counts[split]}
    return Survey(by_split, excluded, tuple(skipped), digest.hexdigest())


def slices(rows: Rows, size: int) -> Iterator[tuple[str, list[Example]]]:
    """Cuts the examples of each split into slices; yields the name of a shard and its examples."""
    begun: dict[Split, list[Example]] = {split: [] for split in ALL_SPLITS}
    numbers = {split: itertools.count() for split in ALL_SPLITS}
    for row in rows:
        if isinstance(row, Example):
            begun[row.split].append(row)
            if len(begun[row.split]) == size:
                yield _shard_name(row.split, next(numbers[row.split])), begun[row.split]
                begun[row.split] = []
    for split, examples in begun.items():
        if examples:
            yield _shard_name(split, next(numbers[split])), examples


def shard_sizes(counts: Mapping[Split, int], size: int) -> dict[Split, dict[str, int]]:
    """The number of examples that `slices` gives to each shard of each split, by its name."""
    return {
        split: {
            _shard_name(split, number): min(size, count - start)
            for number, start in enumerate(range(0, count, size))
        }
        for split, count in counts.items()
    }


def skipped_row(row_id: str, reason: str, detail: str) -> SkippedRow:
    """The entry of the manifest for a row that cannot be used."""
    return SkippedRow(id=as_text(row_id), reason=as_text(reason), detail=as_text(detail))


def as_text(name: str) -> str:
    """Spells out the bytes of a file name that are not UTF-8, which Python only marks."""
    return name.encode('utf-8', 'backslashreplace').decode()


def count_reasons(skipped: Sequence[SkippedRow]) -> dict[str, int]:
    """Counts rows by reason, the most frequent first."""
    return dict(Counter(row.reason for row in skipped).most_common())


def check_usable(
    counts: Mapping[Split, int],
    excluded: Mapping[str, int],
    skipped: Sequence[SkippedRow],
    max_skipped_share: float,
    has_no_classes: bool = False,
) -> None:
    """Raises InputError if a split is empty or too many rows are unusable; it says why they are.

    Without classes there need not be a test split.
    """

    def listed(counts: Mapping[str, int]) -> str:
        return ', '.join(f'{count:,} {reason}' for reason, count in counts.items())

    reasons, total = count_reasons(skipped), sum(counts.values()) + len(skipped)
    if len(skipped) > max_skipped_share * total:
        example = skipped[0]
        detail = f' ({example.detail})' if example.detail else ''
        raise InputError(
            f'{len(skipped):,} of {total:,} rows cannot be used, and at most a share of '
            f'{max_skipped_share:g} may be (max_skipped_share): {listed(reasons)}; '
            f'for example {example.id}: {example.reason}{detail}'
        )
    for split, count in counts.items():
        if count == 0 and split in SPLITS and not (has_no_classes and split == 'test'):
            left_out = listed({**excluded, **reasons}) or 'none'
            raise InputError(f'no examples for the {split} split; rows left out: {left_out}')


def _shard_name(split: Split, number: int) -> str:
    return f'{split}-{number:05d}'
