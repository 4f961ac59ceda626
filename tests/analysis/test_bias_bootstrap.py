import numpy as np

from cda_jax.analysis.bias.bootstrap import (
    draw_resamples,
    interval,
    mean_interval,
    mean_of_present,
    stratum_means,
)
from cda_jax.analysis.bias.report import Estimate


def test_faces_of_one_photo_are_drawn_together():
    groups = np.array([9, 2, 9, 5], np.uint64)
    resamples = draw_resamples(groups, 4, seed=0, num_resamples=50)
    np.testing.assert_array_equal(resamples.group, [2, 0, 2, 1])
    np.testing.assert_array_equal(resamples.counts[0], [1, 1, 1])
    np.testing.assert_array_equal(resamples.counts.sum(axis=1), 3)
    assert len(np.unique(resamples.counts, axis=0)) > 5


def test_every_row_is_the_mean_over_the_drawn_examples():
    rng = np.random.default_rng(1)
    groups, scores = rng.integers(6, size=20), rng.normal(size=20)
    strata = rng.integers(-1, 2, size=20)  # of -1 are those that do not count
    rows = np.flatnonzero(strata >= 0)
    resamples = draw_resamples(groups, 20, seed=2, num_resamples=30)
    means = stratum_means(scores[rows], strata[rows], 2, rows, resamples)
    for counts, row in zip(resamples.counts, means, strict=True):
        repeated = np.repeat(np.arange(20), counts[resamples.group].astype(int))
        for stratum in range(2):
            drawn = repeated[strata[repeated] == stratum]
            expected = scores[drawn].mean() if drawn.size else np.nan
            np.testing.assert_allclose(row[stratum], expected, rtol=1e-4, atol=1e-6)


def test_the_interval_of_a_mean_is_that_of_the_normal_theory():
    scores = np.random.default_rng(3).normal(size=2000)
    resamples = draw_resamples(None, 2000, seed=4)
    found = mean_interval(scores, resamples)
    half = 1.96 * scores.std() / np.sqrt(2000)
    np.testing.assert_allclose(found.value, scores.mean())
    np.testing.assert_allclose(found.low, scores.mean() - half, atol=0.15 * half)
    np.testing.assert_allclose(found.high, scores.mean() + half, atol=0.15 * half)


def test_what_is_not_there():
    resamples = draw_resamples(None, 3, seed=0, num_resamples=5)
    assert mean_interval(np.ones(3), resamples, np.zeros(3, bool)) is None
    np.testing.assert_allclose(mean_of_present(np.array([[1, np.nan], [2, 4]])), [1, 3])
    assert np.isnan(mean_of_present(np.full((1, 2), np.nan)))
    # A resample without any such example says nothing about the interval.
    assert interval(np.array([0.5, np.nan, 0.5])) == Estimate(0.5, 0.5, 0.5)
    assert interval(np.array([0.5, np.nan])) is None
