"""Turns a dataset's own folder into records to train on.

python tools/prepare.py --dataset=rafdb --root=/data/basic --out=/data/prepared/rafdb
python tools/prepare.py --dataset=sites --root=/data/PACS --test_fraction=0.2 --out=/data/prepared

It may be stopped at any moment; the same command then continues. Training finds the result by the
name of the --out folder.
"""

import time
from pathlib import Path

from absl import flags
from tabulate import tabulate

from cda_jax.data.manifest import MANIFEST, Manifest
from cda_jax.errors import InputError
from cda_jax.prepare import readers
from cda_jax.prepare.audit import audit_and_report, audit_flags
from cda_jax.prepare.dataset import without_labels
from cda_jax.prepare.readers.classes import parse_classes
from cda_jax.prepare.run import prepare
from cda_jax.runtime.children import num_processors
from cda_jax.runtime.program import run

_DATASET = flags.DEFINE_string(
    'dataset',
    None,
    'The reader: rafdb, expw, affectnet, fer2013, muxspace, folders (ROOT/{train,val,test}/CLASS/* '
    'or ROOT/CLASS/*), csv (path,label[,split][,x0,y0,x1,y1]), tfds:NAME, or sites '
    '(ROOT/SITE/CLASS/*), which prepares every site into a folder of --out.',
    required=True,
)
_ROOT = flags.DEFINE_string('root', None, 'The folder of the dataset.', required=True)
_OUT = flags.DEFINE_string('out', None, 'The folder to write: new, or half done.', required=True)
_NAME = flags.DEFINE_string('name', None, 'Name for tables; by default that of the --out folder.')
_CLASSES = flags.DEFINE_string(
    'classes',
    None,
    'New names of classes, as NAME=NEW,NAME=NEW or a file of such lines; NAME= drops a class.',
)
_CLASS_ORDER = flags.DEFINE_string(
    'class_order',
    None,
    'What numbers as names of classes mean: rafdb, affectnet, expw, fer2013 or NAME,NAME,...',
)
_PROCESSES = flags.DEFINE_integer('processes', None, 'By default one per processor.')
_UNLABELLED = flags.DEFINE_bool(
    'unlabelled', False, 'Forget the labels of the training pictures; test pictures keep theirs.'
)
_LIKENESS, _DROP_LEAKS = audit_flags()
_SETTINGS = (
    flags.DEFINE_integer('face_size', 100, 'Side of the face box in pixels.'),
    flags.DEFINE_enum('encoding', 'jpeg', ['jpeg', 'raw'], 'How images are kept.'),
    flags.DEFINE_integer('quality', 95, 'JPEG quality, 1 to 100.'),
    flags.DEFINE_integer('shard_size', 4096, 'Rows per shard.'),
    flags.DEFINE_float('max_skipped_share', 0.05, 'The share of rows that may prove unusable.'),
    flags.DEFINE_enum(
        'crop',
        'box',
        ['box', 'detect'],
        'What a row without a face box of its own stands for: box: the whole picture; detect: the '
        'largest face that is found on it (pip install -e ".[detect]").',
    ),
    flags.DEFINE_string('detector', None, 'With --crop=detect: an ONNX file of YuNet.'),
)
_READER_OPTIONS = (
    flags.DEFINE_bool('aligned', None, 'rafdb: use the aligned crops instead of the originals.'),
    flags.DEFINE_float('min_confidence', None, 'expw: leave out faces below this confidence.'),
    flags.DEFINE_integer('num_test', None, 'expw: at most so many faces in the test split.'),
    flags.DEFINE_string('test_photos', None, 'expw: file that lists the photos of the test split.'),
    flags.DEFINE_string(
        'public_test', None, 'fer2013, PublicTest: exclude (default), train, validation, test.'
    ),
    flags.DEFINE_string(
        'votes', None, 'fer2013: fer2013new.csv of FER+, whose votes become (soft) labels.'
    ),
    flags.DEFINE_string('annotator', None, 'muxspace: whose labels; by default those of all.'),
    flags.DEFINE_float(
        'test_fraction',
        None,
        'folders, csv, sites: the share of photos that become the test split where there is none, '
        'by a hash of their names; muxspace: of persons (0.2).',
    ),
    flags.DEFINE_string(
        'group',
        None,
        'folders, csv, sites: whose pictures stay in one split: the part of a file name that this '
        "regular expression matches, such as '^[^_]+', or a column of the CSV.",
    ),
    flags.DEFINE_string(
        'split_lists', None, 'sites: folder of SITE_{train,crossval,test}_kfold.txt; default ROOT.'
    ),
    flags.DEFINE_bool('follow_links', None, 'Read pictures that symbolic links lead to.'),
)


