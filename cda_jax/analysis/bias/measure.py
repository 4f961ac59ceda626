"""The bias report's figures: how much of the datasets' identity is left in frozen features."""

import itertools
from collections.abc import Sequence

import numpy as np

from cda_jax.analysis.bias import bootstrap, discrepancy, mixing, probes, report
from cda_jax.analysis.bias.bootstrap import Resamples, interval, mean_interval
from cda_jax.analysis.bias.components import largest_components, standardised_components
from cda_jax.errors import InputError

_MIN_EXAMPLES = 20


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
) -> report.BiasReport:
    """Measures dataset bias in features of held-out data; docs/bias.md explains every figure.

    Intervals are 95 % percentile intervals over resampled photos. They resample the examples'
    scores; probes, components and kernels are fitted once.

    Args:
        features: float32[N, D], N at least 20, finite, not all rows the same.
        sites: int[N], places in `site_names`.
        labels: int[N], places in `class_names`, as annotated.
        groups: uint64[N], the photo of each example; faces of one photo stay on one side of every
            split. None: each example is a photo of its own.
        predictions: int[N], the model's, where they are known.
        true_labels: int[N], what there is to see whatever the annotators said, where it is known.
        seed: Decides every draw; the same seed gives the same figures.
        num_resamples: At least 1.

    Raises InputError if an array has another shape or range.
    """
    features = _checked_features(features)
    n = len(features)
    for field, names in {'site_names': site_names, 'class_names': class_names}.items():
        if len(set(names)) < len(names):
            twice = next(name for name in names if list(names).count(name) > 1)
            raise InputError(f'{field}: {twice!r} is there twice, expected different names')
    sites = _checked_numbers('sites', sites, n, site_names)
    labels = _checked_numbers('labels', labels, n, class_names)
    predictions = _checked_numbers('predictions', predictions, n, class_names)
    true_labels = _checked_numbers('true_labels', true_labels, n, class_names)
    if groups is not None and np.shape(groups) != (n,):
        raise InputError(f'groups: shape {np.shape(groups)}, expected ({n},), one for each row')
    if num_resamples < 1:
        raise InputError(f'num_resamples: {num_resamples}, expected at least 1')
    resamples = bootstrap.draw_resamples(groups, n, seed=seed, num_resamples=num_resamples)
    components = standardised_components(features)
    fold = probes.deal(sites * len(class_names) + labels, resamples.group, seed=seed)
    probing = probes.Probing(components, sites, fold, site_names, resamples, seed)
    everyone = np.ones(n, bool)

    def by_probe(measure):
        linear, mlp = (measure(build) for build in (probes.linear_probe, probes.mlp_probe))
        return report.ByProbe(linear, mlp)

    def classify(build_probe, counted=everyone):
        found = probes.classify_sites(probing, build_probe, counted)
        return found and found[0]

    def classify_within_classes(build_probe):
        of_class = {name: labels == number for number, name in enumerate(class_names)}
        return probes.classify_sites_within_classes(probing, build_probe, of_class)

    def measure_pair(pair):
        of_two = classify(probes.linear_probe, np.isin(sites, pair))
        mmd2, sigma = discrepancy.squared_mmd(features, sites, pair, resamples, seed)
        names = site_names[pair[0]], site_names[pair[1]]
        distance = of_two and probes.proxy_a_distance(of_two.balanced_accuracy)
        return report.SitePair(names, distance, interval(mmd2), sigma)

    return report.BiasReport(
        num_examples=n,
        num_photos=resamples.counts.shape[1],
        examples_by_site={name: int((sites == i).sum()) for i, name in enumerate(site_names)},
        settings=report.MeasureSettings(
            seed=seed,
            resamples=num_resamples,
            confidence=bootstrap.CONFIDENCE,
            folds=probes.NUM_FOLDS,
            min_examples_of_a_site=probes.MIN_SITE_EXAMPLES,
            max_mmd_examples=discrepancy.MAX_EXAMPLES,
            perplexity=mixing.PERPLEXITY,
            probe_components=components.shape[1],
        ),
        dataset_classification=by_probe(classify),
        within_class=by_probe(classify_within_classes),
        pairs=tuple(map(measure_pair, itertools.combinations(range(len(site_names)), 2))),
        **_neighbourhoods(features, sites, labels, resamples, seed),
        annotation=_annotation(sites, labels, predictions, true_labels, site_names, resamples),
    )


def _neighbourhoods(features, sites, labels, resamples: Resamples, seed: int) -> dict:
    reduced = largest_components(features)
    neighbours = mixing.find_neighbours(reduced)

    def mix(categories):
        num_categories = len(np.unique(categories))
        if num_categories < 2:
            return None
        levels = mixing.mean_lisi_if_mixed(neighbours, categories, seed=seed)
        found = mean_interval(mixing.lisi(neighbours, categories), resamples)
        return report.Mixing(found, 1, num_categories, interval(np.r_[levels.mean(), levels]))

    def silhouette(categories):
        scores = mixing.silhouettes(reduced, categories)
        return None if scores is None else mean_interval(scores, resamples)

    found = report.Silhouettes(reduced.shape[1], silhouette(sites), silhouette(labels))
    return {'ilisi': mix(sites), 'clisi': mix(labels), 'silhouette': found}


def _annotation(sites, labels, predictions, true_labels, site_names, resamples: Resamples):
    """Compares what the model and the annotators say with the truth, as far as it is known."""

    def agreement(left, right, rows):
        is_known = all(array is not None for array in (left, right, rows))
        return mean_interval(left == right, resamples, rows) if is_known else None

    def compare(counted):
        mislabelled = None if true_labels is None else counted & (labels != true_labels)
        return report.LabelsAndTruth(
            num_examples=int(counted.sum()),
            num_mislabelled=None if mislabelled is None else int(mislabelled.sum()),
            accuracy_against_labels=agreement(predictions, labels, counted),
            accuracy_against_truth=agreement(predictions, true_labels, counted),
            annotators_against_truth=agreement(labels, true_labels, counted),
            swallowed=agreement(predictions, labels, mislabelled),
            recovered=agreement(predictions, true_labels, mislabelled),
        )

    return report.AnnotationBias(
        all=compare(np.ones(len(sites), bool)),
        by_site={name: compare(sites == number) for number, name in enumerate(site_names)},
    )


def _checked_features(features: np.ndarray) -> np.ndarray:
    features = np.asarray(features, np.float32)
    if features.ndim != 2 or len(features) < _MIN_EXAMPLES or features.shape[1] == 0:
        raise InputError(
            f'features: shape {features.shape}, expected [N, D] with N at least {_MIN_EXAMPLES}'
        )
    damaged = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if damaged.size:
        raise InputError(f'features, row {damaged[0]}: not finite, expected finite numbers')
    if (features == features[0]).all():
        raise InputError('features: all rows are the same, expected different ones')
    return features


def _checked_numbers(
    field: str, numbers: np.ndarray | None, num_examples: int, names: Sequence[str]
) -> np.ndarray | None:
    if numbers is None:
        return None
    numbers = np.asarray(numbers)
    if numbers.shape != (num_examples,) or not np.issubdtype(numbers.dtype, np.integer):
        found = f'{numbers.dtype}{list(numbers.shape)}'
        raise InputError(f'{field}: {found}, expected integers[{num_examples}], one for each row')
    outside = np.flatnonzero((numbers < 0) | (numbers >= len(names)))
    if outside.size:
        raise InputError(
            f'{field}, row {outside[0]}: {numbers[outside[0]]}, expected 0 to {len(names) - 1} as '
            f'there are {len(names)} names'
        )
    return numbers.astype(np.int64)
