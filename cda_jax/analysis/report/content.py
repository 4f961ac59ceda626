"""What a report page says, apart from how it looks.

All texts are plain: they are escaped when the page is written. A blank line parts two paragraphs.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from matplotlib.figure import Figure

from cda_jax.analysis.tables import Table
from cda_jax.errors import InputError

OWN_ANCHORS = ('answer', 'warnings', 'contents', 'configuration', 'environment')

_ANCHOR = re.compile(r'[A-Za-z][A-Za-z0-9_-]*')


class Link(NamedTuple):
    """A file beside the page.

    Attributes:
        text: What the reader sees.
        path: From the page's folder, with `/` between folders; not a URL.
    """

    text: str
    path: str


class Picture(NamedTuple):
    """A figure with the words that go with it.

    Attributes:
        figure: Drawn at its own size in inches, at most as wide as the page.
        caption: Shown below.
        alt: What the figure shows, for those who do not see it.
    """

    figure: Figure
    caption: str
    alt: str


class Details(NamedTuple):
    """Something that stays folded until the reader asks for it.

    Attributes:
        title: Always shown.
        text: Paragraphs.
        tables: In their order.
        figures: In their order.
        values: Fields and their values, such as a configuration.
    """

    title: str
    text: str = ''
    tables: tuple[Table, ...] = ()
    figures: tuple[Picture, ...] = ()
    values: Mapping[str, object] | None = None


class Section(NamedTuple):
    """A part of a page, with a line in the table of contents.

    Attributes:
        title: The heading.
        anchor: What follows `#` in a link to this section: a letter, then letters, digits, `-` and
            `_`.
        text: Paragraphs.
        tables: In their order.
        figures: In their order.
        links: Files that belong to it.
        details: At its end, folded.
        highest: Columns of its tables whose highest figure is set in bold.
        lowest: Columns of its tables whose lowest figure is set in bold.
    """

    title: str
    anchor: str
    text: str = ''
    tables: tuple[Table, ...] = ()
    figures: tuple[Picture, ...] = ()
    links: tuple[Link, ...] = ()
    details: tuple[Details, ...] = ()
    highest: tuple[str, ...] = ()
    lowest: tuple[str, ...] = ()


class Page(NamedTuple):
    """A whole report.

    Attributes:
        title: The heading.
        answer: What the reader came for, one short sentence each, the most important one first.
        warnings: Why not to trust it, one sentence each; shown right after the answer.
        sections: In their order.
        subtitle: What was compared on what, in one line.
        links: Files that belong to the whole, such as the pages of its runs.
        table_folder: Where `write_tables` put the tables' files, from the page's folder; '.' for
            the page's own. Every table then links to them. None: there are none.
        config: Shown folded at the end, or None.
        environment: Of `environment`; shown folded at the end, or None.
    """

    title: str
    answer: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    subtitle: str = ''
    links: tuple[Link, ...] = ()
    table_folder: str | None = None
    config: Mapping[str, object] | None = None
    environment: Mapping[str, object] | None = None


def check_page(page: Page) -> None:
    """Checks what the types cannot.

    Raises:
        InputError: There is no title or no answer, a link in the page would lead nowhere or to two
            places, a figure has no alternative text, or a column to mark is in no table.
    """
    if not page.title.strip():
        raise InputError('page: the title is empty, expected a text')
    for field in ('answer', 'warnings'):
        if isinstance(getattr(page, field), str):
            raise InputError(f'page {page.title!r}, {field}: one text, expected a tuple of texts')
    if not page.answer:
        raise InputError(f'page {page.title!r}: no answer, expected at least one sentence')
    _check_anchors(page)
    for section in page.sections:
        _check_marks(section)
        for part in (section, *section.details):
            for picture in part.figures:
                if not picture.alt.strip():
                    raise InputError(
                        f'section {section.title!r}, figure {picture.caption!r}: no alternative '
                        'text, expected what the figure shows'
                    )


def _check_anchors(page):
    uses = Counter([*OWN_ANCHORS, *(section.anchor for section in page.sections)])
    for section in page.sections:
        where = f'section {section.title!r}, anchor {section.anchor!r}'
        if not _ANCHOR.fullmatch(section.anchor):
            raise InputError(f'{where}: expected a letter, then letters, digits, - and _')
        if uses[section.anchor] > 1:
            raise InputError(f'{where}: is there twice, expected one that no other part has')


def _check_marks(section):
    there = {column.name for table in section.tables for column in table.columns}
    for name in (*section.highest, *section.lowest):
        if name not in there:
            raise InputError(
                f'section {section.title!r}, column {name!r}: is in none of its tables, expected '
                f'one of {", ".join(sorted(there))}'
            )
