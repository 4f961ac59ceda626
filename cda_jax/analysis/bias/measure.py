"""The bias report's figures: how much of the datasets' identity is left in frozen features."""

import itertools
from collections.abc import Sequence

import numpy as np

from cda_jax.analysis.bias.annotation import measure_annotation_bias
from cda_jax.analysis.bias.bootstrap import CONFIDENCE, draw_resamples, interval, mean_interval
from cda_jax.analysis.bias.checks import check_names, checked_features, checked_numbers
from cda_jax.analysis.bias.classification import (
    Probing,
    classify_sites,
    classify_sites_within_classes,
    proxy_a_distance,
)
from cda_jax.analysis.bias.components import largest_components, standardised_components
from cda_jax.analysis.bias.discrepancy import squared_mmd
from cda_jax.analysis.bias.mixing import (
    PERPLEXITY,
    find_neighbours,
    lisi,
    mean_lisi_if_mixed,
    silhouettes,
)
from cda_jax.analysis.bias.probes import (
    MIN_SITE_EXAMPLES,
    NUM_FOLDS,
    PROBES,
    linear_probe,
    make_folds,
)
from cda_jax.analysis.bias.report import (
    BiasReport,
    ByProbe,
    Mixing,
    Settings,
    Silhouettes,
    SitePair,
)
from cda_jax.errors import InputError


def measure_bias(
    features: np.ndarray,
    sites: np.ndarray,
    labels: np.ndarray,
    *,
    site_names: Sequence[str],
    class_names: Sequence[str],
    groups: np.ndarray | None = None,
    predictions: np.ndarray | None = None,
    true_labels: np.ndarray | None = None,
    seed: int = 0,
    num_resamples: int = 1000,
    max_mmd_examples: int = 500,
) -> BiasReport:
    """Measures dataset bias in features of held-out data; docs/bias.md explains every figure.

    Intervals are 95 % percentile intervals over resampled photos. They resample the examples'
    scores; probes, components and kernels are fitted once.

    Args:
        features: float32[N, D], N at least 20, finite, not all rows the same.
        sites: int[N], 0 to K - 1.
        labels: int[N], 0 to C - 1, as annotated.
        site_names: K.
        class_names: C.
        groups: uint64[N], the photo of each example; faces of one photo stay on one side of every
            split. None: each example is a photo of its own.
        predictions: int[N], the model's, where they are known.
        true_labels: int[N], what there is to see whatever the annotators said, where it is known.
        seed: Decides every draw; the same seed gives the same figures.
        num_resamples: At least 1.
        max_mmd_examples: So many examples of a site the discrepancy looks at, at least 2.

    Raises:
        InputError: An array has another shape or range.
    """
    features = checked_features(features)
    num_examples = len(features)
    check_names('site_names', site_names)
    check_names('class_names', class_names)
    sites = checked_numbers('sites', sites, num_examples, site_names)
    labels = checked_numbers('labels', labels, num_examples, class_names)
    predictions = checked_numbers('predictions', predictions, num_examples, class_names)
    true_labels = checked_numbers('true_labels', true_labels, num_examples, class_names)
    if groups is not None and np.shape(groups) != (num_examples,):
        raise InputError(
            f'groups: shape {np.shape(groups)}, expected ({num_examples},), one for each row of '
            'features'
        )
    if num_resamples < 1 or max_mmd_examples < 2:
        raise InputError(
            f'num_resamples: {num_resamples}, max_mmd_examples: {max_mmd_examples}; expected at '
            'least 1 and 2'
        )
    resamples = draw_resamples(groups, num_examples, seed=seed, num_resamples=num_resamples)
    components = standardised_components(features)
    probing = Probing(components, site_names, resamples, seed)

    def folds_of(counted):
        return make_folds(sites, resamples.group, counted, seed=seed)

    def measure_pair(pair):
        of_two_sites = classify_sites(probing, folds_of(np.isin(sites, pair)), linear_probe)
        mmd, bandwidth = squared_mmd(
            features, sites, pair, resamples, seed=seed, max_examples=max_mmd_examples
        )
        return SitePair(
            sites=(site_names[pair[0]], site_names[pair[1]]),
            a_distance=proxy_a_distance(of_two_sites),
            mmd2=interval(mmd),
            mmd_bandwidth=None if np.isnan(bandwidth) else bandwidth,
        )

    # To make folds takes about as long as to train a probe: both kinds of probe share them.
    folds = folds_of(np.ones(num_examples, bool))
    folds_of_classes = {name: folds_of(labels == i) for i, name in enumerate(class_names)}
    return BiasReport(
        num_examples=num_examples,
        num_photos=resamples.counts.shape[1],
        examples_by_site={name: int((sites == i).sum()) for i, name in enumerate(site_names)},
        settings=Settings(
            seed=seed,
            resamples=num_resamples,
            confidence=CONFIDENCE,
            folds=NUM_FOLDS,
            min_examples_of_a_site=MIN_SITE_EXAMPLES,
            max_mmd_examples=max_mmd_examples,
            perplexity=PERPLEXITY,
            probe_components=components.shape[1],
        ),
        dataset_classification=ByProbe(
            **{name: classify_sites(probing, folds, probe) for name, probe in PROBES.items()}
        ),
        within_class=ByProbe(
            **{
                name: classify_sites_within_classes(probing, folds_of_classes, probe)
                for name, probe in PROBES.items()
            }
        ),
        pairs=tuple(map(measure_pair, itertools.combinations(range(len(site_names)), 2))),
        **_neighbourhoods(features, sites, labels, resamples, seed),
        annotation=measure_annotation_bias(
            sites, labels, predictions, true_labels, site_names, resamples
        ),
    )


def _neighbourhoods(features, sites, labels, resamples, seed) -> dict:
    reduced = largest_components(features, seed=seed)
    neighbours = find_neighbours(reduced)

    def mixing(categories):
        num_categories = len(np.unique(categories))
        if num_categories < 2:
            return None
        levels = mean_lisi_if_mixed(neighbours, categories, seed=seed)
        return Mixing(
            estimate=mean_interval(lisi(neighbours, categories), resamples),
            lowest=1,
            highest=num_categories,
            if_mixed=interval(np.concatenate([[levels.mean()], levels])),
        )

    def silhouette(categories):
        if not 2 <= len(np.unique(categories)) < len(categories):
            return None
        return mean_interval(silhouettes(reduced, categories), resamples)

    return {
        'ilisi': mixing(sites),
        'clisi': mixing(labels),
        'silhouette': Silhouettes(
            components=reduced.shape[1], site=silhouette(sites), class_=silhouette(labels)
        ),
    }
