"""Says what is wrong with prepared datasets that are to be used together.

python tools/audit.py --data_dir=data/prepared --sites=rafdb,expw --list=doubts.csv --drop_leaks

Test pictures that are in a training set, of the same site or of another, equal or changed a little
(mirrored, encoded anew, brightened, cropped); equal pictures under two classes; classes with hardly
any training pictures, and classes that only a test set has.
"""

import csv
from pathlib import Path

from absl import flags

from cda_jax.data.manifest import MANIFEST
from cda_jax.errors import InputError
from cda_jax.prepare.audit import Audit, audit, drop_leaks, report
from cda_jax.prepare.copies import LIKENESS
from cda_jax.runtime.files import replacing
from cda_jax.runtime.program import run

_DATA_DIR = flags.DEFINE_string('data_dir', None, 'The folder of prepared sites.', required=True)
_SITES = flags.DEFINE_list('sites', None, 'Names of their folders; by default all that are there.')
_LIKENESS = flags.DEFINE_float(
    'likeness',
    LIKENESS,
    'Correlation from which on a picture is a copy; above 1, equal pixels alone. Pictures with few '
    'details, such as digits, are alike without being copies.',
)
_LIST = flags.DEFINE_string('list', None, 'CSV file to write: every pair and group of pictures.')
_DROP_LEAKS = flags.DEFINE_bool(
    'drop_leaks',
    False,
    'Leave training and validation pictures that copy a test picture out of training from now on; '
    'the manifests then name them.',
)


def main() -> None:
    """Runs the tool."""
    data_dir = Path(_DATA_DIR.value)
    names = _SITES.value or sorted(path.parent.name for path in data_dir.glob(f'*/{MANIFEST}'))
    names = tuple(dict.fromkeys(name.rstrip('/') for name in names))
    if not names:
        raise InputError(f'{data_dir}: expected folders that tools/prepare.py wrote, found none')
    found = audit(data_dir, names, _LIKENESS.value)
    print(f'{", ".join(names)}: {found.num_pictures:,} pictures\n{report(found)}')
    if _DROP_LEAKS.value:
        print(f'{drop_leaks(data_dir, names, found.copies):,} pictures are left out of training')
    if _LIST.value:
        _write(Path(_LIST.value), found)


def _write(path: Path, found: Audit) -> None:
    header = ('kind', 'number', 'likeness', 'site', 'split', 'row', 'id', 'class')
    rows = [
        ('copy', number, f'{copy.likeness:.4f}', *picture)
        for number, copy in enumerate(found.copies)
        for picture in (copy.picture, copy.test_picture)
    ]
    rows += [
        ('two classes', number, '1.0000', *picture)
        for number, group in enumerate(found.two_classes)
        for picture in group
    ]
    with replacing(path) as temporary, temporary.open('w', newline='', encoding='utf-8') as file:
        csv.writer(file).writerows([header, *rows])


if __name__ == '__main__':
    run(main)
