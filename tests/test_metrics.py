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
