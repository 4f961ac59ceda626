"""Files for tests, and what is in a prepared dataset."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from array_record.python.array_record_module import ArrayRecordReader
from PIL import Image

from cda_jax.data.manifest import Split, read_manifest
from cda_jax.data.records import Record, decode_record


def write(path: Path, text: str = '') -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')
    return path


def npy_bytes(array: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def encode(picture: Image.Image, file_format: str, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, file_format, **options)
    return file.getvalue()


def change_manifest(folder: Path, *path: str | int, to) -> None:
    """Sets one value deep in a dataset's manifest, or deletes a field where it is None."""
    file = folder / 'manifest.json'
    content = json.loads(file.read_text())
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    if to is None:
        del place[path[-1]]
    file.write_text(json.dumps(content))


def records_of(folder: Path, split: Split) -> Iterator[Record]:
    manifest = read_manifest(folder)
    for shard in manifest.splits[split].shards:
        reader = ArrayRecordReader(str(folder / shard.file))
        for data in reader.read_all():
            yield decode_record(data, image_size=manifest.image_size, encoding=manifest.encoding)
        reader.close()
