"""The bias report's figures: how much of the datasets' identity is left in frozen features."""

import itertools
from collections.abc import Sequence

import numpy as np

from cda_jax.analysis.bias.annotation import measure_annotation_bias
from cda_jax.analysis.bias.bootstrap import (
    CONFIDENCE,
    Resamples,
    draw_resamples,
    interval,
    mean_interval,
)
from cda_jax.analysis.bias.classification import classify_sites, classify_sites_within_classes
from cda_jax.analysis.bias.components import largest_components, standardised_components
from cda_jax.analysis.bias.distances import proxy_a_distance, squared_mmd
from cda_jax.analysis.bias.features_by_site import (
    check_at_least,
    check_names,
    checked_features,
    checked_groups,
    checked_numbers,
)
from cda_jax.analysis.bias.mixing import (
    PERPLEXITY,
    find_neighbours,
    lisi,
    mean_lisi_if_mixed,
    silhouettes,
)
from cda_jax.analysis.bias.probes import MIN_SITE_EXAMPLES, NUM_FOLDS, PROBES


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
) -> dict:
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
        predictions: int[N], the model's, or None.
        true_labels: int[N], what there is to see whatever the annotators said, or None.
        seed: Of every draw; the same seed gives the same figures.
        num_resamples: Of the bootstrap, at least 1.
        max_mmd_examples: Examples of a site that the discrepancy looks at, at least 2.

    Returns:
        A tree for JSON. Every estimate is `value`, `low` and `high`, or None where there is no such
        figure. `num_examples`, `num_photos`, `examples_by_site`, `settings`;
        `dataset_classification` and `within_class` (by probe, `linear` and `mlp`; as
        `classify_sites` and `classify_sites_within_classes`); `pairs` (a list with `sites`,
        `a_distance`, `mmd2`, `mmd_bandwidth`); `ilisi` and `clisi` (`estimate`, `lowest`,
        `highest`, `if_mixed`); `silhouette` (`site`, `class`); `annotation` (as
        `measure_annotation_bias`).

    Raises:
        InputError: An array has another shape or range.
    """
    features = checked_features(features)
    num_examples = len(features)
    check_names('site_names', site_names)
    check_names('class_names', class_names)
    sites = checked_numbers('sites', sites, num_examples, site_names)
    labels = checked_numbers('labels', labels, num_examples, class_names)
    if predictions is not None:
        predictions = checked_numbers('predictions', predictions, num_examples, class_names)
    if true_labels is not None:
        true_labels = checked_numbers('true_labels', true_labels, num_examples, class_names)
    check_at_least('num_resamples', num_resamples, 1)
    check_at_least('max_mmd_examples', max_mmd_examples, 2)
    groups = checked_groups(groups, num_examples)
    resamples = draw_resamples(groups, num_examples, seed=seed, num_resamples=num_resamples)
    components = standardised_components(features)
    sizes = np.bincount(sites, minlength=len(site_names))
    return {
        'num_examples': num_examples,
        'num_photos': resamples.counts.shape[1],
        'examples_by_site': dict(zip(site_names, sizes.tolist(), strict=True)),
        'settings': {
            'seed': seed,
            'resamples': num_resamples,
            'confidence': CONFIDENCE,
            'folds': NUM_FOLDS,
            'min_examples_of_a_site': MIN_SITE_EXAMPLES,
            'max_mmd_examples': max_mmd_examples,
            'perplexity': PERPLEXITY,
            'probe_components': components.shape[1],
        },
        'dataset_classification': {
            name: classify_sites(components, sites, site_names, resamples, probe, seed=seed)
            for name, probe in PROBES.items()
        },
        'within_class': {
            name: classify_sites_within_classes(
                components, sites, labels, site_names, class_names, resamples, probe, seed=seed
            )
            for name, probe in PROBES.items()
        },
        'pairs': [
            _pair(features, components, sites, pair, site_names, resamples, seed, max_mmd_examples)
            for pair in itertools.combinations(range(len(site_names)), 2)
        ],
        **_neighbourhoods(features, sites, labels, resamples, seed),
        'annotation': measure_annotation_bias(
            sites, labels, predictions, true_labels, site_names, resamples
        ),
    }


def _pair(features, components, sites, pair, site_names, resamples, seed, max_mmd_examples) -> dict:
    a_distance = proxy_a_distance(components, sites, pair, resamples, seed=seed)
    mmd, bandwidth = squared_mmd(
        features, sites, pair, resamples, seed=seed, max_examples=max_mmd_examples
    )
    return {
        'sites': [site_names[number] for number in pair],
        'a_distance': interval(a_distance),
        'mmd2': interval(mmd),
        'mmd_bandwidth': None if np.isnan(bandwidth) else bandwidth,
    }


def _neighbourhoods(features, sites, labels, resamples: Resamples, seed: int) -> dict:
    reduced = largest_components(features, seed=seed)
    neighbours = find_neighbours(reduced)
    return {
        'ilisi': _mixing(neighbours, sites, resamples, seed),
        'clisi': _mixing(neighbours, labels, resamples, seed),
        'silhouette': {
            'components': reduced.shape[1],
            'site': _silhouette(reduced, sites, resamples),
            'class': _silhouette(reduced, labels, resamples),
        },
    }


def _mixing(neighbours, categories, resamples, seed) -> dict | None:
    num_categories = len(np.unique(categories))
    if num_categories < 2:
        return None
    everything = np.ones(len(categories), bool)
    levels = mean_lisi_if_mixed(neighbours, categories, seed=seed)
    return {
        'estimate': mean_interval(lisi(neighbours, categories), everything, resamples),
        'lowest': 1,
        'highest': num_categories,
        'if_mixed': interval(np.concatenate([[levels.mean()], levels])),
    }


def _silhouette(reduced, categories, resamples) -> dict | None:
    if not 2 <= len(np.unique(categories)) < len(categories):
        return None
    everything = np.ones(len(categories), bool)
    return mean_interval(silhouettes(reduced, categories), everything, resamples)
