"""A picture of the stand-in: the seven expressions beside each other at the three sites."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from cda_jax.prepare.readers.expressions import EXPRESSIONS
from cda_jax.standin.photos import draw_photo
from cda_jax.standin.styles import SITE_STYLES, SiteStyle

_ROWS = 3  # a site
_CELL = 76  # pixels
_FACE = _CELL - 2
_LEFT, _TOP = 96, 28  # room for the names
_GAP = 12  # between sites
_COLOURS = 256


def write_contact_sheet(path: Path, seed: int = 0) -> None:
    """Writes a PNG of faces, each cropped to its box: a column an expression, three rows a site.

    Its colours are few, so that it is small enough for a documentation page.

    Args:
        path: File to write.
        seed: Seed of the faces, which are others than those of `make_standin`.
    """
    block = _ROWS * _CELL + _GAP
    height, width = _TOP + len(SITE_STYLES) * block, _LEFT + len(EXPRESSIONS) * _CELL
    sheet = np.full((height, width, 3), 255, np.uint8)
    for column, name in enumerate(EXPRESSIONS):
        _write(sheet, name, _LEFT + column * _CELL + _CELL // 2, _TOP - 10)
    for index, style in enumerate(SITE_STYLES):
        top = _TOP + index * block
        _write(sheet, style.name, _LEFT // 2, top + _ROWS * _CELL // 2)
        for row, column in np.ndindex(_ROWS, len(EXPRESSIONS)):
            rng = np.random.default_rng([seed, index, row, column])
            y, x = top + row * _CELL, _LEFT + column * _CELL
            sheet[y : y + _FACE, x : x + _FACE] = _draw_cropped(rng, style, column)
    picture = Image.fromarray(sheet).quantize(_COLOURS, dither=Image.Dither.NONE)
    picture.save(path, format='PNG', optimize=True)


def _draw_cropped(rng: np.random.Generator, style: SiteStyle, expression: int) -> np.ndarray:
    data, (face,) = draw_photo(rng, style, (expression,))
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    x0, y0, x1, y1 = (round(edge) for edge in face.box)
    return cv2.resize(picture[y0:y1, x0:x1], (_FACE, _FACE), interpolation=cv2.INTER_AREA)


def _write(sheet: np.ndarray, text: str, centre_x: int, baseline: int) -> None:
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.45
    (width, _), _ = cv2.getTextSize(text, font, size, 1)
    place = (centre_x - width // 2, baseline)
    cv2.putText(sheet, text, place, font, size, (20, 20, 20), 1, cv2.LINE_AA)
