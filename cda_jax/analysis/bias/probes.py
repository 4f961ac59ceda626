"""Name that dataset: how well fresh probes tell the sites apart, overall and within classes."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.neural_network import MLPClassifier

from cda_jax.analysis.bias.bootstrap import Resamples, interval, mean_of_present, stratum_means
from cda_jax.analysis.bias.report import Estimate, SiteClassification, WithinClassClassification

NUM_FOLDS = 5
MIN_SITE_EXAMPLES = 20

# Makes an unfitted classifier from the numbers of training examples and of features, and a seed.
BuildProbe = Callable[[int, int, int], ClassifierMixin]


def linear_probe(num_examples: int, num_features: int, seed: int) -> ClassifierMixin:
    """Logistic regression.

    The ridge is that of C = 1 on features scaled to a mean squared length of 1, so that it means
    the same for any number of features of variance 1. The loss is a sum over examples already, and
    its minimum is unique.
    """
    return LogisticRegression(C=1 / num_features, max_iter=500, tol=1e-3)


def mlp_probe(num_examples: int, num_features: int, seed: int) -> ClassifierMixin:
    """A perceptron with one hidden layer of 64, trained for 15 epochs of Adam."""
    # Batches of about one size, 200 at most and at least ten per epoch, because Adam's step is as
    # long for a batch of one; and a weight decay per step that does not depend on the batch, by
    # whose size scikit-learn divides it.
    batch_size = -(-num_examples // max(10, -(-num_examples // 200)))
    return MLPClassifier(
        (64,),
        alpha=0.05 * batch_size,
        batch_size=batch_size,
        learning_rate_init=5e-3,
        max_iter=15,
        n_iter_no_change=15,
        random_state=seed,
    )


class Probing(NamedTuple):
    """What all probes of one measurement share, of each of N examples where it is an array."""

    features: np.ndarray  # float32[N, D] of variance about 1, as from `standardised_components`
    sites: np.ndarray  # int[N], places in `site_names`
    fold: np.ndarray  # int[N], as from `deal`
    site_names: Sequence[str]
    resamples: Resamples
    seed: int = 0


def deal(strata: np.ndarray, groups: np.ndarray, *, seed: int) -> np.ndarray:
    """Deals examples into five folds, int[N], each stratum evenly, all faces of a photo into one.

    Photos are dealt in random order, those with many faces first, each into the fold that has the
    fewest examples of its strata, and among such the fewest in all. A subset of strata is dealt
    evenly as well.

    Strata, 0 to S - 1, and groups, the photos, 0 to G - 1, are int[N].
    """
    sizes = np.bincount(groups)
    of_photo = np.split(strata[np.argsort(groups, kind='stable')], np.cumsum(sizes)[:-1])
    in_stratum = [[0] * NUM_FOLDS for _ in range(strata.max() + 1)]
    in_all, fold = [0] * NUM_FOLDS, np.empty_like(sizes)
    shuffled = np.random.default_rng(seed).permutation(len(sizes))
    for photo in shuffled[np.argsort(-sizes[shuffled], kind='stable')].tolist():
        counts = [in_stratum[stratum] for stratum in of_photo[photo].tolist()]
        fold[photo] = chosen = min(
            range(NUM_FOLDS), key=lambda k: (sum(count[k] for count in counts), in_all[k])
        )
        for count in (*counts, in_all):
            count[chosen] += 1
    return fold[groups]


def classify_sites(
    probing: Probing, build_probe: BuildProbe, counted: np.ndarray
) -> tuple[SiteClassification, np.ndarray, np.ndarray] | None:
    """K-way dataset classification by a fresh probe of the examples that are counted, bool[N].

    A site takes part with at least 20 examples from at least five photos.

    Source: Torralba and Efros, Unbiased Look at Dataset Bias (2011), "Name That Dataset!".

    Returns:
        The figures; accuracy and balanced accuracy once more, float64[1 + B] as in `interval`. None
        where fewer than two sites take part.
    """
    resamples, sites = probing.resamples, probing.sites
    numbers, sizes = np.unique(sites[counted], return_counts=True)
    photos = [len(np.unique(resamples.group[counted & (sites == number)])) for number in numbers]
    numbers = numbers[(sizes >= MIN_SITE_EXAMPLES) & (np.array(photos) >= NUM_FOLDS)]
    if len(numbers) < 2:
        return None
    rows = np.flatnonzero(counted & np.isin(sites, numbers))
    truth = np.searchsorted(numbers, sites[rows])
    likeliest, balanced = cross_fit(probing, rows, truth, build_probe)
    as_one = np.zeros_like(truth)
    accuracy = stratum_means(likeliest == truth, as_one, 1, rows, resamples)[:, 0]
    by_site = stratum_means(balanced == truth, truth, len(numbers), rows, resamples)
    balanced_accuracy = mean_of_present(by_site)
    figures = SiteClassification(
        sites=tuple(probing.site_names[number] for number in numbers),
        accuracy=interval(accuracy),
        balanced_accuracy=interval(balanced_accuracy),
        chance=1 / len(numbers),
        majority_rate=float(np.bincount(truth).max() / len(truth)),
        confusion=tuple(map(tuple, confusion_matrix(truth, balanced).tolist())),
    )
    return figures, accuracy, balanced_accuracy


def classify_sites_within_classes(
    probing: Probing, build_probe: BuildProbe, of_class: Mapping[str, np.ndarray]
) -> WithinClassClassification:
    """The same with a probe for each class, of bool[N], so that label shift is not seen as bias."""
    found = {name: classify_sites(probing, build_probe, rows) for name, rows in of_class.items()}
    judged = {name: each for name, each in found.items() if each}
    classes = {name: figures for name, (figures, *_) in judged.items()}
    left_out = tuple(name for name in found if name not in judged)
    if not judged:
        return WithinClassClassification(None, None, None, None, classes, left_out)
    _, *accuracies = zip(*judged.values(), strict=True)
    means = [interval(mean_of_present(np.stack(of_classes, axis=-1))) for of_classes in accuracies]
    without_skill = [(figures.chance, figures.majority_rate) for figures in classes.values()]
    rates = np.mean(without_skill, axis=0).tolist()
    return WithinClassClassification(*means, *rates, classes, left_out)


def proxy_a_distance(balanced_accuracy: Estimate) -> Estimate:
    """2 (1 - 2 err), where err is the balanced error of a fresh linear probe on two sites.

    0 where the probe does no better than a coin, 2 where it makes no error.

    Source: Ben-David et al., Analysis of Representations for Domain Adaptation (2007).
    """
    found = balanced_accuracy
    return Estimate(*(2 * (1 - 2 * (1 - x)) for x in (found.value, found.low, found.high)))


def cross_fit(
    probing: Probing, rows: np.ndarray, truth: np.ndarray, build_probe: BuildProbe
) -> tuple[np.ndarray, np.ndarray]:
    """Has every example's site guessed by a probe that saw neither it nor its photo.

    Of the n examples in these rows, the truth is int[n], 0 to K' - 1.

    Returns:
        int[n] each: the likeliest site where sites are as frequent as in training, and if all were
        equally frequent. The latter divides the probabilities by the sites' shares in training
        (Saerens et al. 2002, equation 2.4, with equal new priors).
    """
    features, fold = probing.features[rows], probing.fold[rows]
    likeliest, balanced = np.empty_like(truth), np.empty_like(truth)
    for number in np.unique(fold):
        unseen, seen = fold == number, fold != number
        num_seen = np.count_nonzero(seen)
        probe = build_probe(num_seen, features.shape[1], probing.seed)
        # Matrix products of some BLAS libraries now and then raise the processor's flag for invalid
        # numbers on good ones; so the result is checked instead.
        with warnings.catch_warnings(), np.errstate(invalid='ignore'):
            # The perceptron's number of epochs is part of its definition, not a failure.
            warnings.simplefilter('ignore', ConvergenceWarning)
            probe.fit(features[seen], truth[seen])
            probabilities = probe.predict_proba(features[unseen])
        if not np.isfinite(probabilities).all():
            raise FloatingPointError('a probe of the sites gave probabilities that are not finite')
        shares = np.bincount(truth[seen])[probe.classes_] / num_seen
        likeliest[unseen] = probe.classes_[probabilities.argmax(axis=1)]
        balanced[unseen] = probe.classes_[(probabilities / shares).argmax(axis=1)]
    return likeliest, balanced
