"""Draws the stand-in datasets and prepares them for training.

python tools/make_standin.py --out=data/standin/raw --prepare=data/standin --face_size=40
"""

from pathlib import Path

from absl import flags

from cda_jax.errors import InputError
from cda_jax.runtime.program import run
from cda_jax.standin.build import make_standin, prepare_standin

_OUT = flags.DEFINE_string(
    'out', None, 'Folder to make; rafdb, expw and affectnet go below it.', required=True
)
_SEED = flags.DEFINE_integer('seed', 0, 'The same seed gives the same files.', lower_bound=0)
_TRAIN_FACES = flags.DEFINE_list(
    'train_faces', '2000,3500,4500', 'Training faces of rafdb, expw and affectnet.'
)
_TEST_FACES = flags.DEFINE_integer('test_faces', 1000, 'Test faces of each of them.')
_PREPARE = flags.DEFINE_string(
    'prepare', None, 'Also prepare them, into this folder; rafdb, expw and affectnet go below it.'
)
_FACE_SIZE = flags.DEFINE_integer('face_size', 40, 'With --prepare: side of the face in pixels.')


def main() -> None:
    """Does what the flags say."""
    try:
        train_faces = list(map(int, _TRAIN_FACES.value))
    except ValueError as error:
        raise InputError(
            f'--train_faces: expected whole numbers; found {_TRAIN_FACES.value}'
        ) from error
    raw = Path(_OUT.value)
    make_standin(raw, seed=_SEED.value, train_faces=train_faces, test_faces=_TEST_FACES.value)
    if _PREPARE.value is not None:
        prepare_standin(raw, Path(_PREPARE.value), face_size=_FACE_SIZE.value)


if __name__ == '__main__':
    run(main)
