"""Warnings about what the network is for: the emotion classifiers, and who trains them."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from cda_jax.analysis.health.lines import column, median, percent, worst_stretch

# Thresholds; the docstring of `health_warnings` gives the reasons.
_STUCK_LOSS, _GROWTH, _HALF = 0.95, 1.1, 0.5
_RISE, _MIN_SAMPLES = 0.05, 100
_DOMINANT_SHARE, _TIMES_ITS_SAMPLES = 1 / 3, 3
_LARGE_SHARE, _TIMES_A_MISS = 0.15, 3

_STEADIER = (
    'Under adaptive cross entropy a prior, unit_mean or a smaller alpha in emotion_loss_args '
    'steadies it'
)


def learning_warnings(
    start: Sequence[dict],
    end: Sequence[dict],
    head_shares: Mapping[str, float],
    head_samples: Mapping[str, float],
) -> Iterator[tuple[str, str]]:
    """Kinds and sentences about a loss or a classifier that does not get better.

    Args:
        start: The first lines.
        end: The last ones; nothing is judged unless all are later.
        head_shares: As in `Setup`.
        head_samples: How many samples of a batch each of these classifiers has.
    """
    since = end[0]['step']
    if start[-1]['step'] >= since:
        return
    idle, skills = {}, []
    for field, share in head_shares.items():
        accuracy = _mean(end, field)
        skills.append((accuracy - share) / (1 - share) if share < 1 else 1)
        has_risen = accuracy > _mean(start, field) + _RISE
        is_sure = len(end) * head_samples[field] >= _MIN_SAMPLES
        if accuracy <= share and is_sure and not has_risen:
            idle[field] = accuracy, share
    for field, (accuracy, share) in idle.items():
        of = '' if field == 'accuracy_emotion' else f' of {field.removeprefix("accuracy_")}'
        sentence = (
            f'The classifier{of} does not learn: from step {since:,} on its accuracy in training '
            f'is {percent(accuracy)}, and always naming its largest class would give '
            f'{percent(share)}. {_STEADIER}; so do shared_statistics above 0, a site_size_power '
            'nearer to 1, and a lower learning_rate.'
        )
        yield f'idle {field}', sentence
    first, last = median(start, 'loss_emotion'), median(end, 'loss_emotion')
    has_learned = skills and not any(x < _HALF for x in skills) and last <= _GROWTH * first
    if last > _STUCK_LOSS * first and not has_learned:
        sentence = (
            f'The emotion loss does not fall: from step {since:,} on its median is {last:.3g}, and '
            f'until step {start[-1]["step"]:,} it was {first:.3g}. {_STEADIER}; a site_size_power '
            'nearer to 1, gradient_clip or a lower learning_rate may help as well.'
        )
        yield 'emotion loss', sentence


def gradient_warnings(
    lines: Sequence[dict], size: int, site_shares: Mapping[str, float], batch_size: int
) -> Iterator[tuple[str, str]]:
    """Kinds and sentences about who has the gradient, from stretches of so many lines."""
    for site, samples in site_shares.items():
        stretch, share = worst_stretch(lines, size, f'gradient_share_{site}')
        if share >= max(_DOMINANT_SHARE, _TIMES_ITS_SAMPLES * samples):
            sentence = (
                f'The site {site} dominates: {_during(stretch)} it has {percent(share)} of the '
                f"emotion classifiers' gradient at the features (median) with {percent(samples)} "
                'of the samples. A site_size_power nearer to 1 gives it less weight, '
                'shared_statistics above 0 class weights from more samples. '
                f'{_STEADIER}.'
            )
            yield f'gradient of {site}', sentence
    stretch, share = worst_stretch(lines, size, 'largest_gradient_share')
    accuracy = median(stretch, 'accuracy_emotion')
    misses = batch_size * (1 - accuracy)
    if share > _LARGE_SHARE and share * misses > _TIMES_A_MISS:
        sentence = (
            f'One sample dominates: {_during(stretch)} a single one of the {batch_size:,} samples '
            f"of a batch has {percent(share)} of the emotion classifiers' gradient at the "
            f'features (median). {_STEADIER}; so do shared_statistics above 0, a site_size_power '
            'nearer to 1, and gradient_clip.'
        )
        yield 'gradient of a sample', sentence


def _mean(lines, field) -> float:
    values = column(lines, field)
    return float(np.nanmean(values)) if not np.isnan(values).all() else math.nan


def _during(stretch) -> str:
    return f'from step {stretch[0]["step"]:,} to step {stretch[-1]["step"]:,}'
