"""Name that dataset: how well a fresh probe tells the sites apart, overall and within classes."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cda_jax.analysis.bias.bootstrap import Resamples, interval, mean_of_present, stratum_means
from cda_jax.analysis.bias.probes import BuildProbe, Guesses, cross_fit


class _Figures(NamedTuple):
    """float64[1 + B] each, of the data and of the resamples; and what no skill would give."""

    accuracy: np.ndarray
    balanced_accuracy: np.ndarray
    chance: float
    majority_rate: float


def balanced_accuracy(guesses: Guesses, resamples: Resamples) -> np.ndarray:
    """Mean over the sites of the share of their examples that the balanced choice got right.

    Args:
        guesses: Of `cross_fit`.
        resamples: Of `draw_resamples`.

    Returns:
        float64[1 + B].
    """
    hits, strata = _spread(guesses, guesses.balanced, resamples)
    return mean_of_present(stratum_means(hits, strata, len(guesses.site_numbers), resamples))


def classify_sites(
    features: np.ndarray,
    sites: np.ndarray,
    site_names: Sequence[str],
    resamples: Resamples,
    build_probe: BuildProbe,
    *,
    seed: int,
) -> dict | None:
    """K-way dataset classification by a fresh probe.

    Source: Torralba and Efros, Unbiased Look at Dataset Bias (2011), "Name That Dataset!".

    Args:
        features: float32[N, D], as `cross_fit` wants them.
        sites: int[N].
        site_names: K.
        resamples: Of `draw_resamples`.
        build_probe: One of `PROBES`.
        seed: Of the folds and the perceptron.

    Returns:
        A tree for JSON: `sites` (the K' that take part), `accuracy` and `balanced_accuracy` with
        intervals, `chance` (1 / K', of balanced accuracy), `majority_rate` (of accuracy) and
        `confusion` (int[K', K'], rows are the true sites, of the balanced choice). None if fewer
        than two sites have enough examples.
    """
    everything = np.ones(len(sites), bool)
    guesses = cross_fit(features, sites, resamples.group, everything, build_probe, seed=seed)
    return None if guesses is None else _as_tree(guesses, _figures(guesses, resamples), site_names)


def classify_sites_within_classes(
    features: np.ndarray,
    sites: np.ndarray,
    labels: np.ndarray,
    site_names: Sequence[str],
    class_names: Sequence[str],
    resamples: Resamples,
    build_probe: BuildProbe,
    *,
    seed: int,
) -> dict:
    """The same with a probe for each class, so that label shift does not pose as bias.

    Args:
        features: float32[N, D], as `cross_fit` wants them.
        sites: int[N].
        labels: int[N].
        site_names: K.
        class_names: C.
        resamples: Of `draw_resamples`.
        build_probe: One of `PROBES`.
        seed: Of the folds and the perceptron.

    Returns:
        A tree for JSON: `accuracy` and `balanced_accuracy` with intervals, `chance` and
        `majority_rate`, all unweighted means over the classes, or None without any; `classes` (by
        name, as `classify_sites`), and `left_out`, the names of the classes of which fewer than
        two sites have enough examples.
    """
    classes, figures, left_out = {}, [], []
    for number, name in enumerate(class_names):
        guesses = cross_fit(
            features, sites, resamples.group, labels == number, build_probe, seed=seed
        )
        if guesses is None:
            left_out.append(name)
            continue
        figures.append(_figures(guesses, resamples))
        classes[name] = _as_tree(guesses, figures[-1], site_names)
    return {**_average(figures), 'classes': classes, 'left_out': left_out}


def _spread(guesses, choice, resamples):
    """The hits and the sites of the examples that take part, among all examples."""
    num_examples = len(resamples.group)
    hits, strata = np.zeros(num_examples), np.full(num_examples, -1)
    hits[guesses.rows] = choice == guesses.truth
    strata[guesses.rows] = guesses.truth
    return hits, strata


def _figures(guesses: Guesses, resamples: Resamples) -> _Figures:
    hits, strata = _spread(guesses, guesses.likeliest, resamples)
    return _Figures(
        accuracy=stratum_means(hits, np.minimum(strata, 0), 1, resamples)[:, 0],
        balanced_accuracy=balanced_accuracy(guesses, resamples),
        chance=1 / len(guesses.site_numbers),
        majority_rate=float(np.bincount(guesses.truth).max() / len(guesses.truth)),
    )


def _as_tree(guesses: Guesses, figures: _Figures, site_names: Sequence[str]) -> dict:
    num_sites = len(guesses.site_numbers)
    cells = guesses.truth * num_sites + guesses.balanced
    confusion = np.bincount(cells, minlength=num_sites**2).reshape(num_sites, num_sites)
    return {
        'sites': [site_names[number] for number in guesses.site_numbers],
        'accuracy': interval(figures.accuracy),
        'balanced_accuracy': interval(figures.balanced_accuracy),
        'chance': figures.chance,
        'majority_rate': figures.majority_rate,
        'confusion': confusion.tolist(),
    }


def _average(figures: list[_Figures]) -> dict:
    if not figures:
        return dict.fromkeys(_Figures._fields)
    columns = _Figures(*zip(*figures, strict=True))
    return {
        'accuracy': interval(mean_of_present(np.stack(columns.accuracy, axis=-1))),
        'balanced_accuracy': interval(
            mean_of_present(np.stack(columns.balanced_accuracy, axis=-1))
        ),
        'chance': float(np.mean(columns.chance)),
        'majority_rate': float(np.mean(columns.majority_rate)),
    }
