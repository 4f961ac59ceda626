"""The folders of RAF-DB, ExpW and AffectNet: names of the photos, and files with their labels."""

import csv
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cda_jax.data.records import hash_photo
from cda_jax.prepare.readers.affectnet import HEADER
from cda_jax.standin.photos import Annotation, Photo

Annotated = list[tuple[Photo, list[Annotation]]]

# The datasets' own numbers of the expressions, in the order of EXPRESSIONS.
_RAFDB_NUMBERS, _EXPW_NUMBERS = range(1, 8), (5, 2, 1, 3, 4, 0, 6)
_AFFECTNET_NUMBERS = (3, 4, 5, 1, 2, 6, 0)
# Typical valence and arousal of a full expression, in the order of EXPRESSIONS.
_AFFECT = ((0.2, 0.8), (-0.5, 0.75), (-0.65, 0.4), (0.8, 0.3), (-0.7, -0.3), (-0.5, 0.7), (0, 0))


class Layout(NamedTuple):
    """How a dataset lies on the disk."""

    pictures: str  # folder of the pictures, below the dataset's root
    # Seed, numbers of training and of test photos -> their names below `pictures`.
    name_photos: Callable[[int, int, int], tuple[list[str], list[str]]]
    # Root, photos -> the ids that the dataset's reader gives to their faces, in order.
    write_labels: Callable[[Path, Annotated], list[str]]


def _name_rafdb(seed: int, train: int, test: int) -> tuple[list[str], list[str]]:
    train_names = [f'train_{i:05d}.jpg' for i in range(1, train + 1)]
    return train_names, [f'test_{i:04d}.jpg' for i in range(1, test + 1)]


def _write_rafdb(root: Path, annotated: Annotated) -> list[str]:
    for photo, (face,) in annotated:
        box_file = photo.name.replace('.jpg', '_boundingbox.txt')
        edges = ' '.join(f'{edge:.3f}' for edge in face.box)
        _write_lines(root / 'Annotation' / 'boundingbox' / box_file, [edges])
    lines = [f'{photo.name} {_RAFDB_NUMBERS[photo.labels[0]]}' for photo, _ in annotated]
    _write_lines(root / 'EmoLabel' / 'list_patition_label.txt', lines)
    return [photo.name for photo, _ in annotated]


def _name_expw(seed: int, train: int, test: int) -> tuple[list[str], list[str]]:
    """Takes the test photos in the order of a hash of their names, as the reader does."""
    scenes = ('party', 'concert', 'office', 'family', 'school', 'market', 'street', 'stage')
    names = [f'{scenes[i % len(scenes)]}_{seed}_{i}.jpg' for i in range(train + test)]
    names.sort(key=hash_photo)
    return names[test:], names[:test]


def _write_expw(root: Path, annotated: Annotated) -> list[str]:
    lines, ids = [], []
    for photo, faces in annotated:
        for i, (face, label) in enumerate(zip(faces, photo.labels, strict=True)):
            left, top, right, bottom = (round(edge) for edge in face.box)
            confidence = 5 + face.intensity * (right - left)
            edges = f'{top} {left} {right} {bottom}'
            lines.append(f'{photo.name} {i} {edges} {confidence:.4f} {_EXPW_NUMBERS[label]}')
            ids.append(f'{photo.name}#{i}')
    _write_lines(root / 'label' / 'label.lst', sorted(lines))
    return ids


def _name_affectnet(seed: int, train: int, test: int) -> tuple[list[str], list[str]]:
    hashes = [hashlib.sha224(f'{seed}/{i}'.encode()).hexdigest() for i in range(train + test)]
    names = [f'{1 + i % 40}/{digest}.jpg' for i, digest in enumerate(hashes)]
    return names[:train], names[train:]


def _write_affectnet(root: Path, annotated: Annotated) -> list[str]:
    ids = []
    for split, table in (('train', 'training.csv'), ('test', 'validation.csv')):
        rows = []
        for photo, (face,) in annotated:
            if photo.split == split:
                x0, y0, x1, y1 = (round(edge) for edge in face.box)
                points = ';'.join(f'{value:.2f}' for value in face.landmarks.ravel())
                affect = face.intensity * np.array(_AFFECT[photo.expressions[0]])
                affect = (f'{value:.4f}' for value in np.clip(affect, -1.0, 1.0))
                number = _AFFECTNET_NUMBERS[photo.labels[0]]
                rows.append((photo.name, x0, y0, x1 - x0, y1 - y0, points, number, *affect))
        write_csv(root / table, [HEADER, *rows])
        ids += [f'{table}:{line}' for line in range(2, len(rows) + 2)]
    return ids


def _write_lines(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(f'{line}\n' for line in lines), encoding='ascii')


def write_csv(path: Path, rows: list[tuple[object, ...]]) -> None:
    """Writes a table, its header first."""
    with path.open('w', encoding='ascii', newline='') as file:
        csv.writer(file, lineterminator='\n').writerows(rows)


LAYOUTS = {
    'rafdb': Layout('Image/original', _name_rafdb, _write_rafdb),
    'expw': Layout('image/origin', _name_expw, _write_expw),
    'affectnet': Layout('Manually_Annotated_Images', _name_affectnet, _write_affectnet),
}
