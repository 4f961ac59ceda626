"""What a suite found as a section of a Markdown file, whose other parts stay as they are."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from cda_jax.analysis.figures.style import drawn
from cda_jax.analysis.report import Page
from cda_jax.analysis.tables import as_markdown
from cda_jax.errors import InputError
from cda_jax.runtime.files import write_text

_END = '<!-- end -->'


def write_section(
    path: Path, name: str, commands: Sequence[str], page: Page, plots: Mapping[str, Figure]
) -> None:
    """Replaces what stands between `<!-- generated: NAME -->` and the next `<!-- end -->`.

    A file without the former gets both at its end; an `InputError` says if only the latter is
    missing. `plots`, by caption, go beside it as SVG.
    """
    text = path.read_text('utf-8') if path.exists() else ''
    start = f'<!-- generated: {name} -->'
    if start not in text:
        text = f'{text}\n{start}\n{_END}\n'.lstrip()
    before, _, rest = text.partition(start)
    _, end, after = rest.partition(_END)
    if not end:
        raise InputError(f'{path}: expected a line {_END} after {start}')
    parts = ['\n'.join(['```sh', *commands, '```']), '\n'.join(f'- {line}' for line in page.answer)]
    for number, (caption, figure) in enumerate(plots.items(), 1):
        picture = path.with_name(f'{path.stem}-{name.replace(" ", "-")}-{number}.svg')
        write_text(picture, drawn(figure).decode())
        parts.append(f'![{caption}]({picture.name})\n\n{caption}')
    parts += [as_markdown(table).strip() for section in page.sections for table in section.tables]
    write_text(path, '\n\n'.join([before + start, *parts, _END + after]))
