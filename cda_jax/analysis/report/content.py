"""What a report page says, apart from how it looks.

All texts are plain: they are escaped when the page is written.
"""

from collections.abc import Mapping
from typing import NamedTuple

from matplotlib.figure import Figure

from cda_jax.analysis.tables import Table


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


class Section(NamedTuple):
    """A part of a page, with a line in the table of contents.

    Attributes:
        title: The heading; no two sections of a page have the same.
        text: A paragraph.
        tables: In their order.
        figures: In their order.
        links: Files that belong to it.
        folded: Lists of fields and their values, such as a configuration, by title; they stay
            folded until the reader asks for them.
    """

    title: str
    text: str = ''
    tables: tuple[Table, ...] = ()
    figures: tuple[Picture, ...] = ()
    links: tuple[Link, ...] = ()
    folded: Mapping[str, Mapping[str, object]] = {}


class Page(NamedTuple):
    """A whole report.

    Attributes:
        title: The heading.
        answer: What the reader came for, one short sentence each, the most important one first.
        warnings: Why not to trust it, one sentence each; shown right after the answer.
        sections: In their order.
        subtitle: What was compared on what, in one line.
    """

    title: str
    answer: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    subtitle: str = ''
