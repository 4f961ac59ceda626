"""From a confusion matrix to the figures that papers report."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike


class Scores(NamedTuple):
    """What a confusion matrix says. All are shares, 0 to 1; NaN where there is nothing to say.

    Attributes:
        num_examples: Samples counted.
        accuracy: Share of the samples that were recognised.
        macro_f1: Mean of the F1 = 2 TP / (2 TP + FP + FN) of the classes that have samples.
        mean_recall: Mean of the classes' recall.
        recall_sd: Standard deviation of the classes' recall (of the population, ddof 0).
        recall: NaN for a class without samples, which no mean includes.
        precision: 0 for a class that was never predicted.
    """

    num_examples: int
    accuracy: float
    macro_f1: float
    mean_recall: float
    recall_sd: float
    recall: Float[np.ndarray, ' C']
    precision: Float[np.ndarray, ' C']


def score(confusion: ArrayLike) -> Scores:
    """Every figure of a confusion matrix: samples of class i (rows) taken for class j (columns).

    Source: Han et al. (2020), table 4 and figure 6, https://doi.org/10.1109/ACCESS.2020.3018738

    Raises:
        ValueError: The matrix counts no sample at all.

    >>> scores = score(np.array([[3, 1], [0, 4]]))
    >>> print(scores.accuracy, scores.recall, scores.precision)
    0.875 [0.75 1.  ] [1.  0.8]
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
