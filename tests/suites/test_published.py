"""The transcribed figures against each other: a slip of one digit breaks a mean."""

import numpy as np
import pytest

from cda_jax.suites import published

SITES = ('rafdb', 'expw', 'affectnet')
METHODS = ('baseline-affectnet', 'baseline', 'cda')

# The diagonals and the last rows of figure 6.
RECALL = {
    'baseline-affectnet': (0.41, 0.48, 0.35, 0.95, 0.58, 0.57, 0.79),
    'baseline': (0.36, 0.48, 0.36, 0.95, 0.56, 0.49, 0.77),
    'cda': (0.54, 0.49, 0.39, 0.89, 0.67, 0.61, 0.68),
}
PRECISION = {
    'baseline': (0.61, 0.74, 0.75, 0.65, 0.58, 0.56, 0.39),
    'cda': (0.60, 0.75, 0.75, 0.76, 0.59, 0.53, 0.47),
}


def assert_rounds_to(exact, printed, decimals):
    """The printed figure may be half a digit off."""
    np.testing.assert_allclose(exact, printed, rtol=0, atol=0.5 * 10.0**-decimals + 1e-9)


def test_the_tables_are_keyed_by_the_same_names():
    by_site = [published.TABLE_2, *published.TABLE_2.values()]
    by_site += [published.TABLE_2_MEAN_BY_TRAINING, published.TABLE_2_MEAN_BY_TEST]
    by_site += [row.accuracy for row in published.TABLE_4.values()]
    assert {tuple(figures) for figures in by_site} == {SITES}
    by_method = [published.TABLE_4, published.MEAN_RECALL, published.MEAN_PRECISION]
    assert {tuple(figures) for figures in by_method} == {METHODS}


def test_the_margins_of_table_2_are_the_means_of_its_cells():
    cells = np.array([list(row.values()) for row in published.TABLE_2.values()])
    assert_rounds_to(cells.mean(axis=1), list(published.TABLE_2_MEAN_BY_TRAINING.values()), 4)
    assert_rounds_to(cells.mean(axis=0), list(published.TABLE_2_MEAN_BY_TEST.values()), 4)


@pytest.mark.parametrize('method', ['baseline-affectnet', 'baseline'])
def test_mean_accuracy_is_unweighted_and_that_on_the_even_test_set_is_the_mean_recall(method):
    row = published.TABLE_4[method]
    assert_rounds_to(np.mean(list(row.accuracy.values())), row.mean_accuracy, 4)
    assert_rounds_to(row.accuracy['affectnet'], np.mean(RECALL[method]), 2)


def test_figure_6_gives_the_stated_means_and_the_sds_of_the_population_not_of_a_sample():
    pairs = (RECALL, published.MEAN_RECALL), (PRECISION, published.MEAN_PRECISION)
    for figures, stated in pairs:
        for method, scores in figures.items():
            assert_rounds_to(np.mean(scores), stated[method].mean, 2)
            assert_rounds_to(np.std(scores), stated[method].sd, 2)
    for method, scores in RECALL.items():
        assert round(np.std(scores, ddof=1), 2) != published.MEAN_RECALL[method].sd
