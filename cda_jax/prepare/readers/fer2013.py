"""FER2013: one CSV file with the pixels of every face in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cda_jax.data.manifest import Split
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Dataset, Example, Skipped
from cda_jax.prepare.readers import row_checks
from cda_jax.prepare.readers.expressions import EXPRESSIONS
from cda_jax.prepare.readers.label_files import csv_rows, first_file

# The archive of the first unpacks into a folder; the second is a later copy of the same rows.
FILES = ('fer2013.csv', 'fer2013/fer2013.csv', 'icml_face_data.csv')
COLUMNS = ('emotion', 'pixels', 'Usage')
SIDE = 48  # pixels
# Anger, disgust, fear, happiness, sadness, surprise, neutral in the file.
LABELS = {'0': 5, '1': 2, '2': 1, '3': 3, '4': 4, '5': 0, '6': 6}
PUBLIC_TEST = 'PublicTest'
USAGES: dict[str, Split] = {'Training': 'train', 'PrivateTest': 'test'}
PUBLIC_TEST_CHOICES: dict[str, dict[str, Split]] = {
    'exclude': {},
    'train': {PUBLIC_TEST: 'train'},
    'test': {PUBLIC_TEST: 'test'},
}

PUBLIC_TEST_NOT_USED = 'public test set not used'  # no fault
WRONG_PIXEL_COUNT = 'not 48 x 48 pixels'
NOT_A_PIXEL = 'pixel not an integer of 0..255'

# Reads and checks a pixel in one look-up, in half the time of int().
_PIXELS = {str(value): value for value in range(256)}


def read(root: Path, public_test: str = 'exclude') -> Dataset:
    """Lists the faces of FER2013 (Goodfellow et al., 2013), 48 x 48 pixels in grey.

    The test split is `PrivateTest`, which ranked the contest's entries and which most published
    accuracies are of. `PublicTest` served to select models; this package selects on a part of the
    training split (`validation_fraction`), so that set is left out unless asked for.

    Args:
        root: The folder that holds `fer2013.csv` or `icml_face_data.csv`, or the file itself. The
            columns emotion, pixels and Usage may come in any order.
        public_test: What becomes of `PublicTest`: 'exclude', or a part of 'train' or of 'test'.

    Returns:
        A row per row of the file, its id `fer2013.csv:LINE`. The rows carry their picture as PNG
        and are read one by one. Those with damaged pixels are left out; a set that is not used is
        left out before its pixels are looked at.

    Raises:
        InputError: The option or the layout is not as expected; or, while the rows are read, a row
            has not three fields, an emotion of 0..6 and a known Usage.
    """
    if public_test not in PUBLIC_TEST_CHOICES:
        raise InputError(
            f'public_test: expected {", ".join(PUBLIC_TEST_CHOICES)}, found {public_test!r}'
        )
    path = first_file([root, *(root / name for name in FILES)])
    if path is None:
        raise InputError(
            f'{root}: not a folder of FER2013; expected {FILES[0]} or {FILES[2]} in it'
        )
    splits = USAGES | PUBLIC_TEST_CHOICES[public_test]
    return Dataset(EXPRESSIONS, (path,), _Rows(path, _columns(path), splits))


def _columns(path: Path) -> list[int]:
    """Returns where the emotion, the pixels and the Usage stand in a row."""
    _, header = next(csv_rows(path), (1, []))
    names = [name.strip() for name in header]  # one of the two copies has blanks
    if sorted(names) != sorted(COLUMNS):
        raise InputError(
            f'{path}, line 1: expected a header with {", ".join(COLUMNS)}, '
            f'found {",".join(header)[:80]!r}'
        )
    return [names.index(name) for name in COLUMNS]


@dataclass(frozen=True)
class _Rows:
    """The rows, read anew each time."""

    path: Path
    columns: list[int]
    splits: dict[str, Split]

    def __iter__(self) -> Iterator[Example | Skipped]:
        rows = csv_rows(self.path)
        next(rows)  # the header
        for number, fields in rows:
            where = f'{self.path}, line {number}'
            if len(fields) != len(COLUMNS):
                raise InputError(
                    f'{where}: expected the {len(COLUMNS)} fields {", ".join(COLUMNS)}, '
                    f'found {len(fields)}'
                )
            emotion, pixels, usage = (fields[column].strip() for column in self.columns)
            row_id = f'{self.path.name}:{number}'
            yield row_checks.attempt(_example, row_id, where, emotion, pixels, usage, self.splits)


def _example(
    row_id: str, where: str, emotion: str, pixels: str, usage: str, splits: dict[str, Split]
) -> Example:
    if emotion not in LABELS:
        raise InputError(f'{where}: expected an emotion of 0..6, found {emotion[:20]!r}')
    if usage not in (*USAGES, PUBLIC_TEST):
        raise InputError(
            f'{where}: expected the Usage Training, PublicTest or PrivateTest, found {usage[:20]!r}'
        )
    if usage not in splits:
        raise row_checks.UnusableRowError(PUBLIC_TEST_NOT_USED, '', False)
    picture = _png(pixels.split())
    return Example(row_id, row_id, None, None, LABELS[emotion], splits[usage], picture)


def _png(pixels: list[str]) -> bytes:
    if len(pixels) != SIDE * SIDE:
        raise row_checks.UnusableRowError(WRONG_PIXEL_COUNT, f'{len(pixels)} pixels')
    try:
        values = bytes(map(_PIXELS.__getitem__, pixels))
    except KeyError as error:
        raise row_checks.UnusableRowError(NOT_A_PIXEL, error.args[0][:20]) from error
    image = np.frombuffer(values, np.uint8).reshape(SIDE, SIDE)
    # Not compressed: the rows' hash, by which a preparation goes on where it was, then does not
    # change with the version of the compression library.
    png = cv2.imencode('.png', image, [cv2.IMWRITE_PNG_COMPRESSION, 0])[1]
    return png.tobytes()
