"""ExpW: one label list with a line per face, and a split by photo drawn here."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Box, Dataset, Example, Skipped
from cda_jax.prepare.readers import row_checks
from cda_jax.prepare.readers.expressions import EXPRESSIONS, native_labels
from cda_jax.prepare.readers.label_files import first_file, first_folder, found_in, numbered_lines
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

    Args:
        min_confidence: Leave out faces whose box confidence (0.2 .. 140, no probability) is lower.
        num_test: The most faces that the test split may hold; see `draw_test_photos`.
        test_photos: A file with one photo per line, which make the test split instead.
    """
    label_file = first_file(root / name for name in LABEL_FILES)
    images = first_folder(root / name for name in IMAGE_FOLDERS)
    if label_file is None or images is None:
        raise InputError(
            f'{root}: not a folder of ExpW; expected {LABEL_FILES[0]} and {IMAGE_FOLDERS[1]}/ in '
            f'it, or {LABEL_FILES[1]} and {IMAGE_FOLDERS[3]}/{found_in(root)}'
        )
    rows, photos = _faces(root, label_file, images, min_confidence, follow_links)
    if test_photos is not None:
        listed = Path(test_photos)
        for number, name in numbered_lines(listed):
            if name.strip() not in photos:
                raise InputError(
                    f"{listed}, line {number}: expected the name of a photo of the dataset's label "
                    f'list, found {name.strip()[:80]!r}'
                )
        rows = with_test(rows, {name.strip() for _, name in numbered_lines(listed)})
        return Dataset(EXPRESSIONS, (label_file, listed), rows)
    faces = Counter(row.photo for row in rows if isinstance(row, Example))
    if 0 < faces.total() <= num_test:
        raise InputError(
            f'{root}: expected num_test below its {faces.total()} usable faces, so that some are '
            f'left to train on, found {num_test}'
        )
    drawn = draw_test_photos(faces, num_test)
    return Dataset(EXPRESSIONS, (label_file,), with_test(rows, set(drawn)), drawn)


def draw_test_photos(faces: Mapping[str, int], num_test: int) -> tuple[str, ...]:
    """Draws the photos of a test split in the order of the SHA-256 of their names.

    A photo with more faces than there is still room for is passed over for a later one with fewer.
    """
    taken, room = [], num_test
    for photo in sorted(faces, key=lambda name: hashlib.sha256(name.encode()).hexdigest()):
        if faces[photo] <= room:
            taken.append(photo)
            room -= faces[photo]
    return tuple(sorted(taken))


def _faces(
    root: Path, label_file: Path, images: Path, min_confidence: float | None, follow_links: bool
) -> tuple[list[Example | Skipped], set[str]]:
    """Every face, in the training split for now, and the names of all photos in the list."""
    check_picture = row_checks.picture_check(images, root, follow_links)

    def example(row_id: str, photo: str, box: Box, confidence: float, label: int) -> Example:
        check_picture(photo)
        row_checks.usable_box(box, str(tuple(box)))
        if min_confidence is not None and not confidence >= min_confidence:
            why = 'box confidence below the minimum'
            raise row_checks.UnusableRowError(why, str(confidence), False)
        return Example(row_id, photo, images / photo, box, label, 'train')

    rows: list[Example | Skipped] = []
    photos: set[str] = set()
    ids: set[str] = set()
    for number, line in numbered_lines(label_file):
        try:
            photo, face, *edges, confidence, label = line.split()
            top, left, right, bottom = row_checks.numbers(edges, 'expected numbers')
            box, face, label = Box(left, top, right, bottom), int(face), LABELS[label]
            confidence = float(confidence)
        except (KeyError, ValueError) as error:
            raise InputError(
                f'{label_file}, line {number}: expected "NAME FACE_ID TOP LEFT RIGHT BOTTOM '
                f'CONFIDENCE LABEL" with a LABEL of 0..6, found {line[:80]!r}'
            ) from error
        row_id = f'{photo}#{face}'
        if row_id in ids:
            row_id = f'{row_id}:{number}'
        ids.add(row_id)
        photos.add(photo)
        rows.append(row_checks.attempt(example, row_id, photo, box, confidence, label))
    return rows, photos
