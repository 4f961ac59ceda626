"""Fresh classifiers that try to tell the sites apart by frozen features."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

NUM_FOLDS = 5
MIN_SITE_EXAMPLES = 20

# Makes an unfitted classifier from the numbers of training examples and of features, and a seed.
BuildProbe = Callable[[int, int, int], ClassifierMixin]


def linear_probe(num_examples: int, num_features: int, seed: int) -> ClassifierMixin:
    """Logistic regression.

    The ridge is that of C = 1 on features scaled to a mean squared length of 1, so that it means
    the same for any number of features of variance 1.
    """
    del num_examples, seed  # The loss is a sum over examples already, and its minimum is unique.
    return LogisticRegression(C=1 / num_features, max_iter=500, tol=1e-3)


def mlp_probe(num_examples: int, num_features: int, seed: int) -> ClassifierMixin:
    """A perceptron with one hidden layer of 64, trained for 15 epochs of Adam."""
    del num_features
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


PROBES: dict[str, BuildProbe] = {'linear': linear_probe, 'mlp': mlp_probe}


class Folds(NamedTuple):
    """Examples, dealt into parts that are left out of the training of a probe in turn."""

    rows: np.ndarray  # int[n], which examples take part
    site_numbers: np.ndarray  # int[K'], which sites
    truth: np.ndarray  # int[n], the site, as a place in `site_numbers`
    number: np.ndarray  # int[n], the fold that it is in


class Guesses(NamedTuple):
    """int[n] each: the sites that probes name for examples that they were not trained on."""

    likeliest: np.ndarray  # where sites are as frequent as in training
    balanced: np.ndarray  # if all sites were equally frequent


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


def make_folds(
    sites: np.ndarray, groups: np.ndarray, dealt: np.ndarray, counted: np.ndarray
) -> Folds | None:
    """Makes folds of the examples that are counted, bool[N].

    A site takes part with at least `MIN_SITE_EXAMPLES` examples from as many photos as there are
    folds; with fewer than two such sites there are no folds. Each example has its site, group
    (photo) and, by `deal`, fold, int[N].
    """
    numbers, sizes = np.unique(sites[counted], return_counts=True)
    photos = [len(np.unique(groups[counted & (sites == number)])) for number in numbers]
    site_numbers = numbers[(sizes >= MIN_SITE_EXAMPLES) & (np.array(photos) >= NUM_FOLDS)]
    if len(site_numbers) < 2:
        return None
    rows = np.flatnonzero(counted & np.isin(sites, site_numbers))
    return Folds(rows, site_numbers, np.searchsorted(site_numbers, sites[rows]), dealt[rows])


def cross_fit(features: np.ndarray, folds: Folds, build_probe: BuildProbe, *, seed: int) -> Guesses:
    """Has every example's site guessed by a probe that saw neither it nor its photo.

    The balanced choice divides the probabilities by the sites' shares in training (Saerens et al.
    2002, equation 2.4, with equal new priors). Features are float32[N, D] of variance about 1, as
    from `standardised_components`.
    """
    truth = folds.truth
    likeliest, balanced = np.empty_like(truth), np.empty_like(truth)
    for number in np.unique(folds.number):
        unseen, seen = folds.number == number, folds.number != number
        num_seen = np.count_nonzero(seen)
        probe = build_probe(num_seen, features.shape[1], seed)
        # Matrix products of some BLAS libraries now and then raise the processor's flag for invalid
        # numbers on good ones; so the result is checked instead.
        with warnings.catch_warnings(), np.errstate(invalid='ignore'):
            # The perceptron's number of epochs is part of its definition, not a failure.
            warnings.simplefilter('ignore', ConvergenceWarning)
            probe.fit(features[folds.rows[seen]], truth[seen])
            probabilities = probe.predict_proba(features[folds.rows[unseen]])
        if not np.isfinite(probabilities).all():
            raise FloatingPointError('a probe of the sites gave probabilities that are not finite')
        shares = np.bincount(truth[seen])[probe.classes_] / num_seen
        likeliest[unseen] = probe.classes_[probabilities.argmax(axis=1)]
        balanced[unseen] = probe.classes_[(probabilities / shares).argmax(axis=1)]
    return Guesses(likeliest, balanced)
