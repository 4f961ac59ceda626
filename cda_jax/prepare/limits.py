"""When a dataset is too incomplete to be used."""

from collections import Counter
from collections.abc import Mapping, Sequence

from cda_jax.data.manifest import SkippedRow
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Split


def count_reasons(skipped: Sequence[SkippedRow]) -> dict[str, int]:
    """Counts rows by reason, the most frequent first."""
    return dict(Counter(row.reason for row in skipped).most_common())


def check_skipped(skipped: Sequence[SkippedRow], num_usable: int, max_share: float) -> None:
    """Refuses a dataset with too many unusable rows.

    Args:
        skipped: The unusable rows.
        num_usable: Number of the others; rows left out on purpose are not among them.
        max_share: The share of both together that may be unusable, 0 to 1.

    Raises:
        InputError: Naming the reasons and one row, if there are more.
    """
    total = len(skipped) + num_usable
    if len(skipped) <= max_share * total:
        return
    example = skipped[0]
    detail = f' ({example.detail})' if example.detail else ''
    raise InputError(
        f'{len(skipped):,} of {total:,} rows cannot be used, and at most a share of {max_share:g} '
        f'may be (max_skipped_share): {_list(count_reasons(skipped))}; '
        f'for example {example.id}: {example.reason}{detail}'
    )


def check_splits(
    counts: Mapping[Split, int], excluded: Mapping[str, int], skipped: Mapping[str, int]
) -> None:
    """Refuses empty splits.

    Args:
        counts: Number of examples in each split.
        excluded: Rows left out on purpose, by reason.
        skipped: Unusable rows, by reason.

    Raises:
        InputError: If a count is 0.
    """
    for split, count in counts.items():
        if count == 0:
            left_out = _list({**excluded, **skipped}) or 'none'
            raise InputError(f'no examples for the {split} split; rows left out: {left_out}')


def _list(counts: Mapping[str, int]) -> str:
    return ', '.join(f'{count:,} {reason}' for reason, count in counts.items())
