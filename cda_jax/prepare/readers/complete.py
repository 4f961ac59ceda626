"""The last step of every reader that lists its rows."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Dataset, Example, Skipped


def complete(
    root: Path,
    class_names: tuple[str, ...],
    sources: Sequence[Path],
    rows: Sequence[Example | Skipped],
    test_photos: tuple[str, ...] | None = None,
) -> Dataset:
    """Makes a dataset of rows that fill both splits.

    Args:
        root: What the user named; for the message.
        class_names: Names of the labels 0..C-1.
        sources: Files that say what the rows are.
        rows: Every row, once.
        test_photos: Photos of the test split where the reader drew it.

    Returns:
        The dataset.

    Raises:
        InputError: A split has no usable row.
    """
    filled = {row.split for row in rows if isinstance(row, Example)}
    for split in ('train', 'test'):
        if split not in filled:
            raise InputError(f'{root}: no usable row in the {split} split{_left_out(rows)}')
    return Dataset(class_names, tuple(sources), iter(rows), test_photos)


def _left_out(rows: Sequence[Example | Skipped]) -> str:
    counts = Counter(row.reason for row in rows if isinstance(row, Skipped))
    if not counts:
        return ''
    listed = ', '.join(f'{reason} ({count})' for reason, count in counts.most_common())
    return f'; rows left out: {listed}'
