"""Plain text, values and file paths as HTML."""

import html
import json
import re
from collections.abc import Mapping
from urllib.parse import quote

from cda_jax.analysis.report.content import Link
from cda_jax.errors import InputError

# Neither allowed in HTML nor, as for lone surrogates of odd file names, in UTF-8.
_NOT_TEXT = re.compile('[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]')


def escape(text: str) -> str:
    """A text as HTML, in an element or in a quoted attribute."""
    return html.escape(_NOT_TEXT.sub('\ufffd', text))


def paragraphs(text: str) -> str:
    """A text as paragraphs, parted at its blank lines."""
    parts = re.split(r'\n\s*\n', text.strip())
    return ''.join(f'<p>{escape(part)}</p>\n' for part in parts if part)


def link(target: Link) -> str:
    """A link to a file beside the page.

    Raises:
        InputError: The path is empty, or not one from the page's folder.
    """
    if not target.path or target.path.startswith('/'):
        raise InputError(
            f'link {target.text!r}, path {target.path!r}: expected a path from the folder of the '
            'page'
        )
    address = quote(target.path, errors='surrogateescape')
    return f'<a href="{address}">{escape(target.text)}</a>'


def links(targets: tuple[Link, ...]) -> str:
    """Links in one line; nothing if there are none."""
    if not targets:
        return ''
    return f'<p class="links">{" ".join(map(link, targets))}</p>\n'


def values(fields: Mapping[str, object]) -> str:
    """Fields and their values; what is not a text is written as JSON."""
    rows = ''.join(
        f'<div><dt>{escape(str(name))}</dt><dd>{escape(_as_text(value))}</dd></div>\n'
        for name, value in fields.items()
    )
    return f'<dl class="values">\n{rows}</dl>\n'


def _as_text(value):
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
