"""How much of the annotators' errors a model took over."""

from collections.abc import Sequence

import numpy as np

from cda_jax.analysis.bias.bootstrap import Resamples, mean_interval


def measure_annotation_bias(
    sites: np.ndarray,
    labels: np.ndarray,
    predictions: np.ndarray | None,
    true_labels: np.ndarray | None,
    site_names: Sequence[str],
    resamples: Resamples,
) -> dict:
    """Compares predictions, the sites' labels and the truth, where they are known.

    Args:
        sites: int[N].
        labels: int[N], what the annotators said.
        predictions: int[N] or None, what the model says.
        true_labels: int[N] or None, what there is to see.
        site_names: K.
        resamples: Of `draw_resamples`.

    Returns:
        A tree for JSON: `all`, and `by_site` by name; each with `num_examples`, `num_mislabelled`
        (label is not the truth) and, with intervals, `accuracy_against_labels`,
        `accuracy_against_truth`, `annotators_against_truth` (share of labels that are the truth)
        and, of the mislabelled examples, `swallowed` (share predicted as labelled) and `recovered`
        (share predicted as the truth). None where there is nothing to compare.
    """

    def measure(counted):
        return _compare(counted, labels, predictions, true_labels, resamples)

    by_site = {name: measure(sites == number) for number, name in enumerate(site_names)}
    return {'all': measure(np.ones(len(sites), bool)), 'by_site': by_site}


def _compare(counted, labels, predictions, truth, resamples):
    mislabelled = None if truth is None else counted & (labels != truth)

    def agreement(left, right, rows):
        missing = any(array is None for array in (left, right, rows))
        return None if missing else mean_interval(left == right, rows, resamples)

    return {
        'num_examples': int(counted.sum()),
        'num_mislabelled': None if truth is None else int(mislabelled.sum()),
        'accuracy_against_labels': agreement(predictions, labels, counted),
        'accuracy_against_truth': agreement(predictions, truth, counted),
        'annotators_against_truth': agreement(labels, truth, counted),
        'swallowed': agreement(predictions, labels, mislabelled),
        'recovered': agreement(predictions, truth, mislabelled),
    }
