"""What may be wrong with a run, a sentence each, and the thresholds.

What stands before ': from step' says which judgement it is, so every sentence has these words.
Figures are medians unless a comment says otherwise, and shares are fractions of 1.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from cda_jax.analysis.health.lines import column, mean, median, worst_stretch
from cda_jax.config import Config
from cda_jax.data.position import DataPosition

# A classifier learns if its mean accuracy is above the share of its largest class, which takes no
# network, or has risen by more than this: class weights may trade accuracy for recall where one
# class is nearly all of the data. Fewer samples than these are not judged: their mean may have a
# standard deviation above 0.05.
_RISE, _MIN_SAMPLES = 0.05, 100
# A loss falls if it gets to this share of what it was at first, or below. In runs that learned,
# those of noisy labels too, it got below 90 %, even where the first line came after an epoch. Its
# scale does not count, because class weights and margins set it.
_FALLEN = 0.95
# A loss that starts low need not fall if it stays within this multiple of what it was at first, and
# every classifier is at least this far on the way from the share of its largest class to no error.
_RISEN, _LEARNED = 1.1, 0.5
# Below this share of its labels kept, most samples of a class are trained on as those of another.
_KEPT = 0.5
# A site dominates if it has at least this share of the gradient and at least that many times its
# share of the samples. The others, although they have more samples, then hardly move the network. A
# harder site has somewhat more than its share anyway.
_SITE, _TIMES_SAMPLES = 1 / 3, 3
# A single sample dominates if it has more than this share of the gradient and more than that many
# times what it would have if the samples that are not recognised shared the gradient equally: when
# these are few, they rightly have all of it. In a batch of 128 real faces the adaptive cross
# entropy gives a sample of a rare class up to 13 % without harm.
_SAMPLE, _TIMES_MISSES = 0.15, 3
# The skill of d, whose balanced accuracy is b, is (b - 1/K) / (1 - 1/K): 0 for guessing, 1 for no
# error. Up to the first value it is within the noise of a batch; from the second on, d is so sure
# that it has little gradient left.
_NO_SKILL, _FULL_SKILL = 0.1, 0.95
# d counts as naming a single site if it names that site for at least this share of a batch. Where
# one site dominates the data, plain cross entropy rewards that; it looks like death as well. A d
# without skill that names several sites tries, and finds nothing. That is a success if lambda_1 is
# above the second value; up to there it hardly opposes d.
_ONE_SITE, _WEAK_LAMBDA = 0.95, 0.05
# A d that knows nothing has an L_d of ln K. From the first multiple of that on, it has learned
# nothing; above the second, it does worse than if it knew nothing. A null counts as infinite. The
# adaptive cross entropy, whose weights average about 1, changes L_d by a few percent where all
# sites are of one size, and lowers it where they are not.
_UNLEARNED, _DIVERGED = 0.95, 1.5
# Where the reversed gradient at the features is more than this many times as large as the emotion
# classifiers', the features follow d more than the task.
_FOLLOWS_D = 1
# While training goes on, learning is judged only after this share of the steps and the warm-up.
_EARLY = 0.1

_STEADIER = (
    'Under adaptive cross entropy a prior, unit_mean or a smaller alpha in emotion_loss_args '
    'steadies it'
)


class Setup(NamedTuple):
    """What a run's metrics are judged by."""

    num_sites: int  # K, those that the dataset classifier tells apart; 0 without one
    batch_size: int = 1  # of labelled samples, over all devices
    site_shares: Mapping[str, float] = {}  # of the labelled samples of a batch; they sum to 1
    # The share of the largest class in each emotion classifier's samples, by the name of the metric
    # that is its accuracy.
    head_shares: Mapping[str, float] = {}
    early_steps: float = 0.0  # before these, learning is not judged while training goes on

    @classmethod
    def of_run(cls, config: Config, training: DataPosition) -> 'Setup':
        """That of a run, by its config and what it was trained on."""
        shares, power = training.site_shares, 1 - config.class_balance
        # In proportion to how often each class is drawn.
        counts = [[n**power if n else 0 for n in of] for of in training.head_class_counts]
        own = training.site_classes or shares  # none of an unlabelled site
        labelled = [share if each else 0.0 for share, each in zip(shares, own, strict=True)]
        if config.target == 'site':
            heads = {'emotion': shares}
        elif config.shared_head:  # of all sites, which site_weights and class_balance mix anew
            is_mixed_anew = config.site_weights or config.class_balance
            heads = {} if is_mixed_anew else {'emotion': counts[0]}
        else:  # the metrics of these two names are those of e and d, not of a site
            heads = dict(zip(config.sites, counts, strict=False))
            heads = {k: of for k, of in heads.items() if k not in ('emotion', 'dataset')}
        warmup = config.warmup_epochs / config.num_epochs
        return cls(
            num_sites=len(config.sites) if 'adversary' in config.alignment else 0,
            batch_size=round(config.batch_size * sum(labelled) / sum(shares)),
            site_shares={k: x / sum(labelled) for k, x in zip(config.sites, labelled, strict=True)},
            head_shares={f'accuracy_{k}': max(of) / sum(of) for k, of in heads.items() if sum(of)},
            early_steps=training.total_steps * max(warmup, _EARLY),
        )


