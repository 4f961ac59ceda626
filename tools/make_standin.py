"""Draws the stand-in datasets, prepares them for training, and draws a contact sheet of them.

python tools/make_standin.py --out=data/standin/raw --prepare=data/standin --face_size=48
python tools/make_standin.py --contact_sheet=standin.png
"""

from pathlib import Path

import cv2
import numpy as np
from absl import flags
from PIL import Image

from cda_jax.errors import InputError
from cda_jax.prepare.readers.expressions import EXPRESSIONS
from cda_jax.runtime.program import run
from cda_jax.standin import make_standin, prepare_standin
from cda_jax.standin.photos import draw_photo
from cda_jax.standin.styles import SITE_STYLES, SiteStyle

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
        _write_contact_sheet(_CONTACT_SHEET.value, _SEED.value)


def _numbers(texts: list[str]) -> list[int]:
    try:
        return [int(text) for text in texts]
    except ValueError as error:
        raise InputError(f'--train_faces: expected whole numbers; found {texts}') from error


def _write_contact_sheet(path: str, seed: int) -> None:
    """Draws other faces than those of the datasets: a column per expression, three rows per site.

    The PNG has few colours, so that it is small enough for a documentation page.
    """
    from matplotlib.figure import Figure  # only here: training is installed without it

    figure = Figure((6.4, 8), layout='constrained')
    parts = figure.subfigures(len(SITE_STYLES))
    for site, (part, style) in enumerate(zip(parts, SITE_STYLES, strict=True)):
        part.supylabel(style.name)
        for (row, column), axes in np.ndenumerate(part.subplots(3, len(EXPRESSIONS))):
            axes.imshow(_draw_face(np.random.default_rng([seed, site, row, column]), style, column))
            axes.set_axis_off()
            if row == 0:
                axes.set_title(EXPRESSIONS[column], size=9)
    figure.savefig(path, format='png')
    sheet = Image.open(path).convert('RGB').quantize(256, dither=Image.Dither.NONE)
    sheet.save(path, format='PNG', optimize=True)


def _draw_face(rng: np.random.Generator, style: SiteStyle, expression: int) -> np.ndarray:
    data, (face,) = draw_photo(rng, style, (expression,))
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    x0, y0, x1, y1 = (round(edge) for edge in face.box)
    return cv2.resize(picture[y0:y1, x0:x1], (76, 76), interpolation=cv2.INTER_AREA)


if __name__ == '__main__':
    run(main)
