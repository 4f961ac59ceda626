"""The folders of RAF-DB, ExpW and AffectNet: names of the photos and files with their labels.

Label lists give each dataset's own numbers for the expressions; `ids` are the names that the
readers give to rows.
"""

import csv
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cda_jax.standin.photos import DrawnFace
from cda_jax.standin.plan import Photo

Drawn = list[tuple[Photo, list[DrawnFace]]]

# The datasets' own numbers of the expressions, in the order of EXPRESSIONS.
RAFDB_NUMBERS = (1, 2, 3, 4, 5, 6, 7)
EXPW_NUMBERS = (5, 2, 1, 3, 4, 0, 6)
AFFECTNET_NUMBERS = (3, 4, 5, 1, 2, 6, 0)

AFFECTNET_HEADER = (
    'subDirectory_filePath', 'face_x', 'face_y', 'face_width', 'face_height', 'facial_landmarks',
    'expression', 'valence', 'arousal',
)  # fmt: skip
AFFECTNET_FOLDERS = 40
# Typical valence and arousal of a full expression, in the order of EXPRESSIONS.
_AFFECT = ((0.2, 0.8), (-0.5, 0.75), (-0.65, 0.4), (0.8, 0.3), (-0.7, -0.3), (-0.5, 0.7), (0, 0))


class Layout(NamedTuple):
    """How a dataset lies on the disk.

    Attributes:
        pictures: Folder of the pictures below the dataset's root.
        names: (seed, numbers of training and test photos) -> their names below `pictures`.
        write: (root, photos and what was drawn on them) -> writes label and box files, and
            returns the id of every face, in the same order.
    """

    pictures: str
    names: Callable[[int, int, int], tuple[list[str], list[str]]]
    write: Callable[[Path, Drawn], list[str]]


def _rafdb_names(seed, train, test):
    return (
        [f'train_{i:05d}.jpg' for i in range(1, train + 1)],
        [f'test_{i:04d}.jpg' for i in range(1, test + 1)],
    )


def _rafdb_write(root, drawn):
    lines = []
    boxes = root / 'Annotation' / 'boundingbox'
    boxes.mkdir(parents=True)
    for photo, (face,) in drawn:
        lines.append(f'{photo.name} {RAFDB_NUMBERS[photo.labels[0]]}\n')
        edges = ' '.join(f'{edge:.3f}' for edge in face.box)
        box_file = boxes / photo.name.replace('.jpg', '_boundingbox.txt')
        box_file.write_text(f'{edges}\n', encoding='ascii')
    _write_lines(root / 'EmoLabel' / 'list_patition_label.txt', lines)
    return [photo.name for photo, _ in drawn]


def _expw_names(seed, train, test):
    """Names whose hashes put the test photos first: the reader splits by them."""
    scenes = ('party', 'concert', 'office', 'family', 'school', 'market', 'street', 'stage')
    names = [f'{scenes[i % len(scenes)]}_{seed}_{i}.jpg' for i in range(train + test)]
    names.sort(key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    return names[test:], names[:test]


def _expw_write(root, drawn):
    lines, ids = [], []
    for photo, faces in drawn:
        for i, (face, label) in enumerate(zip(faces, photo.labels, strict=True)):
            left, top, right, bottom = (round(edge) for edge in face.box)
            confidence = 5 + face.intensity * (right - left)
            lines.append(
                f'{photo.name} {i} {top} {left} {right} {bottom} {confidence:.4f} '
                f'{EXPW_NUMBERS[label]}\n'
            )
            ids.append(f'{photo.name}#{i}')
    _write_lines(root / 'label' / 'label.lst', sorted(lines))
    return ids


def _affectnet_names(seed, train, test):
    def name(i):
        digest = hashlib.sha224(f'{seed}/{i}'.encode()).hexdigest()
        return f'{1 + i % AFFECTNET_FOLDERS}/{digest}.jpg'

    return [name(i) for i in range(train)], [name(i) for i in range(train, train + test)]


def _affectnet_write(root, drawn):
    ids = []
    for split, file_name in (('train', 'training.csv'), ('test', 'validation.csv')):
        rows = [_affectnet_row(photo, *faces) for photo, faces in drawn if photo.split == split]
        with open(root / file_name, 'w', encoding='ascii', newline='') as file:
            csv.writer(file, lineterminator='\n').writerows([AFFECTNET_HEADER, *rows])
        ids += [f'{file_name}:{line}' for line in range(2, len(rows) + 2)]
    return ids


def _affectnet_row(photo, face):
    x0, y0, x1, y1 = (round(edge) for edge in face.box)
    points = ';'.join(f'{value:.2f}' for value in face.landmarks.ravel())
    affect = face.intensity * np.array(_AFFECT[photo.expressions[0]])
    valence, arousal = np.clip(affect, -1.0, 1.0)
    number = AFFECTNET_NUMBERS[photo.labels[0]]
    return (
        photo.name, x0, y0, x1 - x0, y1 - y0, points, number, f'{valence:.4f}', f'{arousal:.4f}',
    )  # fmt: skip


def _write_lines(path, lines):
    path.parent.mkdir(parents=True)
    path.write_text(''.join(lines), encoding='ascii', newline='')


LAYOUTS = {
    'rafdb': Layout('Image/original', _rafdb_names, _rafdb_write),
    'expw': Layout('image/origin', _expw_names, _expw_write),
    'affectnet': Layout('Manually_Annotated_Images', _affectnet_names, _affectnet_write),
}
