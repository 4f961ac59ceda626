"""Statistics over seeds, against SciPy."""

import numpy as np
import pytest
from scipy import stats

from cda_jax.analysis.seeds import Measured, difference

VALUES = (0.81, 0.835, 0.8, 0.822, 0.79)


@pytest.mark.parametrize('seeds', [2, 3, 5])
def test_mean_and_sd_are_those_of_a_sample_and_the_interval_is_students(seeds):
    values = VALUES[:seeds]
    np.testing.assert_allclose(Measured(values).mean, np.mean(values), rtol=1e-14)
    np.testing.assert_allclose(Measured(values).sd, np.std(values, ddof=1), rtol=1e-14)
    expected = stats.t.interval(0.95, seeds - 1, loc=np.mean(values), scale=stats.sem(values))
    np.testing.assert_allclose(Measured(values).interval, expected, rtol=1e-12)


def test_one_seed_has_no_spread_and_equal_ones_have_a_spread_of_0():
    one, equal = Measured((0.25,)), Measured((0.5, 0.5, 0.5))
    assert (one.mean, one.sd, one.interval) == (0.25, None, None)
    assert (equal.sd, equal.interval) == (0, (0.5, 0.5))


def test_a_difference_is_paired_by_seed():
    found = difference(Measured((0.5, 0.75, 0.25)), Measured((0.25, 0.5, 0.125)))
    assert found == Measured((0.25, 0.25, 0.125))
    expected = stats.ttest_rel((0.5, 0.75, 0.25), (0.25, 0.5, 0.125)).confidence_interval(0.95)
    np.testing.assert_allclose(found.interval, expected, rtol=1e-12)
