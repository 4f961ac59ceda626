"""Fresh classifiers that try to tell the sites apart by frozen features."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neural_network import MLPClassifier

NUM_FOLDS = 5
MIN_SITE_EXAMPLES = 20

# Makes an unfitted classifier for so many training examples and features, and a seed.
BuildProbe = Callable[[int, int, int], ClassifierMixin]


class Guesses(NamedTuple):
    """What probes say about examples that they were not trained on.

    Attributes:
        rows: int[n], the examples, as numbers of rows.
        site_numbers: int[K'], the sites that take part.
        truth: int[n], the site, as a position in `site_numbers`.
        likeliest: int[n], the most probable site where sites are as frequent as in training: the
            choice for accuracy.
        balanced: int[n], the most probable one if all sites were equally frequent: the choice for
            balanced accuracy.
    """

    rows: np.ndarray
    site_numbers: np.ndarray
    truth: np.ndarray
    likeliest: np.ndarray
    balanced: np.ndarray


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
    # At least ten steps an epoch, however few the examples; and a weight decay per step that does
    # not depend on the batch, by whose size scikit-learn divides it.
    batch_size = int(np.clip(num_examples // 10, 1, 200))
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


def cross_fit(
    features: np.ndarray,
    sites: np.ndarray,
    groups: np.ndarray,
    counted: np.ndarray,
    build_probe: BuildProbe,
    *,
    seed: int,
) -> Guesses | None:
    """Has every example's site guessed by a probe that saw neither it nor its photo.

    Five folds, stratified by site. The balanced choice divides the probabilities by the sites'
    shares in training (Saerens et al. 2002, equation 2.4, with equal new priors).

    Args:
        features: float32[N, D], of variance about 1, as from `standardised_components`.
        sites: int[N].
        groups: int[N], the photo of each example.
        counted: bool[N], which examples take part.
        build_probe: One of `PROBES`.
        seed: Of the folds and the perceptron.

    Returns:
        The guesses, or None if fewer than two sites have `MIN_SITE_EXAMPLES` examples from as many
        photos as there are folds, at least. A site that has not is left out.
    """
    site_numbers = _large_enough(sites[counted], groups[counted])
    if len(site_numbers) < 2:
        return None
    rows = np.flatnonzero(counted & np.isin(sites, site_numbers))
    truth = np.searchsorted(site_numbers, sites[rows])
    likeliest, balanced = np.empty_like(truth), np.empty_like(truth)
    folds = StratifiedGroupKFold(NUM_FOLDS, shuffle=True, random_state=seed)
    for seen, unseen in folds.split(rows, truth, groups[rows]):
        probe = build_probe(len(seen), features.shape[1], seed)
        probabilities = _fit_and_predict(
            probe, features[rows[seen]], truth[seen], features[rows[unseen]]
        )
        shares = np.bincount(truth[seen])[probe.classes_] / len(seen)
        likeliest[unseen] = probe.classes_[probabilities.argmax(axis=1)]
        balanced[unseen] = probe.classes_[(probabilities / shares).argmax(axis=1)]
    return Guesses(rows, site_numbers, truth, likeliest, balanced)


def _large_enough(sites, groups) -> np.ndarray:
    numbers, sizes = np.unique(sites, return_counts=True)
    photos = np.array([len(np.unique(groups[sites == number])) for number in numbers])
    return numbers[(sizes >= MIN_SITE_EXAMPLES) & (photos >= NUM_FOLDS)]


def _fit_and_predict(probe, features, targets, unseen_features) -> np.ndarray:
    # Matrix products of some BLAS libraries now and then raise the processor's flag for invalid
    # numbers on good ones; so the result is checked instead.
    with warnings.catch_warnings(), np.errstate(invalid='ignore'):
        # The perceptron's number of epochs is part of its definition, not a failure.
        warnings.simplefilter('ignore', ConvergenceWarning)
        probabilities = probe.fit(features, targets).predict_proba(unseen_features)
    if not np.isfinite(probabilities).all():
        raise FloatingPointError('a probe of the sites gave probabilities that are not finite')
    return probabilities
