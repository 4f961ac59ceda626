"""The rows of a dataset: counted, checked, and cut into the slices that become shards."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from cda_jax.data.manifest import ALL_SPLITS, SPLITS, SkippedRow, Split
from cda_jax.data.records import UNLABELLED
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Example, Skipped

Rows = Iterable[Example | Skipped]


class Survey(NamedTuple):
    """What is known of all rows: before a picture is opened, and once more after."""

    counts: dict[Split, int]  # of examples; of validation only where there are some
    excluded: Counter[str]  # rows left out on purpose, by reason
    skipped: tuple[SkippedRow, ...]  # those that proved unusable
    sha256: str  # of all rows in order; without paths, because a dataset may move

    @property
    def reasons(self) -> dict[str, int]:
        """The unusable rows by reason, the most frequent first."""
        return dict(Counter(row.reason for row in self.skipped).most_common())


def survey(rows: Rows, num_classes: int) -> Survey:
    """Goes through all rows once; raises InputError if a label or split is out of range.

    Training examples may be unlabelled, but then all of them.
    """
    has: dict[tuple[Split, str], bool] = {}
    counts: Counter[Split] = Counter()
    excluded: Counter[str] = Counter()
    skipped = []
    digest = hashlib.sha256()
    for row in rows:
        if isinstance(row, Example):
            is_known = row.split != 'train' or row.label != UNLABELLED
            if row.split not in ALL_SPLITS:
                raise InputError(
                    f'row {row.id}: split {row.split!r}: expected {", ".join(ALL_SPLITS)}'
                )
            if is_known and not 0 <= row.label < num_classes:
                raise InputError(
                    f'row {row.id}: label {row.label}: expected 0 to {num_classes - 1}, an index '
                    'into the class names'
                )
            for what, is_there in (('a label', is_known), ('votes', row.votes is not None)):
                if has.setdefault((row.split, what), is_there) != is_there:
                    raise InputError(
                        f'row {row.id}: expected {what} in all {row.split} rows or in none'
                    )
            counts[row.split] += 1
            box = None if row.box is None else [float(edge) for edge in row.box]
            hashed = [as_text(row.id), as_text(row.photo), box, int(row.label), row.split, row.data]
            hashed += [] if row.votes is None else [list(row.votes)]
        else:
            hashed = [as_text(row.id), row.reason, row.fault]
            if row.fault:
                skipped.append(skipped_row(row.id, row.reason, row.detail))
            else:
                excluded[row.reason] += 1
        digest.update(msgspec.msgpack.encode(hashed))
    by_split = {split: counts[split] for split in ALL_SPLITS if split in SPLITS or counts[split]}
    return Survey(by_split, excluded, tuple(skipped), digest.hexdigest())


def slices(rows: Rows, size: int) -> Iterator[tuple[str, list[Example]]]:
    """Cuts the examples of each split into slices; yields the name of a shard and its examples."""
    begun: dict[str, list[Example]] = {}
    counts: Counter[Split] = Counter()
    for row in rows:
        if isinstance(row, Example):
            shard = _shard_name(row.split, counts[row.split] // size)
            counts[row.split] += 1
            begun.setdefault(shard, []).append(row)
            if len(begun[shard]) == size:
                yield shard, begun.pop(shard)
    yield from begun.items()


def shard_sizes(counts: Mapping[Split, int], size: int) -> dict[Split, dict[str, int]]:
    """How many examples `slices` gives to each shard of each split, by its name and in order."""
    return {
        split: {
            _shard_name(split, number): min(size, count - start)
            for number, start in enumerate(range(0, count, size))
        }
        for split, count in counts.items()
    }


def _shard_name(split: Split, number: int) -> str:
    return f'{split}-{number:05d}'


def skipped_row(row_id: str, reason: str, detail: str = '') -> SkippedRow:
    """The entry of the manifest for a row that cannot be used."""
    return SkippedRow(id=as_text(row_id), reason=as_text(reason), detail=as_text(detail))


def as_text(name: str) -> str:
    """Spells out the bytes of a file name that are not UTF-8, which Python only marks."""
    return name.encode('utf-8', 'backslashreplace').decode()


def check_usable(found: Survey, max_skipped_share: float, needed: Iterable[Split] = SPLITS) -> None:
    """Raises InputError if a split is empty or too many rows are unusable; it says why they are."""

    def listed(counts: Mapping[str, int]) -> str:
        return ', '.join(f'{count:,} {reason}' for reason, count in counts.items())

    total = sum(found.counts.values()) + len(found.skipped)
    if len(found.skipped) > max_skipped_share * total:
        example = found.skipped[0]
        detail = f' ({example.detail})' if example.detail else ''
        raise InputError(
            f'{len(found.skipped):,} of {total:,} rows cannot be used, and at most a share of '
            f'{max_skipped_share:g} may be (max_skipped_share): {listed(found.reasons)}; '
            f'for example {example.id}: {example.reason}{detail}'
        )
    for split in needed:
        if not found.counts[split]:
            left_out = listed({**found.excluded, **found.reasons}) or 'none'
            raise InputError(f'no examples for the {split} split; rows left out: {left_out}')
