"""A picture of the stand-in: the seven expressions beside each other at the three sites."""

from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from cda_jax.prepare.readers.expressions import EXPRESSIONS
from cda_jax.standin.photos import draw_photo
from cda_jax.standin.styles import SITE_STYLES, SiteStyle

_ROWS = 3  # per site


def write_contact_sheet(path: Path, seed: int = 0) -> None:
    """Writes a PNG of faces, each cropped to its box: a column per expression, three rows per site.

    Its colours are few, so that it is small enough for a documentation page. The faces are others
    than those that `make_standin` draws with the same seed.
    """
    figure = Figure((6.4, 8), layout='constrained')
    parts = figure.subfigures(len(SITE_STYLES))
    for site, (part, style) in enumerate(zip(parts, SITE_STYLES, strict=True)):
        part.supylabel(style.name)
        for (row, column), axes in np.ndenumerate(part.subplots(_ROWS, len(EXPRESSIONS))):
            axes.imshow(_face(np.random.default_rng([seed, site, row, column]), style, column))
            axes.set_axis_off()
            if row == 0:
                axes.set_title(EXPRESSIONS[column], size=9)
    figure.savefig(path, format='png')
    sheet = Image.open(path).convert('RGB').quantize(256, dither=Image.Dither.NONE)
    sheet.save(path, format='PNG', optimize=True)


def _face(rng: np.random.Generator, style: SiteStyle, expression: int) -> np.ndarray:
    data, (face,) = draw_photo(rng, style, (expression,))
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    x0, y0, x1, y1 = (round(edge) for edge in face.box)
    return cv2.resize(picture[y0:y1, x0:x1], (76, 76), interpolation=cv2.INTER_AREA)
