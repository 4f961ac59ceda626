"""Warnings about the game between the dataset classifier d and the network."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from cda_jax.analysis.health.lines import column, median, percent, worst_stretch

# Thresholds; the docstring of `health_warnings` gives the reasons.
_CHANCE_SKILL, _PERFECT_SKILL, _ONE_SITE_SHARE = 0.1, 0.95, 0.95
_SMALL_LAMBDA, _DOMINANT_RATIO = 0.05, 1.0
_STUCK_LOSS, _DIVERGED_LOSS = 0.95, 1.5


def game_warnings(lines: Sequence[dict], size: int, num_sites: int) -> Iterator[tuple[str, str]]:
    """Kinds and sentences, from stretches of so many lines; as `health_warnings` says."""
    end = lines[-size:]
    skill = _death_or_saturation(end, num_sites)
    found = {'skill of d': skill, 'ratio': _dominance(lines, size)}
    found['loss of d'] = _divergence(end, num_sites)
    yield from ((kind, sentence) for kind, sentence in found.items() if sentence)


def _death_or_saturation(end, num_sites) -> str | None:
    accuracy = median(end, 'balanced_accuracy_dataset')
    share = median(end, 'largest_share_dataset')
    strength, loss = median(end, 'lambda_1'), median(end, 'loss_dataset')
    skill = (accuracy - 1 / num_sites) / (1 - 1 / num_sites)
    finding = (
        f'from step {end[0]["step"]:,} on its balanced accuracy is {percent(accuracy)} '
        f'(guessing: {percent(1 / num_sites)})'
    )
    if skill <= _CHANCE_SKILL and share >= _ONE_SITE_SHARE:
        return (
            f'The dataset classifier is dead: {finding}, and it names one site for '
            f'{percent(share)} of a batch, rightly for '
            f'{percent(median(end, "accuracy_dataset"))}. '
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
    stretch, ratio = worst_stretch(lines, size, 'reversed_gradient_ratio')
    if ratio <= _DOMINANT_RATIO:
        return None
    first, last = stretch[0]['step'], stretch[-1]['step']
    return (
        f'The reversed gradient dominates: from step {first:,} to step {last:,} it is '
        f'{ratio:.3g} times as large at the features as that of the emotion classifiers '
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