def of_learning(start: Sequence[dict], end: Sequence[dict], setup: Setup) -> Iterator[str]:
    """Of a classifier or a loss that does not get better from the first lines to the last."""
    since, skills = end[0]['step'], []
    if start[-1]['step'] >= since:
        return
    for field, share in setup.head_shares.items():
        site, accuracy = field.removeprefix('accuracy_'), mean(end, field)
        skills.append((accuracy - share) / (1 - share) if share < 1 else 1)
        samples = len(end) * (setup.batch_size * setup.site_shares.get(site, 1))
        has_risen = accuracy > mean(start, field) + _RISE
        if accuracy <= share and samples >= _MIN_SAMPLES and not has_risen:
            of = '' if site == 'emotion' else f' of {site}'
            yield (
                f'The classifier{of} does not learn: from step {since:,} on its accuracy in '
                f'training is {_percent(accuracy)}, and always naming its largest class would give '
                f'{_percent(share)}. {_STEADIER}; so do shared_statistics above 0, a '
                'site_size_power nearer to 1, and a lower learning_rate.'
            )
    kept = median(end, 'least_pseudo_label_agreement')
    if kept < _KEPT:
        yield (
            f'The label extractor gives a class the label of another: from step {since:,} on it '
            f'keeps {_percent(kept)} of the labels of the class that it knows worst (median). The '
            'emotion classifiers then hardly see that class. A label_balance above 0 teaches it '
            "rare classes sooner; pseudo_label='none' leaves it out."
        )
    first, last = median(start, 'loss_emotion'), median(end, 'loss_emotion')
    has_learned = skills and not any(skill < _LEARNED for skill in skills)
    if last > _FALLEN * first and not (has_learned and last <= _RISEN * first):
        yield (
            f'The emotion loss does not fall: from step {since:,} on its median is {last:.3g}, and '
            f'until step {start[-1]["step"]:,} it was {first:.3g}. {_STEADIER}; a site_size_power '
            'nearer to 1, gradient_clip or a lower learning_rate may help as well.'
        )


def of_gradient(lines: Sequence[dict], size: int, setup: Setup) -> Iterator[str]:
    """Of who has the emotion classifiers' gradient, from stretches of so many lines."""
    for site, samples in setup.site_shares.items():
        during, _, share = worst_stretch(lines, size, f'gradient_share_{site}')
        if share >= max(_SITE, _TIMES_SAMPLES * samples):
            yield (
                f'The site {site} dominates: {during} it has {_percent(share)} of the '
                f"emotion classifiers' gradient at the features (median) with {_percent(samples)} "
                'of the samples. A site_size_power nearer to 1 gives it less weight, '
                f'shared_statistics above 0 class weights from more samples. {_STEADIER}.'
            )
    during, stretch, share = worst_stretch(lines, size, 'largest_gradient_share')
    misses = setup.batch_size * (1 - median(stretch, 'accuracy_emotion'))
    if share > _SAMPLE and share * misses > _TIMES_MISSES:
        yield (
            f'One sample dominates: {during} a single one of the {setup.batch_size:,} samples '
            f"of a batch has {_percent(share)} of the emotion classifiers' gradient at the "
            f'features (median). {_STEADIER}; so do shared_statistics above 0, a site_size_power '
            'nearer to 1, and gradient_clip.'
        )


def of_game(lines: Sequence[dict], size: int, num_sites: int) -> Iterator[str]:
    """Of the game between the dataset classifier d and the network, likewise."""
    end, guessing = lines[-size:], math.log(num_sites)
    since = f'from step {end[0]["step"]:,} on'
    accuracy = median(end, 'balanced_accuracy_dataset')
    share = median(end, 'largest_share_dataset')
    strength, loss = median(end, 'lambda_1'), median(end, 'loss_dataset')
    skill = (accuracy - 1 / num_sites) / (1 - 1 / num_sites)
    finding = (
        f'{since} its balanced accuracy is {_percent(accuracy)} '
        f'(guessing: {_percent(1 / num_sites)})'
    )
    if skill <= _NO_SKILL and share >= _ONE_SITE:
        yield (
            f'The dataset classifier is dead: {finding}, and it names one site for '
            f'{_percent(share)} of a batch, rightly for '
            f'{_percent(median(end, "accuracy_dataset"))}. '
            'If that site makes up as much of the data, draw the sites more evenly (site_weights); '
            'otherwise lower its learning rate or the strength of the reversal.'
        )
    elif skill <= _NO_SKILL and strength <= _WEAK_LAMBDA and loss >= _UNLEARNED * guessing:
        yield (
            f'The dataset classifier is dead: {finding} and its loss {loss:.2f} (ln {num_sites} '
            f'is {guessing:.2f}), although lambda_1 is only {strength:.2g} and hardly opposes it. '
            'Either it does not learn, or the sites cannot be told apart.'
        )
    elif skill >= _FULL_SKILL and strength > _WEAK_LAMBDA:
        yield (
            f'The dataset classifier is saturated: {finding}, although lambda_1 is '
            f'{strength:.2g}. The reversal achieves nothing; a larger lambda_1, or site_smoothing, '
            'gives it more to work with.'
        )
    during, _, ratio = worst_stretch(lines, size, 'reversed_gradient_ratio')
    if ratio > _FOLLOWS_D:
        yield (
            f'The reversed gradient dominates: {during} it is {ratio:.3g} times as large at the '
            'features as that of the emotion classifiers (median). It may be destroying the '
            'features; a smaller lambda1_max keeps it in bounds.'
        )
    loss = float(np.median(np.nan_to_num(column(end, 'loss_dataset'), nan=math.inf)))
    if loss > _DIVERGED * guessing:
        level = 'not finite' if math.isinf(loss) else f'{loss:.3g}'
        yield (
            f'The loss of the dataset classifier diverges: {since} L_d is {level} (median), while '
            f'guessing costs about ln {num_sites} = {guessing:.2f}. It does worse than if it knew '
            'nothing; a lower learning rate or a smaller lambda1_max steadies it.'
        )


def _percent(share: float) -> str:
    return f'{100 * share:z.1f} %'
