"""The rows of a dataset: counted, checked, and cut into the slices that become shards."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from cda_jax.data.manifest import SPLITS, SkippedRow, Split
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Example, Skipped

Rows = Iterable[Example | Skipped]


class Survey(NamedTuple):
    """What all rows say before a picture is opened.

    Attributes:
        counts: How many examples there are for each split.
        excluded: How many rows are left out on purpose, by reason.
        skipped: The rows that the reader found unusable.
        sha256: Hash of all rows in order, in hexadecimal. Paths stay out of it: a dataset may move.
    """

    counts: dict[Split, int]
    excluded: Counter[str]
    skipped: tuple[SkippedRow, ...]
    sha256: str


def survey(rows: Rows, num_classes: int) -> Survey:
    """Goes through all rows once.

    Raises:
        InputError: A label or split is out of range.
    """
    counts: dict[Split, int] = dict.fromkeys(SPLITS, 0)
    excluded: Counter[str] = Counter()
    skipped = []
    digest = hashlib.sha256()
    for row in rows:
        digest.update(_pack(row))
        if isinstance(row, Example):
            _check(row, num_classes)
            counts[row.split] += 1
        elif row.fault:
            skipped.append(skipped_row(row.id, row.reason, row.detail))
        else:
            excluded[row.reason] += 1
    return Survey(counts, excluded, tuple(skipped), digest.hexdigest())


def slices(rows: Rows, size: int) -> Iterator[tuple[str, list[Example]]]:
    """Cuts the examples of each split into slices; yields the name of a shard and its examples."""
    begun: dict[Split, list[Example]] = {split: [] for split in SPLITS}
    numbers: Counter[str] = Counter()
    for row in rows:
        if isinstance(row, Example):
            begun[row.split].append(row)
            if len(begun[row.split]) == size:
                yield _shard_name(row.split, numbers[row.split]), begun[row.split]
                numbers[row.split] += 1
                begun[row.split] = []
    for split, examples in begun.items():
        if examples:
            yield _shard_name(split, numbers[split]), examples


def shard_sizes(split: Split, count: int, size: int) -> dict[str, int]:
    """Names the slices that `slices` makes of a split, with the number of examples in each."""
    starts = enumerate(range(0, count, size))
    return {_shard_name(split, number): min(size, count - start) for number, start in starts}


def skipped_row(row_id: str, reason: str, detail: str) -> SkippedRow:
    """A row that cannot be used, as the manifest lists it."""
    return SkippedRow(id=as_text(row_id), reason=as_text(reason), detail=as_text(detail))


def as_text(name: str) -> str:
    """Spells out the bytes of a file name that are no UTF-8, which Python only marks."""
    return name.encode('utf-8', 'backslashreplace').decode()


def count_reasons(skipped: Sequence[SkippedRow]) -> dict[str, int]:
    """Counts rows by reason, the most frequent first."""
    return dict(Counter(row.reason for row in skipped).most_common())


def check_skipped(skipped: Sequence[SkippedRow], num_usable: int, max_share: float) -> None:
    """Refuses a dataset with too many unusable rows, by their share of all but the excluded ones.

    Raises:
        InputError: There are more; it names the reasons and one row.
    """
    total = len(skipped) + num_usable
    if len(skipped) <= max_share * total:
        return
    example = skipped[0]
    detail = f' ({example.detail})' if example.detail else ''
    raise InputError(
        f'{len(skipped):,} of {total:,} rows cannot be used, and at most a share of {max_share:g} '
        f'may be (max_skipped_share): {_listed(count_reasons(skipped))}; '
        f'for example {example.id}: {example.reason}{detail}'
    )


def check_splits(
    counts: Mapping[Split, int], excluded: Mapping[str, int], skipped: Mapping[str, int]
) -> None:
    """Refuses a dataset with an empty split.

    Raises:
        InputError: It names the reasons why rows were left out.
    """
    for split, count in counts.items():
        if count == 0:
            left_out = _listed({**excluded, **skipped}) or 'none'
            raise InputError(f'no examples for the {split} split; rows left out: {left_out}')


def _listed(counts: Mapping[str, int]) -> str:
    return ', '.join(f'{count:,} {reason}' for reason, count in counts.items())


def _shard_name(split: Split, number: int) -> str:
    return f'{split}-{number:05d}'


def _check(row: Example, num_classes: int) -> None:
    if not 0 <= row.label < num_classes:
        raise InputError(
            f'row {row.id}: label {row.label}: expected 0 to {num_classes - 1}, an index into the '
            'class names'
        )
    if row.split not in SPLITS:
        raise InputError(f'row {row.id}: split {row.split!r}: expected train or test')


def _pack(row: Example | Skipped) -> bytes:
    if isinstance(row, Example):
        box = None if row.box is None else [float(edge) for edge in row.box]
        values = [as_text(row.id), as_text(row.photo), box, int(row.label), row.split, row.data]
    else:
        values = [as_text(row.id), row.reason, row.fault]
    return msgspec.msgpack.encode(values)
