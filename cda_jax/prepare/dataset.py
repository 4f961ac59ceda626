"""What a reader returns: a dataset, and its rows, which are used or left out."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from cda_jax.data.manifest import Split
from cda_jax.data.records import UNLABELLED


class Box(NamedTuple):
    """A rectangle in pixels, x to the right and y down; it may reach beyond the image."""

    x0: float
    y0: float
    x1: float
    y1: float


class Example(NamedTuple):
    """A labelled picture, or a labelled face on a picture, which has not been opened yet."""

    id: str  # of the row, unique in its dataset
    photo: str  # name of the picture that the row comes from; its rows stay in one split
    path: Path | None  # of the picture; None where `data` holds it
    box: Box | None  # around the face; None for the whole picture
    label: int  # index into the dataset's class names; UNLABELLED in all of train or in none
    split: Split
    data: bytes | None = None  # the encoded picture, where it has no file of its own
    # How many annotators chose each class, of which `label` is the first with most; in all rows of
    # a split or in none.
    votes: tuple[float, ...] | None = None


class Skipped(NamedTuple):
    """A row that is not used.

    Where it is a fault of the data, the row is listed, and the share of such rows is limited. Rows
    that the dataset is meant to be used without, of an unused class for example, are only counted.
    """

    id: str  # as in `Example`
    reason: str  # a short phrase that many rows can share, for example 'box without area'
    detail: str = ''  # what was found in this row
    fault: bool = True


class ReadAnew:
    """Rows that are read anew for each pass, because their pictures may not fit in memory."""

    def __init__(self, read: Callable[[], Iterator[Example | Skipped]]):
        self._read = read

    def __iter__(self) -> Iterator[Example | Skipped]:
        return self._read()


class Dataset(NamedTuple):
    """A dataset as its reader sees it."""

    class_names: tuple[str, ...]
    sources: tuple[Path, ...]  # label files, not pictures; the manifest keeps their hashes
    rows: Iterable[Example | Skipped]  # every row once, in an order that never changes
    test_photos: tuple[str, ...] | None = None  # of the test split, where the reader drew it
    layout: str = ''  # which of its layouts the folder has, in words
    class_changes: Mapping[str, str] = MappingProxyType({})  # as in `Manifest`


def each_example(
    rows: Iterable[Example | Skipped], change: Callable[[Example], Example | Skipped]
) -> list[Example | Skipped]:
    """The rows with every example changed, and those that are skipped as they are."""
    return [change(row) if isinstance(row, Example) else row for row in rows]


def without_labels(dataset: Dataset) -> Dataset:
    """The dataset as if nobody had said the classes of its training pictures."""

    def rows() -> Iterator[Example | Skipped]:
        for row in dataset.rows:
            is_training = isinstance(row, Example) and row.split == 'train'
            yield row._replace(label=UNLABELLED, votes=None) if is_training else row

    return dataset._replace(rows=ReadAnew(rows))
