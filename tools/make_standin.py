"""Draws the stand-in datasets, prepares them for training, and draws a contact sheet of them.

python tools/make_standin.py --out=data/standin/raw --prepare=data/standin --face_size=48
python tools/make_standin.py --contact_sheet=standin.png
"""

from pathlib import Path

from absl import flags

from cda_jax.errors import InputError
from cda_jax.runtime.program import run
from cda_jax.standin import make_standin, prepare_standin
from cda_jax.standin.contact_sheet import write_contact_sheet

_OUT = flags.DEFINE_string('out', None, 'Folder to make; rafdb, expw and affectnet go below it.')
_SEED = flags.DEFINE_integer('seed', 0, 'The same seed gives the same files.', lower_bound=0)
_TRAIN_FACES = flags.DEFINE_list(
    'train_faces', '2000,3500,4500', 'Training faces of rafdb, expw and affectnet.'
)
_TEST_FACES = flags.DEFINE_integer('test_faces', 1000, 'Test faces of each of them.')
_PREPARE = flags.DEFINE_string(
    'prepare', None, 'Also prepare them, into this folder; rafdb, expw and affectnet go below it.'
)
_FACE_SIZE = flags.DEFINE_integer('face_size', 48, 'With --prepare: side of the face in pixels.')
_CONTACT_SHEET = flags.DEFINE_string('contact_sheet', None, 'PNG file to write examples to.')


def main() -> None:
    """Does what the flags say."""
    if _OUT.value is None and _CONTACT_SHEET.value is None:
        raise InputError('expected --out=FOLDER, --contact_sheet=FILE or both')
    if _PREPARE.value is not None and _OUT.value is None:
        raise InputError('--prepare: expected --out=FOLDER beside it, to prepare from')
    if _OUT.value is not None:
        make_standin(
            _OUT.value,
            seed=_SEED.value,
            train_faces=_numbers(_TRAIN_FACES.value),
            test_faces=_TEST_FACES.value,
            report=print,
        )
    if _PREPARE.value is not None:
        raw, out = Path(_OUT.value), Path(_PREPARE.value)
        prepare_standin(raw, out, face_size=_FACE_SIZE.value, report=print)
    if _CONTACT_SHEET.value is not None:
        write_contact_sheet(Path(_CONTACT_SHEET.value), _SEED.value)


def _numbers(texts: list[str]) -> list[int]:
    try:
        return [int(text) for text in texts]
    except ValueError as error:
        raise InputError(f'--train_faces: expected whole numbers; found {texts}') from error


if __name__ == '__main__':
    run(main)
