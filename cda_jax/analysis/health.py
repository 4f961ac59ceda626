"""Whether the adversarial game of a run was healthy, read from its metrics."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
import pandas as pd

from cda_jax.analysis.tables import show_percent
from cda_jax.errors import InputError
from cda_jax.runtime.workdir import METRICS

# What is judged together: a quarter of the run, and at least so many lines, as each is one batch.
_STRETCH, _MIN_LINES = 0.25, 8

# Thresholds; the docstring of `health_warnings` gives the reasons.
_CHANCE_SKILL, _PERFECT_SKILL, _ONE_SITE_SHARE = 0.1, 0.95, 0.95
_SMALL_LAMBDA, _DOMINANT_RATIO = 0.05, 1.0
_STUCK_LOSS, _DIVERGED_LOSS = 0.95, 1.5


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
    values = (line.get(field) for line in lines)
    return np.array([math.nan if value is None else value for value in values], float)


def epochs_of(lines: Sequence[dict], chosen: Sequence[dict]) -> np.ndarray:
    """When the N chosen ones of a run's lines were written, in epochs: float64[N].

    Only lines of training have their epoch; that of the others follows from their step. There is an
    `InputError` if there is no line of training, or the last one lacks its step or epoch.
    """
    training = [line for line in lines if line['kind'] == 'train']
    if not training:
        raise InputError("lines: none is of kind 'train', expected at least one")
    last = training[-1]
    if not last['step'] or not last.get('epoch'):
        raise InputError(f'lines, step {last["step"]}: no epoch, expected one above 0')
    return column(chosen, 'step') * (last['epoch'] / last['step'])


def health_warnings(lines: Sequence[dict], num_sites: int) -> list[str]:
    """What went wrong between the dataset classifier d and the network, in written sentences.

    There are none for a healthy run, or for one without a dataset classifier. Every judgement rests
    on a median over a quarter of the run's lines, and at least 8 of them; a shorter run gets none.
    Balanced accuracy b counts as skill (b - 1/K) / (1 - 1/K): 0 for guessing and 1 for no error.

    - **d is dead.** At the end its skill is at most 0.1, which is within the noise of a batch, and
      either it names one site for at least 95 % of a batch, or nothing opposes it (lambda_1 at most
      0.05) and its loss is still at least 95 % of ln K: it has learned nothing although it could.
      Where lambda acts and d names several sites, chance is a success: it tries, and finds nothing.
      Where one site dominates the data, a plain cross entropy rewards always naming it; this looks
      like death as well, and the sentence says so.
    - **d is saturated.** At the end its skill is 0.95 or more with lambda_1 above 0.05: features
      give the site away in spite of the reversal, and a d that is so sure has little gradient left.
    - **The reversed gradient dominates.** Over some quarter of the run its norm at the features is
      larger than that of the emotion classifiers' gradient: the features follow d more than the
      task.
    - **L_d diverges.** At the end it is above 1.5 ln K. A d that knows nothing stays at ln K under
      cross entropy; the adaptive cross entropy, whose weights average about 1, moves that by a few
      percent where sites are of one size, and downwards where they are not. A null counts as
      infinite.

    None of this shows that the features are free of the sites: only a fresh probe does, as
    `cda_jax.analysis.bias.measure_bias` trains it.

    Lines are as from `read_metrics`; `num_sites` is K, the sites trained on, at least 2.
    """
    lines = [line for line in lines if line['kind'] == 'train' and 'loss_dataset' in line]
    if len(lines) < _MIN_LINES:
        return []
    size = max(_MIN_LINES, math.ceil(_STRETCH * len(lines)))
    end = lines[-size:]
    skill, loss = _death_or_saturation(end, num_sites), _divergence(end, num_sites)
    return list(filter(None, (skill, _dominance(lines, size), loss)))


def _death_or_saturation(end, num_sites) -> str | None:
    accuracy = _median(end, 'balanced_accuracy_dataset')
    share = _median(end, 'largest_share_dataset')
    strength, loss = _median(end, 'lambda_1'), _median(end, 'loss_dataset')
    skill = (accuracy - 1 / num_sites) / (1 - 1 / num_sites)
    finding = (
        f'from step {end[0]["step"]:,} on its balanced accuracy is {show_percent(accuracy)} '
        f'(guessing: {show_percent(1 / num_sites)})'
    )
    if skill <= _CHANCE_SKILL and share >= _ONE_SITE_SHARE:
        return (
            f'The dataset classifier is dead: {finding}, and it names one site for '
            f'{show_percent(share)} of a batch, rightly for '
            f'{show_percent(_median(end, "accuracy_dataset"))}. '
            'If that site makes up as much of the data, draw the sites more evenly (site_weights); '
            'otherwise lower its learning rate or the strength of the reversal.'
        )
    guessing = math.log(num_sites)
    if skill <= _CHANCE_SKILL and strength <= _SMALL_LAMBDA and loss >= _STUCK_LOSS * guessing:
        return (
            f'The dataset classifier is dead: {finding} and its loss {loss:.2f} (ln {num_sites} '
            f'is {guessing:.2f}), although lambda_1 is only {strength:.2g} and hardly opposes it. '
            'Either it does not learn, or the sites cannot be told apart.'
        )
    if skill >= _PERFECT_SKILL and strength > _SMALL_LAMBDA:
        return (
            f'The dataset classifier is saturated: {finding}, although lambda_1 is '
            f'{strength:.2g}. The reversal achieves nothing; a larger lambda_1, or site_smoothing, '
            'gives it more to work with.'
        )
    return None


def _dominance(lines, size) -> str | None:
    """Judges the stretch of so many lines in which it is worst."""
    ratios = np.nan_to_num(column(lines, 'reversed_gradient_ratio'), nan=0)
    medians = np.median(np.lib.stride_tricks.sliding_window_view(ratios, size), axis=1)
    worst = int(medians.argmax())
    if medians[worst] <= _DOMINANT_RATIO:
        return None
    first, last = lines[worst]['step'], lines[worst + size - 1]['step']
    return (
        f'The reversed gradient dominates: from step {first:,} to step {last:,} it is '
        f'{medians[worst]:.3g} times as large at the features as that of the emotion classifiers '
        '(median). It may be destroying the features; a smaller lambda1_max keeps it in bounds.'
    )


def _divergence(end, num_sites) -> str | None:
    loss = float(np.median(np.nan_to_num(column(end, 'loss_dataset'), nan=math.inf)))
    guessing = math.log(num_sites)
    if loss <= _DIVERGED_LOSS * guessing:
        return None
    level = 'not finite' if math.isinf(loss) else f'{loss:.3g}'
    return (
        f'The loss of the dataset classifier diverges: from step {end[0]["step"]:,} on L_d is '
        f'{level} (median), while guessing costs about ln {num_sites} = {guessing:.2f}. It does '
        'worse than if it knew nothing; a lower learning rate or a smaller lambda1_max steadies it.'
    )


def _median(lines, field) -> float:
    """Of the lines that have the figure; NaN, for which no comparison holds, if none has."""
    return float(pd.Series(column(lines, field)).median())
