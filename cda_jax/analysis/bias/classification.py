"""Name that dataset: how well a fresh probe tells the sites apart, overall and within classes."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.metrics import confusion_matrix

from cda_jax.analysis.bias.bootstrap import Resamples, interval, mean_of_present, stratum_means
from cda_jax.analysis.bias.probes import BuildProbe, Folds, cross_fit
from cda_jax.analysis.bias.report import Estimate, SiteClassification, WithinClassClassification


class Probing(NamedTuple):
    """What all probes of one measurement share; `features` are as `cross_fit` wants them."""

    features: np.ndarray
    site_names: Sequence[str]
    resamples: Resamples
    seed: int = 0


def classify_sites(
    probing: Probing, folds: Folds | None, build_probe: BuildProbe
) -> SiteClassification | None:
    """K-way dataset classification by a fresh probe; None where there are no folds.

    Source: Torralba and Efros, Unbiased Look at Dataset Bias (2011), "Name That Dataset!".
    """
    return folds and _judge(probing, folds, build_probe)[0]


def classify_sites_within_classes(
    probing: Probing, folds_of_classes: Mapping[str, Folds | None], build_probe: BuildProbe
) -> WithinClassClassification:
    """The same with a probe for each class, so that label shift does not pose as bias."""
    judged = {
        name: _judge(probing, folds, build_probe)
        for name, folds in folds_of_classes.items()
        if folds
    }
    classes = {name: figures for name, (figures, *_) in judged.items()}
    left_out = tuple(name for name in folds_of_classes if name not in judged)
    if not judged:
        return WithinClassClassification(None, None, None, None, classes, left_out)
    _, *accuracies = zip(*judged.values(), strict=True)
    means = [interval(mean_of_present(np.stack(of_classes, axis=-1))) for of_classes in accuracies]
    without_skill = [(figures.chance, figures.majority_rate) for figures in classes.values()]
    rates = np.mean(without_skill, axis=0).tolist()
    return WithinClassClassification(*means, *rates, classes, left_out)


def proxy_a_distance(of_two_sites: SiteClassification | None) -> Estimate | None:
    """2 (1 - 2 err), where err is the balanced error of a fresh linear probe on two sites.

    0 where the probe does no better than a coin, 2 where it makes no error.

    Source: Ben-David et al., Analysis of Representations for Domain Adaptation (2007).
    """
    if of_two_sites is None:
        return None
    accuracy = of_two_sites.balanced_accuracy
    return Estimate(*(2 * (1 - 2 * (1 - x)) for x in (accuracy.value, accuracy.low, accuracy.high)))


def _judge(
    probing: Probing, folds: Folds, build_probe: BuildProbe
) -> tuple[SiteClassification, np.ndarray, np.ndarray]:
    """Figures of one probe; its accuracy and balanced accuracy, float64[1 + B] as in `interval`."""
    guesses = cross_fit(probing.features, folds, build_probe, seed=probing.seed)
    rows, truth, num_sites = folds.rows, folds.truth, len(folds.site_numbers)
    likeliest_right, balanced_right = guesses.likeliest == truth, guesses.balanced == truth
    as_one = np.zeros_like(truth)
    accuracy = stratum_means(likeliest_right, as_one, 1, rows, probing.resamples)[:, 0]
    by_site = stratum_means(balanced_right, truth, num_sites, rows, probing.resamples)
    balanced_accuracy = mean_of_present(by_site)
    confusion = confusion_matrix(truth, guesses.balanced, labels=range(num_sites))
    figures = SiteClassification(
        sites=tuple(probing.site_names[number] for number in folds.site_numbers),
        accuracy=interval(accuracy),
        balanced_accuracy=interval(balanced_accuracy),
        chance=1 / num_sites,
        majority_rate=float(np.bincount(truth).max() / len(truth)),
        confusion=tuple(map(tuple, confusion.tolist())),
    )
    return figures, accuracy, balanced_accuracy
