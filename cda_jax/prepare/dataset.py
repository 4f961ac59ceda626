"""What a reader hands over: one row of a dataset, used or left out, and the dataset around it."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cda_jax.data.manifest import Split


class Box(NamedTuple):
    """A rectangle in pixels: x to the right, y down, the end not included.

    It may reach beyond the image; cropping deals with that.
    """

    x0: float
    y0: float
    x1: float
    y1: float


class Example(NamedTuple):
    """One labelled picture, or one labelled face on a picture. The picture itself is not opened.

    Attributes:
        id: Name of the row, unique in its dataset; with the dataset's name it finds the row again.
        photo: Name of the picture the row was taken from. Rows of one photo never part company
            when data is split.
        path: The picture's file, or None where `data` holds its encoded bytes.
        box: Where the face is, or None for the whole picture.
        label: Index into the dataset's class names.
        split: 'train' or 'test'.
        data: The encoded picture, for datasets that do not keep one file a picture.
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
        detail: What was found in this very row; may be empty.
        fault: True where the data is damaged (such rows are listed and their share is limited);
            False where leaving it out is how the dataset is meant to be used, for example a class
            outside the common ones (such rows are only counted).
    """

    id: str
    reason: str
    detail: str = ''
    fault: bool = True


class Dataset(NamedTuple):
    """A dataset as its reader sees it.

    Attributes:
        class_names: Names of the labels 0..C-1.
        sources: Files that say what the rows are (label lists, not pictures); the manifest keeps
            their hashes.
        rows: Every row of the sources, once, in an order that never changes: a list, or what reads
            them anew each time, so that pictures need not all be in memory.
        test_photos: Photos of the test split where the reader itself drew the split, else None.
    """

    class_names: tuple[str, ...]
    sources: tuple[Path, ...]
    rows: Iterable[Example | Skipped]
    test_photos: tuple[str, ...] | None = None
