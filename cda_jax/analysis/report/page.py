"""A report page: what it says, as plain texts, and the template that makes HTML of it."""

import base64
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

# Neither allowed in HTML nor, as for lone surrogates of odd file names, in UTF-8.
_NOT_TEXT = re.compile('[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]')


class Link(NamedTuple):
    """A file; its path, which is no URL, starts at the page's folder and has `/` in between."""

    text: str
    path: str


class Picture(NamedTuple):
    """A figure and the words that go with it."""

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
    # Fields and their values, by the title of a list that stays folded until it is asked for.
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

    It has no script, and reads in light and dark, on paper and on a screen 360 pixels wide. Tables
    link to the files that `write_report` puts beside it.
    """
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader('cda_jax.analysis.report'),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters |= {
        'address': lambda path: quote(path, errors='surrogateescape'),
        'anchor': lambda title: re.sub(r'\W+', '-', title.lower()).strip('-'),
        'best_rows': best_rows,
        'base64': lambda picture: base64.b64encode(drawn(picture.figure)).decode(),
        'shown': shown,
        'as_json': lambda value: json.dumps(value, ensure_ascii=False, default=str),
    }
    return _NOT_TEXT.sub('\ufffd', templates.get_template('page.html').render(page=page))


def write_report(folder: Path, page: Page) -> Path:
    """Writes the page as report.html, and its tables as files into the folder tables/ beside it.

    An `InputError` names a file that cannot be written.
    """
    html = render_page(page)
    write_tables(folder / TABLES, [table for each in page.sections for table in each.tables])
    write_text(folder / REPORT, html)
    return folder / REPORT
