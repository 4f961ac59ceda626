"""FER2013: one CSV file with the pixels of every face in it."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Dataset, Example, ReadAnew, Skipped
from cda_jax.prepare.readers import ferplus, row_checks
from cda_jax.prepare.readers.expressions import COMMON_ORDER, EXPRESSIONS, native_labels
from cda_jax.prepare.readers.label_files import csv_table, first_file, other_layout

# The original's archive unpacks into a folder; the last is a later copy of the same rows.
FILES = ('fer2013.csv', 'fer2013/fer2013.csv', 'icml_face_data.csv')
COLUMNS = ('emotion', 'pixels', 'Usage')
SIDE = 48  # pixels
LABELS = native_labels('fer2013')
PUBLIC_TEST_CHOICES = ('exclude', 'train', 'validation', 'test')
# One look-up reads and checks a pixel in half the time that int() takes.
_PIXELS = {str(value): value for value in range(256)}


def read(root: Path, public_test: str = 'exclude', votes: str | Path | None = None) -> Dataset:
    """Lists the faces of FER2013 (Goodfellow et al., 2013), 48 x 48 pixels in grey.

    The test split is `PrivateTest`, which ranked the contest's entries and on which most published
    accuracies were measured. `PublicTest` served to select models; by default it is left out, and
    `public_test` can make it the validation split or add it to 'train' or 'test'.

    The root may also be the file itself, `fer2013.csv` or `icml_face_data.csv`, with the columns
    emotion, pixels and Usage in any order. The rows have the ids `fer2013.csv:LINE` and carry their
    pictures as PNG. Reading them raises InputError where one is malformed, and leaves out damaged
    pixels.

    Args:
        votes: `fer2013new.csv` of FER+, or its name where it lies beside the file. Rows then have
            the votes for eight classes, and the label with most votes, as of `ferplus.most_voted`.
    """
    if public_test not in PUBLIC_TEST_CHOICES:
        raise InputError(
            f'public_test: expected {", ".join(PUBLIC_TEST_CHOICES)}, found {public_test!r}'
        )
    path = first_file([root, *(root / name for name in FILES)])
    if path is None:
        expected = f'expected {FILES[0]} or {FILES[2]} in it'
        raise other_layout(root, f'not a folder of FER2013; {expected}')
    csv_table(path, COLUMNS)  # Another header shows before anything is read.
    if votes is None:
        return Dataset(EXPRESSIONS, (path,), ReadAnew(lambda: _rows(path, public_test)))
    voted = first_file([Path(votes), path.parent / votes])
    if voted is None:
        raise InputError(f'votes: {votes}: no such file; expected fer2013new.csv of FER+')
    rows = ReadAnew(lambda: _rows(path, public_test, voted))
    return Dataset(COMMON_ORDER, (path, voted), rows, layout=f'labels by the votes of {voted.name}')


def _rows(path: Path, public_test: str, voted: Path | None = None) -> Iterator[Example | Skipped]:
    splits = {'Training': 'train', 'PublicTest': public_test, 'PrivateTest': 'test'}
    all_votes = iter(()) if voted is None else ferplus.read_votes(voted)

    def example(
        row_id: str, label: int, usage: str, pixels: str, votes: ferplus.Votes | None
    ) -> Example:
        if splits[usage] == 'exclude':
            raise row_checks.UnusableRowError('public test set not used', '', False)
        of_classes = None
        if votes is not None:
            label, of_classes = ferplus.most_voted(votes), votes.of_classes
        picture = _png(pixels.split())
        return Example(row_id, row_id, None, None, label, splits[usage], picture, of_classes)

    for number, row in csv_table(path, COLUMNS)[1]:
        where = f'{path}, line {number}'
        emotion, pixels, usage = (row[column].strip() for column in COLUMNS)
        if emotion not in LABELS:
            raise InputError(f'{where}: expected an emotion of 0..6, found {emotion[:20]!r}')
        if usage not in splits:
            raise InputError(
                f'{where}: expected the Usage {", ".join(splits)}, found {usage[:20]!r}'
            )
        votes = next(all_votes, None)
        if voted is not None and votes is None:
            raise InputError(f'{voted}: has no votes for {where}; expected as many rows')
        if votes is not None and votes.usage != usage:
            raise InputError(
                f'{votes.where}: expected the Usage {usage!r} of {where}, found '
                f'{votes.usage[:20]!r}; the rows must be the same, in the same order'
            )
        row_id = f'{path.name}:{number}'
        yield row_checks.attempt(example, row_id, LABELS[emotion], usage, pixels, votes)
    if extra := next(all_votes, None):
        raise InputError(f'{extra.where}: expected no more rows than {path} has')


def _png(pixels: list[str]) -> bytes:
    if len(pixels) != SIDE * SIDE:
        raise row_checks.UnusableRowError('not 48 x 48 pixels', f'{len(pixels)} pixels')
    try:
        values = bytes(map(_PIXELS.__getitem__, pixels))
    except KeyError as error:
        what = 'pixel not an integer of 0..255'
        raise row_checks.UnusableRowError(what, error.args[0][:20]) from error
    image = np.frombuffer(values, np.uint8).reshape(SIDE, SIDE)
    # Not compressed, so that the rows' hash, by which a preparation recognises what it has done,
    # does not change with the version of the compression library.
    return cv2.imencode('.png', image, [cv2.IMWRITE_PNG_COMPRESSION, 0])[1].tobytes()
