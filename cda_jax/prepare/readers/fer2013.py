"""FER2013: one CSV file with the pixels of every face in it."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Dataset, Example, ReadAnew, Skipped
from cda_jax.prepare.readers import ferplus, row_checks
from cda_jax.prepare.readers.expressions import COMMON_ORDER, EXPRESSIONS, native_labels
from cda_jax.prepare.readers.label_files import csv_rows, first_file, found_in

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
        raise InputError(
            f'{root}: not a folder of FER2013; expected {FILES[0]} or {FILES[2]} in it'
            f'{found_in(root)}'
        )
    columns = _columns(path)
    splits = {'Training': 'train', 'PublicTest': public_test, 'PrivateTest': 'test'}
    if votes is None:
        return Dataset(EXPRESSIONS, (path,), ReadAnew(lambda: _rows(path, columns, splits)))
    voted = first_file([Path(votes), path.parent / votes])
    if voted is None:
        raise InputError(f'votes: {votes}: no such file; expected fer2013new.csv of FER+')
    rows = ReadAnew(lambda: _rows(path, columns, splits, voted))
    return Dataset(COMMON_ORDER, (path, voted), rows, layout=f'labels by the votes of {voted.name}')


def _columns(path: Path) -> list[int]:
    """The places of the emotion, the pixels and the Usage in a row."""
    _, header = next(csv_rows(path), (1, []))
    names = [name.strip() for name in header]  # one of the two copies has blanks
    if sorted(names) != sorted(COLUMNS):
        raise InputError(
            f'{path}, line 1: expected a header with {", ".join(COLUMNS)}, '
            f'found {",".join(header)[:80]!r}'
        )
    return [names.index(name) for name in COLUMNS]


def _rows(
    path: Path, columns: list[int], splits: dict[str, str], voted: Path | None = None
) -> Iterator[Example | Skipped]:
    rows = csv_rows(path)
    next(rows)  # the header
    of_rows = iter(()) if voted is None else ferplus.read_votes(voted)
    for number, fields in rows:
        where = f'{path}, line {number}'
        if len(fields) != len(COLUMNS):
            raise InputError(
                f'{where}: expected the {len(COLUMNS)} fields {", ".join(COLUMNS)}, '
                f'found {len(fields)}'
            )
        emotion, pixels, usage = (fields[column].strip() for column in columns)
        votes = next(of_rows, None)
        if voted is not None:
            ferplus.check_match(votes, voted, where, usage)
        row_id = f'{path.name}:{number}'
        yield row_checks.attempt(_example, row_id, where, emotion, pixels, usage, splits, votes)
    if extra := next(of_rows, None):
        raise InputError(f'{extra.where}: expected no more rows than {path} has')


def _example(
    row_id: str,
    where: str,
    emotion: str,
    pixels: str,
    usage: str,
    splits: dict[str, str],
    votes: ferplus.Votes | None,
) -> Example:
    if emotion not in LABELS:
        raise InputError(f'{where}: expected an emotion of 0..6, found {emotion[:20]!r}')
    if usage not in splits:
        raise InputError(
            f'{where}: expected the Usage Training, PublicTest or PrivateTest, found {usage[:20]!r}'
        )
    if splits[usage] == 'exclude':
        raise row_checks.UnusableRowError('public test set not used', '', False)
    label = LABELS[emotion] if votes is None else ferplus.most_voted(votes)
    of_classes = None if votes is None else votes.of_classes
    picture = _png(pixels.split())
    return Example(row_id, row_id, None, None, label, splits[usage], picture, of_classes)


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
