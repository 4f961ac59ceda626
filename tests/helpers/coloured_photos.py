"""Small photos with a face box of one colour a class, and the rows that name them."""

from pathlib import Path

import cv2
import numpy as np

from cda_jax.data.manifest import Manifest
from cda_jax.prepare.dataset import Box, Dataset, Example, Skipped
from cda_jax.prepare.run import prepare

CLASSES = ('red', 'green', 'blue')
COLOURS = ((230, 20, 10), (20, 210, 30), (10, 30, 220))
BOX = Box(30, 8, 50, 24)


def write_photo(path: Path, label: int, number: int) -> None:
    """A photo with the class's colour in BOX, and a grey of its own around it."""
    image = np.full((40, 60, 3), 100 + number % 100, np.uint8)
    image[8:24, 30:50] = COLOURS[label]
    image[12:14, 34:36] = number % 251  # Makes every face another.
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode('.png', image[..., ::-1])[1].tobytes())


def make_rows(root: Path, num_train: int = 10, num_test: int = 5) -> list[Example]:
    rows = []
    for number in range(num_train + num_test):
        name, label = f'{number:03d}.png', number % 3
        write_photo(root / name, label, number)
        split = 'train' if number < num_train else 'test'
        rows.append(Example(name, name, root / name, BOX, label, split))
    return rows


def prepare_toys(folder: Path, rows: list[Example | Skipped], face_size=16, **options) -> Manifest:
    dataset = Dataset(CLASSES, (), rows)
    return prepare(dataset, folder, name='toys', reader='csv', face_size=face_size, **options)


def files_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob('*') if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
