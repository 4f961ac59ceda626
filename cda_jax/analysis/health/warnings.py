"""What is wrong with a run, in written sentences, at its end and while it is trained."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cda_jax.analysis.health.judgements import of_game, of_gradient, of_learning
from cda_jax.config import Config
from cda_jax.data.position import DataPosition

# What is judged together: a quarter of the run, and at least so many lines, as each is one batch.
_STRETCH, _MIN_LINES, _MIN_GRADIENT_LINES = 0.25, 8, 4
# While training goes on, learning is judged after this share of the steps, and after the warm-up.
_EARLY = 0.1


class Setup(NamedTuple):
    """What a run's metrics are judged by.

    Attributes:
        num_sites: K, the sites that the dataset classifier tells apart; 0 without one.
        batch_size: Of labelled samples, over all devices.
        site_shares: Of the labelled samples of a batch, by site; they sum to 1.
        head_shares: The share of the largest class in the samples of an emotion classifier, by the
            metric that is its accuracy.
        early_steps: Steps after which, while training goes on, it can be said what was learned.
    """

    num_sites: int
    batch_size: int = 1
    site_shares: Mapping[str, float] = {}
    head_shares: Mapping[str, float] = {}
    early_steps: float = 0.0

    @classmethod
    def of_run(cls, config: Config, training: DataPosition) -> 'Setup':
        """That of a run, by its config and what it was trained on."""
        shares, counts = training.site_shares, training.head_class_counts
        own = training.site_classes or shares  # none of an unlabelled site
        labelled = [share if each else 0.0 for share, each in zip(shares, own, strict=True)]
        heads = {}
        if config.target == 'site':
            heads = {'accuracy_emotion': shares}
        elif not config.shared_head:
            heads = {f'accuracy_{k}': of for k, of in zip(config.sites, counts, strict=False)}
            # These would be the metrics of e and d; a site of that name has none of its own.
            heads.pop('accuracy_emotion', None)
            heads.pop('accuracy_dataset', None)
        elif not config.site_weights:  # otherwise a batch has other shares than the data
            heads = {'accuracy_emotion': counts[0]}
        warmup = config.warmup_epochs / config.num_epochs
        return cls(
            num_sites=len(config.sites) if 'adversary' in config.alignment else 0,
            batch_size=round(config.batch_size * sum(labelled) / sum(shares)),
            site_shares={k: x / sum(labelled) for k, x in zip(config.sites, labelled, strict=True)},
            head_shares={field: max(of) / sum(of) for field, of in heads.items() if sum(of)},
            early_steps=training.total_steps * max(warmup, _EARLY),
        )


class Watch:
    """Judges the lines of a run that goes on, after the earlier ones, and says each thing once."""

    def __init__(self, setup: Setup, earlier: Sequence[dict] = ()):
        self._setup, self._said = setup, set()
        self._lines = [line for line in earlier if line['kind'] == 'train']

    def __call__(self, step: int, figures: dict[str, float]) -> list[str]:
        """Takes the metrics of a step, and returns what of `health_warnings` is new.

        Only the last stretch is judged, so that a long run does not wait for it.
        """
        self._lines.append({'step': step} | figures)
        found = _judge(self._lines, self._setup, is_over=False)
        new = found.keys() - self._said
        self._said |= new
        return [sentence for kind, sentence in found.items() if kind in new]


def health_warnings(lines: Sequence[dict], setup: Setup) -> list[str]:
    """What went wrong in a run, in written sentences; there are none for a healthy one.

    Every judgement rests on a quarter of the run's lines, and at least 8 of them (4 where it is
    about the emotion classifiers' gradient, which may destroy a run early on); a shorter run gets
    none, and what compares the end with the first 8 lines needs 16. Figures are medians unless it
    says otherwise.

    Of the emotion classifiers:

    - **A classifier does not learn.** At the end its accuracy in training is not above the share of
      the largest class in its data, which takes no network, and not 5 points above what it was
      over the first 8 lines: weights of classes may trade accuracy for recall where one class is
      nearly all of the data. These are means, and of at least 100 samples (a deviation of 0.05):
      a small site has few in a batch, and needs more lines.
    - **The loss does not fall.** At the end it is above 95 % of what it was over the first 8 lines;
      in runs that learned, those of noisy labels too, it was below 90 % even where the first line
      came after an epoch. Its scale does not count, as class weights and margins set it. A run
      that starts low may stay there: a loss at most 10 % higher than at first is no reason to warn
      where every classifier is half way from the share of its largest class to no error.
    - **A site dominates.** Over some stretch it has at least a third of the gradient at the
      features and at least three times its share of the samples: the others, although they are
      more, hardly move the network. A harder site has somewhat more than its share anyway.
    - **One sample dominates.** Over some stretch a single one has more than 15 % of that gradient,
      and more than three times what it had if only the samples that are not recognised shared it,
      equally. In a batch of 128 from real faces the adaptive cross entropy gives one of a rare
      class up to 13 % without harm. When all but a few samples are recognised, these few have
      all of the gradient, rightly.

    Of the dataset classifier d, whose balanced accuracy b counts as skill (b - 1/K) / (1 - 1/K): 0
    for guessing and 1 for no error:

    - **d is dead.** At the end its skill is at most 0.1, which is within the noise of a batch, and
      either it names one site for at least 95 % of a batch, or nothing opposes it (lambda_1 at most
      0.05) and its loss is still at least 95 % of ln K: it has learned nothing although it could.
      Where lambda acts and d names several sites, chance is a success: it tries, and finds nothing.
      Where one site dominates the data, a plain cross entropy rewards always naming it; this looks
      like death as well, and the sentence says so.
    - **d is saturated.** At the end its skill is 0.95 or more with lambda_1 above 0.05: features
      give the site away in spite of the reversal, and a d that is so sure has little gradient left.
    - **The reversed gradient dominates.** Over some stretch its norm at the features is larger than
      that of the emotion classifiers' gradient: the features follow d more than the task.
    - **L_d diverges.** At the end it is above 1.5 ln K. A d that knows nothing stays at ln K under
      cross entropy; the adaptive cross entropy, whose weights average about 1, moves that by a few
      percent where sites are of one size, and downwards where they are not. A null counts as
      infinite.

    None of this shows that the features are free of the sites: only a fresh probe does, as
    `cda_jax.analysis.bias.measure_bias` trains it.

    Lines are as from `read_metrics`.
    """
    lines = [line for line in lines if line['kind'] == 'train']
    return list(_judge(lines, setup, is_over=True).values())


def _judge(lines: Sequence[dict], setup: Setup, *, is_over: bool) -> dict[str, str]:
    """Sentences by kind: about any stretch of a run that is over, else about the last one."""
    stretch, found = math.ceil(_STRETCH * len(lines)), {}
    size, gradient_size = max(_MIN_LINES, stretch), max(_MIN_GRADIENT_LINES, stretch)
    if len(lines) >= gradient_size:
        some = lines if is_over else lines[-gradient_size:]
        found |= of_gradient(some, gradient_size, setup.site_shares, setup.batch_size)
    end = lines[-size:]
    if len(end) < size or (not is_over and end[0]['step'] < setup.early_steps):
        return found
    samples = {
        field: setup.batch_size * setup.site_shares.get(field.removeprefix('accuracy_'), 1.0)
        for field in setup.head_shares
    }
    found |= of_learning(lines[:_MIN_LINES], end, setup.head_shares, samples)
    of_d = [line for line in (lines if is_over else end) if 'loss_dataset' in line]
    if setup.num_sites and len(of_d) >= size:
        found |= of_game(of_d, size, setup.num_sites)
    return found