def main() -> None:
    """Runs the tool."""
    settings = {flag.name: flag.value for flag in _SETTINGS}
    if settings['detector'] and settings['crop'] != 'detect':
        raise InputError('--detector finds faces; expected --crop=detect beside it')
    options = {flag.name: flag.value for flag in _READER_OPTIONS if flag.value is not None}
    classes = parse_classes(_CLASSES.value or '')
    named = {'classes': classes, 'class_order': _CLASS_ORDER.value}
    found = readers.read_each(_DATASET.value, _ROOT.value, **named, **options)
    for option in {'test_photos', 'split_lists', 'votes'} & options.keys():
        options[option] = Path(options[option]).name  # Its folder may differ elsewhere.
    if classes:
        options['classes'] = ','.join(f'{name}={new}' for name, new in classes.items())
    if _CLASS_ORDER.value:
        options['class_order'] = _CLASS_ORDER.value
    if _UNLABELLED.value:
        options['unlabelled'] = True
    for site, dataset in found.items():
        start = time.monotonic()
        out = Path(_OUT.value, site)
        was_complete = (out / MANIFEST).exists()
        manifest = prepare(
            without_labels(dataset) if _UNLABELLED.value else dataset,
            out,
            name=_NAME.value or out.resolve().name,
            reader=_DATASET.value,
            reader_options=options,
            num_processes=num_processors() if _PROCESSES.value is None else _PROCESSES.value,
            **settings,
        )
        print(summarise(manifest))
        if not was_complete:
            seconds = time.monotonic() - start
            print(f'{seconds:.1f} s, {manifest.rows.read / seconds:,.0f} rows per second')
        if not was_complete or _DROP_LEAKS.value:
            place = out.resolve()
            audit_and_report(place.parent, (place.name,), _LIKENESS.value, _DROP_LEAKS.value)


def summarise(manifest: Manifest) -> str:
    """Lays out the counts of a prepared dataset in several lines."""
    counts = [content.class_counts for content in manifest.splits.values()]
    totals = [content.num_examples for content in manifest.splits.values()]
    table = [*zip(manifest.class_names, *counts, strict=True), ('all', *totals)]
    lines = [tabulate(table, (manifest.name, *manifest.splits), tablefmt='plain', intfmt=',')]
    lines += ['the training pictures have no labels'] * manifest.unlabelled
    lines += [f'layout: {manifest.layout}'] * bool(manifest.layout)
    sources: dict[str, list[str]] = {}
    for name, new in manifest.class_changes.items():
        sources.setdefault(new, []).append(repr(name))
    changes = []
    for new, names in sources.items():
        verb, what = 'are' if len(names) > 1 else 'is', f'now {new!r}' if new else 'dropped'
        changes.append(f'{", ".join(names)} {verb} {what}')
    if changes:
        lines.append(f'  classes: {"; ".join(changes)}')
    rows = manifest.rows
    lines.append(f'{rows.read:,} rows: {rows.written:,} written')
    for title, reasons in (('left out', manifest.excluded), ('unusable', manifest.skipped)):
        lines += [f'  {count:,} {title}: {reason}' for reason, count in reasons.items()]
    if manifest.dropped:
        lines.append(f'  {len(manifest.dropped):,} written, but left out of training as copies')
    return '\n'.join(lines)


if __name__ == '__main__':
    run(main)
