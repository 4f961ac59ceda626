"""What a suite found as a section of a Markdown file, whose other parts stay as they are."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from cda_jax.analysis.figures.style import COLOURS, WIDTH, drawn, in_style
from cda_jax.analysis.report import Page
from cda_jax.analysis.tables import as_markdown
from cda_jax.errors import InputError
from cda_jax.runtime.files import write_text
from cda_jax.suites import outcomes as out
from cda_jax.suites.outcomes import Outcome

_END = '<!-- end -->'
# Standard deviations over the seeds.
_BARS = {'linestyle': '', 'elinewidth': 0.7, 'capsize': 1.5}


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


@in_style
def trade_off(rows: Mapping[str, Sequence[Outcome]]) -> Figure:
    """Accuracy against the site left in the features, a number for each method's runs."""
    figure = Figure((WIDTH, 1.2 + 0.18 * len(rows)))
    axes = figure.subplots()
    for number, (title, runs) in enumerate(rows.items(), 1):
        (x, xerr), (y, yerr) = _percent(runs, out.probe()), _percent(runs, out.average('accuracy'))
        colour, size = COLOURS[number % len(COLOURS)], 4 + 3 * len(str(number))
        axes.errorbar(x, y, yerr, xerr, color=colour, alpha=0.5, **_BARS)
        axes.plot(x, y, ls='', marker=f'${number}$', ms=size, color=colour, label=title)
    axes.set(xlabel='balanced accuracy of the linear site probe (%)', ylabel='mean accuracy (%)')
    figure.legend(loc='outside right upper')
    return figure


def _percent(runs, figure) -> tuple[float, float]:
    measured = out.over_seeds(runs, figure)
    return (100 * measured.mean, 100 * (measured.sd or 0)) if measured else (math.nan, math.nan)
