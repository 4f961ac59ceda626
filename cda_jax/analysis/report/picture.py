"""Figures as part of the page."""

import base64
import io

import matplotlib as mpl
from matplotlib.figure import Figure

from cda_jax.analysis.report.content import Picture
from cda_jax.analysis.report.markup import escape

# Beyond this, thousands of points are cheaper as pixels: two for each of the screen's.
_MAX_SVG_BYTES = 300_000
_PIXELS_PER_INCH = 96

# Letters are drawn as shapes, so that they look the same where the font is missing; the salt makes
# the same figure the same bytes.
_SVG = {'svg.fonttype': 'path', 'svg.hashsalt': 'cda_jax'}


def picture(content: Picture) -> str:
    """A figure with its caption, as an image inside the page.

    As an image of its own its identifiers and styles stay apart from the page's and from those of
    other figures.
    """
    width, height = (
        round(_PIXELS_PER_INCH * inches) for inches in content.figure.get_size_inches()
    )
    return (
        '<figure class="picture">\n<div class="card">'
        f'<img src="{_as_address(content.figure)}" alt="{escape(content.alt)}" '
        f'width="{width}" height="{height}" style="--width: {width}px"></div>\n'
        f'<figcaption>{escape(content.caption)}</figcaption>\n</figure>\n'
    )


def _as_address(figure: Figure) -> str:
    with mpl.rc_context(_SVG):
        drawn = _draw(figure, 'svg', metadata={'Date': None, 'Creator': None})
    if len(drawn) <= _MAX_SVG_BYTES:
        return f'data:image/svg+xml;base64,{base64.b64encode(drawn).decode()}'
    drawn = _draw(figure, 'png', dpi=2 * _PIXELS_PER_INCH, metadata={'Software': None})
    return f'data:image/png;base64,{base64.b64encode(drawn).decode()}'


def _draw(figure, kind, **options) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format=kind, facecolor='white', **options)
    return out.getvalue()
