"""The lines of a run's metrics, and figures of them."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np

from cda_jax.errors import InputError
from cda_jax.runtime.workdir import METRICS


class _Line(msgspec.Struct):
    """What every line has besides its figures, whose names vary."""

    kind: Literal['train', 'validation']
    step: Annotated[int, msgspec.Meta(ge=0)]


def read_metrics(workdir: Path) -> list[dict]:
    """Reads a run's `metrics.jsonl`; an `InputError` says which line is damaged.

    A line has its `kind` ('train' or 'validation'), `step`, and figures by name, finite or None.
    """
    path = workdir / METRICS
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f'{path}: {error.strerror}; expected the metrics of a run') from error
    return [_read_line(line, f'{path}, line {n}') for n, line in enumerate(lines, start=1)]


def _read_line(text: bytes, place: str) -> dict:
    try:
        line = msgspec.json.decode(text, type=dict)
        msgspec.convert(line, _Line)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(f'{place}: {error}') from error
    for name, value in line.items():
        if name != 'kind' and value is not None and type(value) not in (int, float):
            raise InputError(f'{place}: {name} is {value!r}, expected a number or null')
    return line


def column(lines: Sequence[dict], field: str) -> np.ndarray:
    """One figure over the lines: float64[N], NaN where a line lacks it or has null."""
    return np.array([line.get(field) for line in lines], float)


def epochs_of(lines: Sequence[dict], chosen: Sequence[dict]) -> np.ndarray:
    """When the N chosen ones of a run's lines were written, in epochs: float64[N].

    Only lines of training have their epoch; that of the others follows from their step. There is an
    `InputError` if no line of training has its step and epoch.
    """
    training = [x for x in lines if x['kind'] == 'train' and x['step'] and x.get('epoch')]
    if not training:
        raise InputError('no line of training has its step and epoch; expected at least one')
    return column(chosen, 'step') * (training[-1]['epoch'] / training[-1]['step'])


def mean(lines: Sequence[dict], field: str) -> float:
    """Of the lines that have the figure; NaN, for which no comparison holds, if none has."""
    return _of_present(lines, field, np.nanmean)


def median(lines: Sequence[dict], field: str) -> float:
    """As `mean`."""
    return _of_present(lines, field, np.nanmedian)


def _of_present(lines: Sequence[dict], field: str, summarise: Callable) -> float:
    values = column(lines, field)
    return float(summarise(values)) if not np.isnan(values).all() else math.nan


def worst_stretch(
    lines: Sequence[dict], size: int, field: str
) -> tuple[str, Sequence[dict], float]:
    """The stretch of so many lines in which a figure's median is largest, and this median.

    First comes the stretch in words. A line that lacks the figure counts as 0.
    """
    values = np.nan_to_num(column(lines, field), nan=0)
    medians = np.median(np.lib.stride_tricks.sliding_window_view(values, size), axis=1)
    worst = int(medians.argmax())
    stretch = lines[worst : worst + size]
    during = f'from step {stretch[0]["step"]:,} to step {stretch[-1]["step"]:,}'
    return during, stretch, float(medians[worst])
