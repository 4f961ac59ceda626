"""What a report page says, apart from how it looks.

All texts are plain: they are escaped when the page is written.
"""

from collections.abc import Mapping
from typing import NamedTuple

from matplotlib.figure import Figure

from cda_jax.analysis.tables import Table


class Link(NamedTuple):
    """A file; its path, which is no URL, starts at the page's folder and has `/` in between."""

    text: str
    path: str


class Picture(NamedTuple):
    """A figure, shown at its own size but no wider than the page, and the words that go with it.

    `alt` is for those who do not see the figure.
    """

    figure: Figure
    caption: str
    alt: str


class Section(NamedTuple):
    """A part of a page, with a line in the table of contents, under a title of its own.

    `folded` has fields and their values, such as a configuration, by the title of the list; a list
    stays folded until the reader asks for it.
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
        answer: What the reader came for, one short sentence each, the most important one first.
        warnings: Why not to trust it, one sentence each; shown right after the answer.
        subtitle: What was compared on what, in one line.
    """

    title: str
    answer: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    subtitle: str = ''
