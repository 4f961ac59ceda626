"""Prepared sites with the pictures of a stand-in site, and other classes."""

from pathlib import Path

import cv2
from helpers.files import records_of

from cda_jax.data.manifest import SPLITS, read_manifest
from cda_jax.prepare.dataset import Dataset, Example
from cda_jax.prepare.run import prepare

FER = 'Anger', 'Disgust', 'Fear', 'Happiness', 'Neutral', 'Sadness', 'Surprise'
CK = 'Surprise', 'Fear', 'Disgust', 'Happiness', 'Sadness', 'Anger', 'Contempt'


def with_classes(source: Path, out: Path, class_names: tuple[str, ...], **renamed: str) -> None:
    """Prepares the pictures of a prepared site anew, some classes renamed; others are left out."""
    names, rows = read_manifest(source).class_names, []
    for split in SPLITS:
        for record in records_of(source, split):
            name = renamed.get(names[record.label], names[record.label])
            if name in class_names:
                data = cv2.imencode('.png', record.image[..., ::-1])[1].tobytes()
                label = class_names.index(name)
                rows.append(Example(record.id, record.id, None, None, label, split, data))
    prepare(Dataset(class_names, (), rows), out, name=out.name, reader='csv', face_size=32)
