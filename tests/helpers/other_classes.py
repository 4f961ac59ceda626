"""Prepared sites with the pictures of a stand-in site, and other classes."""

from pathlib import Path

import cv2
from helpers.files import records_of

from cda_jax.data.manifest import SPLITS, read_manifest
from cda_jax.prepare.dataset import Dataset, Example
from cda_jax.prepare.run import prepare

FER = 'Anger', 'Disgust', 'Fear', 'Happiness', 'Neutral', 'Sadness', 'Surprise'
CK = 'Surprise', 'Fear', 'Disgust', 'Happiness', 'Sadness', 'Anger', 'Contempt'


def rows_of(source: Path) -> tuple[tuple[str, ...], list[Example]]:
    """Class names and examples of a prepared site, to be prepared anew."""
    rows = []
    for split in SPLITS:
        for record in records_of(source, split):
            data = cv2.imencode('.png', record.image[..., ::-1])[1].tobytes()
            rows.append(Example(record.id, record.id, None, None, record.label, split, data))
    return read_manifest(source).class_names, rows


def with_classes(source: Path, out: Path, class_names: tuple[str, ...], **renamed: str) -> None:
    """Prepares the pictures of a prepared site anew, some classes renamed; others are left out."""
    names, rows = rows_of(source)
    names = [renamed.get(name, name) for name in names]
    places = {name: label for label, name in enumerate(class_names)}
    kept = (row for row in rows if names[row.label] in places)
    rows = [row._replace(label=places[names[row.label]]) for row in kept]
    prepare(Dataset(class_names, (), rows), out, name=out.name, reader='csv', face_size=32)
