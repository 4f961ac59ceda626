"""Tables of results as part of the page."""

from cda_jax.analysis.report.content import Link
from cda_jax.analysis.report.markup import escape, link
from cda_jax.analysis.tables import Column, Measured, Table, format_cell
from cda_jax.errors import InputError

_PLUS_MINUS = ' ± '


def table(
    content: Table,
    *,
    highest: tuple[str, ...] = (),
    lowest: tuple[str, ...] = (),
    folder: str | None = None,
) -> str:
    """A table with its title and note, in a box of its own that scrolls.

    Args:
        content: Its first column, if of texts, names the rows.
        highest: Columns whose highest figure is set in bold; of several seeds the mean counts.
        lowest: Columns whose lowest figure is set in bold.
        folder: Where its files are, from the page's folder; None: there are none.

    Raises:
        InputError: A row has too few or too many cells, or a cell is not of its column's kind.
    """
    for number, row in enumerate(content.rows):
        if len(row) != len(content.columns):
            raise InputError(
                f'table {content.name!r}, row {number}: {len(row)} cells, expected '
                f'{len(content.columns)}, one for each column'
            )
    columns = [
        _column(content, number, highest=highest, lowest=lowest)
        for number in range(len(content.columns))
    ]
    head = ''.join(map(_head, content.columns))
    body = ''.join(f'<tr>{"".join(cells)}</tr>\n' for cells in zip(*columns, strict=True))
    return (
        f'<figure class="table">\n<figcaption>{escape(content.title)}{_files(content, folder)}'
        '</figcaption>\n'
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(content.title)}">\n'
        f'<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</div>\n'
        f'{_note(content, highest, lowest)}</figure>\n'
    )


def _head(column: Column) -> str:
    if column.kind == 'text':
        return f'<th scope="col">{escape(column.name)}</th>'
    unit = ' <span class="unit">(%)</span>' if column.kind == 'percent' else ''
    return f'<th scope="col" class="figure">{escape(column.name)}{unit}</th>'


def _column(content: Table, number: int, *, highest, lowest) -> list[str]:
    """The cells of one column: what is after ± gets one width, so that the points are aligned."""
    column = content.columns[number]
    cells = [row[number] for row in content.rows]
    texts = [format_cell(cell, column) for cell in cells]
    if column.kind == 'text':
        tag, end = ('th scope="row"', 'th') if number == 0 else ('td', 'td')
        return [f'<{tag}>{escape(text)}</{end}>' for text in texts]
    best = _best(cells, column.name, highest, lowest)
    width = max((len(text.partition(_PLUS_MINUS)[2]) for text in texts), default=0)
    return [
        f'<td class="figure{" best" if row in best else ""}">{_figure(text, width)}</td>'
        for row, text in enumerate(texts)
    ]


def _figure(text: str, width: int) -> str:
    mean, _, sd = text.partition(_PLUS_MINUS)
    if not width:
        return escape(mean)
    spread = f'± {escape(sd)}' if sd else ''
    return f'{escape(mean)} <span class="spread" style="min-width: {width + 1.4}ch">{spread}</span>'


def _best(cells, name, highest, lowest) -> set[int]:
    """Rows of the best figure: none if there is nothing that it could be better than."""
    figures = {row: _centre(cell) for row, cell in enumerate(cells) if cell is not None}
    if name not in (*highest, *lowest) or len(set(figures.values())) < 2:
        return set()
    best = (max if name in highest else min)(figures.values())
    return {row for row, figure in figures.items() if figure == best}


def _centre(cell: float | Measured) -> float:
    return cell.mean if isinstance(cell, Measured) else cell


def _note(content, highest, lowest) -> str:
    marks = [
        f'Bold: the {which} of {", ".join(marked)}.'
        for which, names in (('highest', highest), ('lowest', lowest))
        if (marked := [column.name for column in content.columns if column.name in names])
    ]
    text = ' '.join([*filter(None, [content.note]), *marks])
    return f'<p class="note">{escape(text)}</p>\n' if text else ''


def _files(content, folder) -> str:
    if folder is None:
        return ''
    places = [
        link(Link(kind, f'{folder}/{content.name}.{ending}'))
        for kind, ending in (('CSV', 'csv'), ('Markdown', 'md'), ('LaTeX', 'tex'))
    ]
    return f' <span class="links">{" ".join(places)}</span>'
