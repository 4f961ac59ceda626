"""From a confusion matrix to the figures that papers report."""

from typing import NamedTuple

import numpy as np


class Scores(NamedTuple):
    """What a confusion matrix says. All are shares, 0 to 1; NaN where there is nothing to say.

    Attributes:
        num_examples: Samples counted.
        accuracy: Share of the samples that were recognised.
        macro_f1: Mean of the classes' F1 = 2 TP / (2 TP + FP + FN).
        mean_recall: Mean of the classes' recall.
        recall_sd: Standard deviation of the classes' recall (of the population, ddof 0).
        recall: float64[C]; NaN for a class without samples, which no mean includes.
        precision: float64[C]; 0 for a class that was never predicted.
    """

    num_examples: int
    accuracy: float
    macro_f1: float
    mean_recall: float
    recall_sd: float
    recall: np.ndarray
    precision: np.ndarray


def score(confusion: np.ndarray) -> Scores:
    """Computes every figure.

    Source: Han et al. (2020), table 4 and figure 6.

    Args:
        confusion: int[C, C], samples of class i (rows) taken for class j (columns).

    Returns:
        The scores; macro F1 leaves out classes without samples, as the means of recall do.

    Raises:
        ValueError: `confusion` counts no sample at all.
    """
    confusion = np.asarray(confusion, np.int64)
    hits = confusion.diagonal()
    samples, predictions = confusion.sum(axis=1), confusion.sum(axis=0)
    if samples.sum() == 0:
        raise ValueError('a confusion matrix without any sample has no scores')
    present = samples > 0
    recall = np.divide(hits, samples, out=np.full(len(hits), np.nan), where=present)
    precision = np.divide(hits, predictions, out=np.zeros(len(hits)), where=predictions > 0)
    f1 = 2 * hits[present] / (samples + predictions)[present]
    return Scores(
        num_examples=int(samples.sum()),
        accuracy=float(hits.sum() / samples.sum()),
        macro_f1=float(f1.mean()),
        mean_recall=float(recall[present].mean()),
        recall_sd=float(recall[present].std()),
        recall=recall,
        precision=precision,
    )
