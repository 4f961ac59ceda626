"""What a reader returns: a dataset, and its rows, which are used or left out."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from cda_jax.data.manifest import Split


class Box(NamedTuple):
    """A rectangle in pixels, x to the right and y down; it may reach beyond the image."""

    x0: float
    y0: float
    x1: float
    y1: float


class Example(NamedTuple):
    """A labelled picture, or a labelled face on a picture, which has not been opened yet.

    Attributes:
        id: Name of the row, unique in its dataset.
        photo: Name of the picture that the row comes from. Rows of one photo stay in one split.
        path: The picture's file, or None where `data` holds its encoded bytes.
        box: Where the face is, or None for the whole picture.
        label: Index into the dataset's class names.
        data: The encoded picture, for datasets that do not keep each picture in a file of its own.
    """

    id: str
    photo: str
    path: Path | None
    box: Box | None
    label: int
    split: Split
    data: bytes | None = None


class Skipped(NamedTuple):
    """A row that is not used.

    Attributes:
        id: Name of the row, as in `Example`.
        reason: A short phrase that many rows can share, for example 'box without area'.
        detail: What was found in this row; may be empty.
        fault: Whether the data is damaged: such rows are listed, and their share is limited. Rows
            that the dataset is meant to be used without, of an unused class for example, are only
            counted.
    """

    id: str
    reason: str
    detail: str = ''
    fault: bool = True


class ReadAnew:
    """Rows that are read anew for each pass, because their pictures may not fit in memory."""

    def __init__(self, read: Callable[[], Iterator[Example | Skipped]]):
        self._read = read

    def __iter__(self) -> Iterator[Example | Skipped]:
        return self._read()


class Dataset(NamedTuple):
    """A dataset as its reader sees it.

    Attributes:
        sources: Label files, not pictures; the manifest keeps their hashes.
        rows: Every row once, in an order that never changes.
        test_photos: Photos of the test split where the reader itself drew the split, else None.
    """

    class_names: tuple[str, ...]
    sources: tuple[Path, ...]
    rows: Iterable[Example | Skipped]
    test_photos: tuple[str, ...] | None = None
