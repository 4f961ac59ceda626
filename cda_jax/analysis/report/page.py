"""A report page: what it says, as plain texts, and the template that makes HTML of it."""

import base64
import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import jinja2
from matplotlib.figure import Figure

from cda_jax.analysis.figures.style import drawn
from cda_jax.analysis.tables import Table, best_rows, shown, write_tables
from cda_jax.runtime.files import write_text
from cda_jax.runtime.workdir import REPORT, TABLES

# Beyond this, thousands of points are cheaper as pixels, at twice the screen's resolution.
_MAX_SVG_BYTES = 300_000
_PIXELS_PER_INCH = 96

# Neither allowed in HTML nor, as for lone surrogates of odd file names, in UTF-8.
_NOT_TEXT = re.compile('[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]')


class Link(NamedTuple):
    """A file; its path, which is no URL, starts at the page's folder and has `/` in between."""

    text: str
    path: str


class Picture(NamedTuple):
    """A figure, shown at its own size but no wider than the page, and the words that go with it."""

    figure: Figure
    caption: str
    alt: str  # for those who do not see the figure


class Section(NamedTuple):
    """A part of a page, with a line in the table of contents, under a title of its own."""

    title: str
    text: str = ''
    tables: tuple[Table, ...] = ()
    figures: tuple[Picture, ...] = ()
    links: tuple[Link, ...] = ()
    # Fields and their values, such as a configuration, by the title of a list that stays folded
    # until the reader asks for it.
    folded: Mapping[str, Mapping[str, object]] = {}


class Page(NamedTuple):
    """A whole report."""

    title: str
    answer: tuple[str, ...]  # a sentence each, the most important one first
    warnings: tuple[str, ...] = ()  # why not to trust it, a sentence each
    sections: tuple[Section, ...] = ()
    subtitle: str = ''  # what was compared on what, in one line


def render_page(page: Page) -> str:
    """The page as HTML: the answer, the warnings, the contents, the sections.

    It holds its style and its figures, has no script, and reads in light and dark, on paper and on
    a screen 360 pixels wide. Tables link to the files that `write_report` puts beside it.
    """
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader('cda_jax.analysis.report'),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    as_json = functools.partial(json.dumps, ensure_ascii=False, default=str)
    templates.filters |= {
        'address': lambda path: quote(path, errors='surrogateescape'),
        'anchor': lambda title: re.sub(r'\W+', '-', title.lower()).strip('-'),
        'best_rows': best_rows,
        'image': _data_address,
        'shown': shown,
        'value': lambda value: value if isinstance(value, str) else as_json(value),
    }
    html = templates.get_template('page.html').render(page=page, pixels=_PIXELS_PER_INCH)
    return _NOT_TEXT.sub('\ufffd', html)


def write_report(folder: Path, page: Page) -> Path:
    """Writes the page as report.html, and its tables as files into the folder tables/ beside it.

    An `InputError` names a file that cannot be written.
    """
    html = render_page(page)
    write_tables(folder / TABLES, [table for each in page.sections for table in each.tables])
    write_text(folder / REPORT, html)
    return folder / REPORT


def _data_address(picture: Picture) -> str:
    """The figure as the address of an image: its names and styles stay apart from the page's."""
    kind, image = 'svg+xml', drawn(picture.figure)
    if len(image) > _MAX_SVG_BYTES:
        kind, image = 'png', drawn(picture.figure, 'png', dpi=2 * _PIXELS_PER_INCH)
    return f'data:image/{kind};base64,{base64.b64encode(image).decode()}'
