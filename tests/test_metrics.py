import numpy as np
import pytest

from cda_jax.metrics import score


def test_scores_worked_by_hand():
    scores = score([[3, 1, 0], [0, 2, 2], [0, 0, 0]])
    assert (scores.num_examples, scores.accuracy) == (8, 5 / 8)
    np.testing.assert_allclose(scores.recall, [3 / 4, 2 / 4, np.nan])
    np.testing.assert_allclose(scores.precision, [1, 2 / 3, 0])
    # F1 = 2 TP / (2 TP + FP + FN) of the two classes with samples
    np.testing.assert_allclose(scores.macro_f1, (6 / 7 + 4 / 7) / 2)
    np.testing.assert_allclose([scores.mean_recall, scores.recall_sd], [0.625, 0.125])
    # The second class is never predicted.
    np.testing.assert_array_equal(score([[2, 0], [2, 0]]).precision, [0.5, 0])
    with pytest.raises(ValueError, match='without any sample'):
        score(np.zeros((3, 3)))


@pytest.mark.parametrize(
    ('diagonal', 'mean', 'sd'),
    [
        ((0.41, 0.48, 0.35, 0.95, 0.58, 0.57, 0.79), 0.59, 0.20),
        ((0.54, 0.49, 0.39, 0.89, 0.67, 0.61, 0.68), 0.61, 0.15),
    ],
)
def test_recall_agrees_with_the_matrices_of_figure_6(diagonal, mean, sd):
    hits = np.rint(100 * np.array(diagonal)).astype(int)
    scores = score(np.diag(hits) + np.roll(np.diag(100 - hits), 1, axis=1))
    assert (round(scores.mean_recall, 2), round(scores.recall_sd, 2)) == (mean, sd)
