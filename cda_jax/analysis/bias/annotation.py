"""How much of the annotators' errors a model took over."""

from collections.abc import Sequence

import numpy as np

from cda_jax.analysis.bias.bootstrap import Resamples, mean_interval
from cda_jax.analysis.bias.report import AnnotationBias, LabelsAndTruth


def measure_annotation_bias(
    sites: np.ndarray,
    labels: np.ndarray,
    predictions: np.ndarray | None,
    true_labels: np.ndarray | None,
    site_names: Sequence[str],
    resamples: Resamples,
) -> AnnotationBias:
    """Compares what the model and the annotators say with the truth, as far as it is known."""

    def compare(counted):
        def agreement(left, right, rows):
            missing = any(array is None for array in (left, right, rows))
            return None if missing else mean_interval(left == right, resamples, rows)

        mislabelled = None if true_labels is None else counted & (labels != true_labels)
        return LabelsAndTruth(
            num_examples=int(counted.sum()),
            num_mislabelled=None if mislabelled is None else int(mislabelled.sum()),
            accuracy_against_labels=agreement(predictions, labels, counted),
            accuracy_against_truth=agreement(predictions, true_labels, counted),
            annotators_against_truth=agreement(labels, true_labels, counted),
            swallowed=agreement(predictions, labels, mislabelled),
            recovered=agreement(predictions, true_labels, mislabelled),
        )

    return AnnotationBias(
        all=compare(np.ones(len(sites), bool)),
        by_site={name: compare(sites == number) for number, name in enumerate(site_names)},
    )
