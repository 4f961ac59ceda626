"""The report page: what it says, put together and written."""

from pathlib import Path

from cda_jax.analysis.report.content import Details, Page, Section, check_page
from cda_jax.analysis.report.markup import escape, links, paragraphs, values
from cda_jax.analysis.report.picture import picture
from cda_jax.analysis.report.style import STYLE
from cda_jax.analysis.report.table import table
from cda_jax.runtime.files import write_text

# The browser itself refuses whatever is not in the page.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def render_page(page: Page) -> str:
    """The page as HTML: the answer, the warnings, the contents, the sections, what it ran with.

    It holds its style and its figures, has no script, and reads in light and dark, on paper and on
    a screen 360 pixels wide.

    Args:
        page: What it says.

    Raises:
        InputError: See `check_page`; or a table is not sound, or a link's path does not start from
            the page's folder.
    """
    check_page(page)
    ends = [
        (title, anchor, fields)
        for title, anchor, fields in (
            ('Configuration', 'configuration', page.config),
            ('Environment', 'environment', page.environment),
        )
        if fields is not None
    ]
    contents = [(section.title, section.anchor) for section in page.sections]
    contents += [(title, anchor) for title, anchor, _ in ends]
    sections = ''.join(_section(section, page.table_folder) for section in page.sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<title>{escape(page.title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n'
        f'<div class="first">\n{_first(page)}</div>\n{_contents(contents)}'
        f'<div class="rest">\n{sections}{"".join(_end(*end) for end in ends)}</div>\n'
        '</main>\n</body>\n</html>\n'
    )


def write_page(path: Path, page: Page) -> None:
    """Writes the page, whole or not at all.

    Args:
        path: Of the HTML file; its folder exists.
        page: What it says.

    Raises:
        InputError: As `render_page`; or the file cannot be written.
    """
    text = render_page(page)
    write_text(path, text)


def _first(page) -> str:
    subtitle = f'<p class="subtitle">{escape(page.subtitle)}</p>\n' if page.subtitle else ''
    lead, *others = map(escape, page.answer)
    return (
        f'<header>\n<h1>{escape(page.title)}</h1>\n{subtitle}</header>\n'
        '<section id="answer" aria-label="Answer">\n'
        f'<p class="lead">{lead}</p>\n{_list(others)}</section>\n'
        f'{_warnings(page.warnings)}{links(page.links)}'
    )


def _warnings(texts) -> str:
    if not texts:
        return ''
    title = 'Warning' if len(texts) == 1 else 'Warnings'
    return f'<section id="warnings">\n<h2>{title}</h2>\n{_list(map(escape, texts))}</section>\n'


def _list(items) -> str:
    lines = ''.join(f'<li>{item}</li>\n' for item in items)
    return f'<ul>\n{lines}</ul>\n' if lines else ''


def _contents(entries) -> str:
    if not entries:
        return ''
    lines = ''.join(
        f'<li><a href="#{anchor}">{escape(title)}</a></li>\n' for title, anchor in entries
    )
    return f'<nav id="contents" aria-label="Contents">\n<ol>\n{lines}</ol>\n</nav>\n'


def _section(section: Section, folder) -> str:
    tables = ''.join(
        table(content, highest=section.highest, lowest=section.lowest, folder=folder)
        for content in section.tables
    )
    figures = ''.join(map(picture, section.figures))
    details = ''.join(_details(content, folder) for content in section.details)
    return (
        f'<section id="{section.anchor}">\n<h2>{escape(section.title)}</h2>\n'
        f'{paragraphs(section.text)}{tables}{figures}{links(section.links)}{details}</section>\n'
    )


def _details(details: Details, folder) -> str:
    tables = ''.join(table(content, folder=folder) for content in details.tables)
    figures = ''.join(map(picture, details.figures))
    fields = '' if details.values is None else values(details.values)
    return (
        f'<details>\n<summary>{escape(details.title)}</summary>\n'
        f'{paragraphs(details.text)}{tables}{figures}{fields}</details>\n'
    )


def _end(title, anchor, fields) -> str:
    heading = f'<summary><h2>{title}</h2></summary>'
    return f'<details id="{anchor}">\n{heading}\n{values(fields)}</details>\n'
