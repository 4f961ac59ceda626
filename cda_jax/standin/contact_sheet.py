"""A picture of the stand-in: the seven expressions beside each other at the three sites."""

import os

import cv2
import numpy as np
from PIL import Image

from cda_jax.prepare.readers.expressions import EXPRESSIONS
from cda_jax.standin.photos import draw_photo
from cda_jax.standin.sites import SITES, Site

CELL = 76  # pixels
LEFT, TOP = 96, 28
GAP = 12  # between sites
COLOURS = 256


def contact_sheet(seed: int = 0, examples: int = 3) -> np.ndarray:
    """Draws faces of every true expression from every site, cropped to their boxes.

    Args:
        seed: Seed of the faces; they are other faces than those of `make_standin`.
        examples: Rows a site.

    Returns:
        u8[H, W, 3], RGB: a column an expression, a block of rows a site.
    """
    block = examples * CELL + GAP
    height, width = TOP + len(SITES) * block, LEFT + len(EXPRESSIONS) * CELL
    sheet = np.full((height, width, 3), 255, np.uint8)
    for column, name in enumerate(EXPRESSIONS):
        _write(sheet, name, LEFT + column * CELL + CELL // 2, TOP - 10)
    for row, site in enumerate(SITES):
        top = TOP + row * block
        _write(sheet, site.name, LEFT // 2, top + examples * CELL // 2)
        for example in range(examples):
            for column in range(len(EXPRESSIONS)):
                rng = np.random.default_rng([seed, row, example, column])
                y, x = top + example * CELL, LEFT + column * CELL
                sheet[y : y + CELL - 2, x : x + CELL - 2] = _face(rng, site, column)
    return sheet


def write_contact_sheet(path: str | os.PathLike, seed: int = 0) -> None:
    """Writes `contact_sheet` as a PNG of few colours, small enough for a documentation page.

    Args:
        path: File to write.
        seed: As `contact_sheet` takes it.
    """
    sheet = Image.fromarray(contact_sheet(seed)).quantize(COLOURS, dither=Image.Dither.NONE)
    sheet.save(path, format='PNG', optimize=True)


def _face(rng, site: Site, expression):
    """One face as a network would get it, u8[CELL - 2, CELL - 2, 3]."""
    data, (face,) = draw_photo(rng, site, (expression,))
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    x0, y0, x1, y1 = (round(edge) for edge in face.box)
    crop = picture[y0:y1, x0:x1]
    return cv2.resize(crop, (CELL - 2, CELL - 2), interpolation=cv2.INTER_AREA)


def _write(sheet, text, centre_x, baseline):
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.45
    (width, _), _ = cv2.getTextSize(text, font, size, 1)
    place = (centre_x - width // 2, baseline)
    cv2.putText(sheet, text, place, font, size, (20, 20, 20), 1, cv2.LINE_AA)
