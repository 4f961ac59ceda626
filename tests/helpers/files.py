"""Files for tests, and the records of a prepared dataset."""

from collections.abc import Iterator
from pathlib import Path

from array_record.python.array_record_module import ArrayRecordReader

from cda_jax.data.manifest import Split, read_manifest
from cda_jax.data.records import Record, decode_record


def write(path: Path, text: str = '') -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')
    return path


def records_of(folder: Path, split: Split) -> Iterator[Record]:
    manifest = read_manifest(folder)
    for shard in manifest.splits[split].shards:
        reader = ArrayRecordReader(str(folder / shard.file))
        for data in reader.read_all():
            yield decode_record(data, image_size=manifest.image_size, encoding=manifest.encoding)
        reader.close()
