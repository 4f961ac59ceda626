"""ExpW: one label list with a line per face, and a split by photo drawn here."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from cda_jax.data.records import hash_photo
from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Box, Dataset, Example, Skipped
from cda_jax.prepare.readers import row_checks
from cda_jax.prepare.readers.expressions import EXPRESSIONS, native_labels
from cda_jax.prepare.readers.label_files import (
    first_file,
    first_folder,
    numbered_lines,
    other_layout,
)
from cda_jax.prepare.readers.splits import with_test

LABEL_FILES = ('label/label.lst', 'label.lst', 'image/label.lst')
IMAGE_FOLDERS = ('image/origin/origin', 'image/origin', 'origin/origin', 'origin')
LABELS = native_labels('expw')


def read(
    root: Path,
    min_confidence: float | None = None,
    num_test: int = 3500,
    test_photos: str | Path | None = None,
    follow_links: bool = False,
) -> Dataset:
    """Lists the faces of ExpW, a row per line of its label list.

    A row's id is `photo#face_id`, or `photo#face_id:line` where an earlier line has that id.

    The test split takes photos in the order of the SHA-256 of their names. A photo with more faces
    than there is still room for is passed over for a later one with fewer.

    Args:
        min_confidence: Leave out faces whose box confidence (0.2 .. 140, no probability) is lower.
        num_test: The most faces that the test split may hold.
        test_photos: A file with one photo per line, which make the test split instead.
    """
    label_file = first_file(root / name for name in LABEL_FILES)
    images = first_folder(root / name for name in IMAGE_FOLDERS)
    if label_file is None or images is None:
        expected = 'label/label.lst and image/origin/ in it, or label.lst and origin/'
        raise other_layout(root, f'not a folder of ExpW; expected {expected}')
    check_picture = row_checks.picture_check(images, root, follow_links)

    def example(row_id: str, photo: str, box: Box, confidence: float, label: int) -> Example:
        check_picture(photo)
        row_checks.usable_box(box, str(tuple(box)))
        if min_confidence is not None and not confidence >= min_confidence:
            why = 'box confidence below the minimum'
            raise row_checks.UnusableRowError(why, str(confidence), False)
        return Example(row_id, photo, images / photo, box, label, 'train')

    rows: dict[str, Example | Skipped] = {}
    photos: set[str] = set()
    for number, line in numbered_lines(label_file):
        try:
            photo, face, *edges, confidence, label = line.split()
            top, left, right, bottom = row_checks.numbers(edges, 'expected numbers')
            row_id = f'{photo}#{int(face)}'
            arguments = photo, Box(left, top, right, bottom), float(confidence), LABELS[label]
        except (KeyError, ValueError) as error:
            raise InputError(
                f'{label_file}, line {number}: expected "NAME FACE_ID TOP LEFT RIGHT BOTTOM '
                f'CONFIDENCE LABEL" with a LABEL of 0..6, found {line[:80]!r}'
            ) from error
        if row_id in rows:
            row_id += f':{number}'
        rows[row_id] = row_checks.attempt(example, row_id, *arguments)
        photos.add(photo)
    if test_photos is None:
        drawn = _draw_test(rows.values(), num_test, root)
        return Dataset(EXPRESSIONS, (label_file,), with_test(rows.values(), set(drawn)), drawn)
    listed = Path(test_photos)
    chosen = [(number, name.strip()) for number, name in numbered_lines(listed)]
    for number, name in chosen:
        if name not in photos:
            raise InputError(
                f"{listed}, line {number}: expected the name of a photo of the dataset's label "
                f'list, found {name[:80]!r}'
            )
    split = with_test(rows.values(), {name for _, name in chosen})
    return Dataset(EXPRESSIONS, (label_file, listed), split)


def _draw_test(rows: Iterable[Example | Skipped], num_test: int, root: Path) -> tuple[str, ...]:
    faces = Counter(row.photo for row in rows if isinstance(row, Example))
    if 0 < faces.total() <= num_test:
        raise InputError(
            f'{root}: expected num_test below its {faces.total()} usable faces, so that some are '
            f'left to train on, found {num_test}'
        )
    taken, room = [], num_test
    for photo in sorted(faces, key=hash_photo):
        if faces[photo] <= room:
            taken.append(photo)
            room -= faces[photo]
    return tuple(sorted(taken))
