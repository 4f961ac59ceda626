"""What may be wrong with a run, each as its kind and a sentence.

The docstring of `health_warnings` gives the reasons for every threshold.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from cda_jax.analysis.health.lines import column, median, percent, worst_stretch

Judgements = dict[str, str]

_STEADIER = (
    'Under adaptive cross entropy a prior, unit_mean or a smaller alpha in emotion_loss_args '
    'steadies it'
)


def of_learning(
    start: Sequence[dict],
    end: Sequence[dict],
    head_shares: Mapping[str, float],
    head_samples: Mapping[str, float],
) -> Judgements:
    """Of a loss or a classifier that does not get better.

    Args:
        start: The first lines.
        end: The last ones; nothing is judged unless all are later.
        head_shares: As in `Setup`.
        head_samples: How many samples of a batch each of these classifiers has.
    """
    since = end[0]['step']
    if start[-1]['step'] >= since:
        return {}
    found, skills = {}, []
    for field, share in head_shares.items():
        accuracy = _mean(end, field)
        skills.append((accuracy - share) / (1 - share) if share < 1 else 1)
        has_risen = accuracy > _mean(start, field) + 0.05
        if accuracy <= share and len(end) * head_samples[field] >= 100 and not has_risen:
            of = '' if field == 'accuracy_emotion' else f' of {field.removeprefix("accuracy_")}'
            found[f'idle {field}'] = (
                f'The classifier{of} does not learn: from step {since:,} on its accuracy in '
                f'training is {percent(accuracy)}, and always naming its largest class would give '
                f'{percent(share)}. {_STEADIER}; so do shared_statistics above 0, a '
                'site_size_power nearer to 1, and a lower learning_rate.'
            )
    first, last = median(start, 'loss_emotion'), median(end, 'loss_emotion')
    has_learned = skills and not any(x < 0.5 for x in skills) and last <= 1.1 * first
    if last > 0.95 * first and not has_learned:
        found['emotion loss'] = (
            f'The emotion loss does not fall: from step {since:,} on its median is {last:.3g}, and '
            f'until step {start[-1]["step"]:,} it was {first:.3g}. {_STEADIER}; a site_size_power '
            'nearer to 1, gradient_clip or a lower learning_rate may help as well.'
        )
    return found


def of_gradient(
    lines: Sequence[dict], size: int, site_shares: Mapping[str, float], batch_size: int
) -> Judgements:
    """Of who has the emotion classifiers' gradient, from stretches of so many lines."""
    found = {}
    for site, samples in site_shares.items():
        during, stretch, share = worst_stretch(lines, size, f'gradient_share_{site}')
        if share >= max(1 / 3, 3 * samples):
            found[f'gradient of {site}'] = (
                f'The site {site} dominates: {during} it has {percent(share)} of the '
                f"emotion classifiers' gradient at the features (median) with {percent(samples)} "
                'of the samples. A site_size_power nearer to 1 gives it less weight, '
                f'shared_statistics above 0 class weights from more samples. {_STEADIER}.'
            )
    during, stretch, share = worst_stretch(lines, size, 'largest_gradient_share')
    misses = batch_size * (1 - median(stretch, 'accuracy_emotion'))
    if share > 0.15 and share * misses > 3:
        found['gradient of a sample'] = (
            f'One sample dominates: {during} a single one of the {batch_size:,} samples '
            f"of a batch has {percent(share)} of the emotion classifiers' gradient at the "
            f'features (median). {_STEADIER}; so do shared_statistics above 0, a site_size_power '
            'nearer to 1, and gradient_clip.'
        )
    return found


def of_game(lines: Sequence[dict], size: int, num_sites: int) -> Judgements:
    """Of the game between the dataset classifier d and the network, likewise."""
    found, end, guessing = {}, lines[-size:], math.log(num_sites)
    since = f'from step {end[0]["step"]:,} on'
    accuracy = median(end, 'balanced_accuracy_dataset')
    share = median(end, 'largest_share_dataset')
    strength, loss = median(end, 'lambda_1'), median(end, 'loss_dataset')
    skill = (accuracy - 1 / num_sites) / (1 - 1 / num_sites)
    finding = (
        f'{since} its balanced accuracy is {percent(accuracy)} (guessing: {percent(1 / num_sites)})'
    )
    if skill <= 0.1 and share >= 0.95:
        found['skill of d'] = (
            f'The dataset classifier is dead: {finding}, and it names one site for '
            f'{percent(share)} of a batch, rightly for '
            f'{percent(median(end, "accuracy_dataset"))}. '
            'If that site makes up as much of the data, draw the sites more evenly (site_weights); '
            'otherwise lower its learning rate or the strength of the reversal.'
        )
    elif skill <= 0.1 and strength <= 0.05 and loss >= 0.95 * guessing:
        found['skill of d'] = (
            f'The dataset classifier is dead: {finding} and its loss {loss:.2f} (ln {num_sites} '
            f'is {guessing:.2f}), although lambda_1 is only {strength:.2g} and hardly opposes it. '
            'Either it does not learn, or the sites cannot be told apart.'
        )
    elif skill >= 0.95 and strength > 0.05:
        found['skill of d'] = (
            f'The dataset classifier is saturated: {finding}, although lambda_1 is '
            f'{strength:.2g}. The reversal achieves nothing; a larger lambda_1, or site_smoothing, '
            'gives it more to work with.'
        )
    during, _, ratio = worst_stretch(lines, size, 'reversed_gradient_ratio')
    if ratio > 1:
        found['ratio'] = (
            f'The reversed gradient dominates: {during} it is {ratio:.3g} times as large at the '
            'features as that of the emotion classifiers (median). It may be destroying the '
            'features; a smaller lambda1_max keeps it in bounds.'
        )
    loss = float(np.median(np.nan_to_num(column(end, 'loss_dataset'), nan=math.inf)))
    if loss > 1.5 * guessing:
        level = 'not finite' if math.isinf(loss) else f'{loss:.3g}'
        found['loss of d'] = (
            f'The loss of the dataset classifier diverges: {since} L_d is {level} (median), while '
            f'guessing costs about ln {num_sites} = {guessing:.2f}. It does worse than if it knew '
            'nothing; a lower learning rate or a smaller lambda1_max steadies it.'
        )
    return found


def _mean(lines: Sequence[dict], field: str) -> float:
    values = column(lines, field)
    return float(np.nanmean(values)) if not np.isnan(values).all() else math.nan
