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
from cda_jax.prepare.audit import Audit, Picture, audit_and_report, audit_flags
from cda_jax.runtime.files import replacing
from cda_jax.runtime.program import run

_DATA_DIR = flags.DEFINE_string('data_dir', None, 'The folder of prepared sites.', required=True)
_SITES = flags.DEFINE_list('sites', None, 'Names of their folders; by default all that are there.')
_LIKENESS, _DROP_LEAKS = audit_flags()
_LIST = flags.DEFINE_string('list', None, 'CSV file to write: every pair and group of pictures.')


def main() -> None:
    """Runs the tool."""
    data_dir = Path(_DATA_DIR.value)
    names = _SITES.value or sorted(path.parent.name for path in data_dir.glob(f'*/{MANIFEST}'))
    names = tuple(dict.fromkeys(name.rstrip('/') for name in names))
    if not names:
        raise InputError(f'{data_dir}: expected folders that tools/prepare.py wrote, found none')
    found = audit_and_report(data_dir, names, _LIKENESS.value, _DROP_LEAKS.value)
    if _LIST.value:
        _write(Path(_LIST.value), found)


def _write(path: Path, found: Audit) -> None:
    with replacing(path) as temporary, temporary.open('w', newline='', encoding='utf-8') as file:
        write = csv.writer(file).writerow
        write(('kind', 'number', 'likeness', *Picture._fields[:-1], 'class'))
        for number, copy in enumerate(found.copies):
            for picture in (copy.picture, copy.test_picture):
                write(('copy', number, f'{copy.likeness:.4f}', *picture))
        for number, group in enumerate(found.two_classes):
            for picture in group:
                write(('two classes', number, '1.0000', *picture))


if __name__ == '__main__':
    run(main)
