"""Turns a dataset's own folder into records to train on.

python tools/prepare.py --dataset=rafdb --root=/data/basic --out=/data/prepared/rafdb

It may be stopped at any moment; the same command then continues. Training finds the result by the
name of the --out folder.
"""

import os
import time
from pathlib import Path

from absl import flags
from tabulate import tabulate

from cda_jax.data.manifest import MANIFEST, SPLITS, Manifest
from cda_jax.errors import InputError
from cda_jax.prepare import readers
from cda_jax.prepare.run import prepare
from cda_jax.runtime.program import run

_DATASET = flags.DEFINE_string(
    'dataset',
    None,
    'The reader: rafdb, expw, affectnet, fer2013, folders (ROOT/{train,test}/CLASS/*), csv '
    '(path,label,split[,x0,y0,x1,y1]) or tfds:NAME.',
    required=True,
)
_ROOT = flags.DEFINE_string('root', None, 'The folder of the dataset.', required=True)
_OUT = flags.DEFINE_string('out', None, 'The folder to write: new, or half done.', required=True)
_NAME = flags.DEFINE_string('name', None, 'Name for tables; by default that of the --out folder.')
_FACE_SIZE = flags.DEFINE_integer('face_size', 100, 'Side of the face box in pixels.')
_ENCODING = flags.DEFINE_enum('encoding', 'jpeg', ['jpeg', 'raw'], 'How images are kept.')
_QUALITY = flags.DEFINE_integer('quality', 95, 'JPEG quality, 1 to 100.')
_SHARD_SIZE = flags.DEFINE_integer('shard_size', 4096, 'Rows per shard.')
_PROCESSES = flags.DEFINE_integer('processes', None, 'By default one per processor.')
_MAX_SKIPPED_SHARE = flags.DEFINE_float(
    'max_skipped_share', 0.05, 'The share of rows that may prove unusable.'
)
_CROP = flags.DEFINE_enum(
    'crop',
    'box',
    ['box', 'detect'],
    'What a row without a face box of its own stands for: box: the whole picture; detect: the '
    'largest face that is found on it (pip install -e ".[detect]").',
)
_DETECTOR = flags.DEFINE_string('detector', None, 'With --crop=detect: an ONNX file of YuNet.')
_READER_OPTIONS = (
    flags.DEFINE_bool('aligned', None, 'rafdb: use the aligned crops instead of the originals.'),
    flags.DEFINE_float('min_confidence', None, 'expw: leave out faces below this confidence.'),
    flags.DEFINE_integer('num_test', None, 'expw: at most so many faces in the test split.'),
    flags.DEFINE_string('test_photos', None, 'expw: file that lists the photos of the test split.'),
    flags.DEFINE_string(
        'public_test', None, 'fer2013, PublicTest: exclude (default), train, test.'
    ),
)


def main() -> None:
    """Runs the tool."""
    if _DETECTOR.value and _CROP.value != 'detect':
        raise InputError('--detector finds faces; expected --crop=detect beside it')
    start = time.monotonic()
    was_complete = (Path(_OUT.value) / MANIFEST).exists()
    options = {flag.name: flag.value for flag in _READER_OPTIONS if flag.value is not None}
    dataset = readers.read(_DATASET.value, _ROOT.value, **options)
    if 'test_photos' in options:  # The list's folder says nothing, and may differ elsewhere.
        options['test_photos'] = Path(options['test_photos']).name
    manifest = prepare(
        dataset,
        _OUT.value,
        name=_NAME.value or Path(_OUT.value).resolve().name,
        reader=_DATASET.value,
        reader_options=options,
        face_size=_FACE_SIZE.value,
        encoding=_ENCODING.value,
        quality=_QUALITY.value,
        shard_size=_SHARD_SIZE.value,
        num_processes=os.cpu_count() or 1 if _PROCESSES.value is None else _PROCESSES.value,
        max_skipped_share=_MAX_SKIPPED_SHARE.value,
        crop=_CROP.value,
        detector=None if _DETECTOR.value is None else Path(_DETECTOR.value),
    )
    print(summarise(manifest))
    if not was_complete:
        seconds = time.monotonic() - start
        print(f'{seconds:.1f} s, {manifest.rows.read / seconds:,.0f} rows per second')


def summarise(manifest: Manifest) -> str:
    """Lays out the counts of a prepared dataset in several lines."""
    counts = [manifest.splits[split].class_counts for split in SPLITS]
    table = [*zip(manifest.class_names, *counts, strict=True), ('all', *map(sum, counts))]
    lines = [tabulate(table, (manifest.name, *SPLITS), tablefmt='plain', intfmt=',')]
    rows = manifest.rows
    lines.append(f'{rows.read:,} rows: {rows.written:,} written')
    for title, reasons in (('left out', manifest.excluded), ('unusable', manifest.skipped)):
        lines += [f'  {count:,} {title}: {reason}' for reason, count in reasons.items()]
    lines.append(f'{manifest.duplicates.test_in_train:,} test pictures are in the training set too')
    return '\n'.join(lines)


if __name__ == '__main__':
    run(main)
