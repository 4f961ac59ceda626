"""The transcribed figures against each other: a slip of one digit breaks a mean."""

import numpy as np
import pytest

from cda_jax.prepare.readers.expressions import EXPRESSIONS
from cda_jax.suites import published

SITES = ('rafdb', 'expw', 'affectnet')
METHODS = ('baseline-affectnet', 'baseline', 'cda')


def assert_rounds_to(exact, printed, decimals):
    """Whether a figure from printed cells may be printed so: float noise apart, half a digit."""
    np.testing.assert_allclose(exact, printed, rtol=0, atol=0.5 * 10.0**-decimals + 1e-9)


def matrices():
    return {name: np.array(panel.recall) for name, panel in published.FIGURE_6.items()}


def test_all_is_keyed_by_the_same_names():
    for by_site in (
        published.TRAINING_IMAGES,
        published.TEST_IMAGES,
        published.TABLE_2,
        published.TABLE_2_MEAN_BY_TRAINING,
        published.TABLE_2_MEAN_BY_TEST,
        *published.TABLE_2.values(),
        *(row.accuracy for row in published.TABLE_4.values()),
    ):
        assert tuple(by_site) == SITES
    for by_method in (
        published.TABLE_4,
        published.FIGURE_6,
        published.MEAN_RECALL,
        published.MEAN_PRECISION,
    ):
        assert tuple(by_method) == METHODS
    assert published.CLASS_NAMES == EXPRESSIONS


def test_the_sizes_add_up_to_those_of_the_pooled_data():
    # Section III-D.
    assert sum(published.TRAINING_IMAGES.values()) == 381_272
    assert sum(published.TEST_IMAGES.values()) == 10_068


def test_table_1_gives_the_margins_that_the_text_states():
    *others, own = published.TABLE_1
    best_on_raf = max(row.rafdb for row in others if row.rafdb is not None)
    np.testing.assert_allclose(best_on_raf - own.rafdb, 0.0017, atol=1e-9)
    margins = [own.affectnet - row.affectnet for row in others if row.affectnet is not None]
    assert 0.02 <= min(margins) < 0.03
    assert 0.09 <= max(margins) < 0.10


def test_the_margins_of_table_2_are_the_means_of_its_cells():
    cells = np.array([list(row.values()) for row in published.TABLE_2.values()])
    assert_rounds_to(cells.mean(axis=1), list(published.TABLE_2_MEAN_BY_TRAINING.values()), 4)
    assert_rounds_to(cells.mean(axis=0), list(published.TABLE_2_MEAN_BY_TEST.values()), 4)


def test_a_network_does_best_on_its_own_site_of_table_2():
    for test_site in SITES:
        column = {site: row[test_site] for site, row in published.TABLE_2.items()}
        assert max(column, key=column.get) == test_site


@pytest.mark.parametrize('method', ['baseline-affectnet', 'baseline'])
def test_the_mean_accuracy_of_table_4_is_unweighted(method):
    row = published.TABLE_4[method]
    assert_rounds_to(np.mean(list(row.accuracy.values())), row.mean_accuracy, 4)


def test_the_first_row_of_table_4_is_the_last_of_table_2():
    row = published.TABLE_4['baseline-affectnet']
    assert row.accuracy == published.TABLE_2['affectnet']
    assert row.mean_accuracy == published.TABLE_2_MEAN_BY_TRAINING['affectnet']


def test_every_row_of_figure_6_is_a_distribution_to_rounding():
    for recall in matrices().values():
        assert recall.shape == (7, 7)
        np.testing.assert_allclose(recall.sum(axis=1), 1, rtol=0, atol=7 * 0.005)


@pytest.mark.parametrize('method', METHODS)
def test_the_diagonals_of_figure_6_give_the_stated_mean_recall_and_population_sd(method):
    diagonal = matrices()[method].diagonal()
    assert_rounds_to(diagonal.mean(), published.MEAN_RECALL[method].mean, 2)
    assert_rounds_to(diagonal.std(), published.MEAN_RECALL[method].sd, 2)


@pytest.mark.parametrize('method', ['baseline', 'cda'])
def test_the_precisions_of_figure_6_give_the_stated_mean_and_population_sd(method):
    precision = np.array(published.FIGURE_6[method].precision)
    assert_rounds_to(precision.mean(), published.MEAN_PRECISION[method].mean, 2)
    assert_rounds_to(precision.std(), published.MEAN_PRECISION[method].sd, 2)


def test_the_sample_sd_would_not_give_the_stated_ones():
    sample_sds = [recall.diagonal().std(ddof=1) for recall in matrices().values()]
    printed = [spread.sd for spread in published.MEAN_RECALL.values()]
    assert (np.round(sample_sds, 2) != printed).all()


@pytest.mark.parametrize('method', METHODS)
def test_the_precisions_of_figure_6_follow_from_its_recalls(method):
    # AffectNet's test classes are equally large, so shares of a row are counts up to one factor.
    recall = matrices()[method]
    precision = recall.diagonal() / recall.sum(axis=0)
    np.testing.assert_allclose(published.FIGURE_6[method].precision, precision, rtol=0, atol=0.02)


@pytest.mark.parametrize('method', ['baseline-affectnet', 'baseline'])
def test_accuracy_on_the_even_test_set_is_the_mean_recall(method):
    accuracy = published.TABLE_4[method].accuracy['affectnet']
    assert_rounds_to(accuracy, matrices()[method].diagonal().mean(), 2)


def test_cda_in_table_1_is_not_cda_in_figure_6():
    # Why table 4's missing accuracies of CDA cannot be filled in from table 1.
    assert published.TABLE_1[-1].affectnet - matrices()['cda'].diagonal().mean() > 0.005
    assert set(published.TABLE_4['cda'].accuracy.values()) == {None}


@pytest.mark.parametrize('method', ['baseline', 'cda'])
def test_the_neutral_column_of_figure_6_gives_the_number_of_neutral_predictions(method):
    images_per_class = published.TEST_IMAGES['affectnet'] / 7
    predictions = images_per_class * matrices()[method][:, -1].sum()
    stated = published.NEUTRAL_PREDICTIONS[method]
    np.testing.assert_allclose(predictions, stated, rtol=0, atol=images_per_class * 7 * 0.005)
