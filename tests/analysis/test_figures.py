"""What figures show, read back from their artists."""

import math

import matplotlib as mpl
import numpy as np
import pytest
from helpers.metrics import lines_of_baseline, lines_of_run
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from sklearn.metrics import confusion_matrix, pairwise_distances, precision_score, recall_score

from cda_jax.analysis.figures.classes import class_distributions, confusion_figure, recall_figure
from cda_jax.analysis.figures.curves import gradient_curves, health_panel, training_curves
from cda_jax.analysis.figures.embedding import embed, embedding_figure, subsample_evenly
from cda_jax.analysis.figures.style import COLOURS, EMOTION


def texts_of(artist):
    return [text.get_text() for text in artist.findobj(Text) if text.get_text()]


def curves_of(axes):
    """The lines with a name, by it."""
    return {line.get_label(): line for line in axes.lines if line.get_label()[0] != '_'}


def test_figures_leave_the_users_style_and_pyplot_alone():
    before = dict(mpl.rcParams)
    with mpl.rc_context({'font.size': 31, 'axes.grid': True}):
        figure = training_curves(lines_of_run())
        assert mpl.rcParams['font.size'] == 31
    assert max(text.get_fontsize() for text in figure.findobj(Text)) < 12
    assert dict(mpl.rcParams) == before
    assert not hasattr(figure, 'number')  # pyplot numbers what it keeps


def test_distributions_show_shares_and_numbers():
    counts = {'u': {'train': np.array([30, 10, 0]), 'test': np.array([2, 2, 4])}}
    axes = class_distributions(counts, ['a', 'b', 'c']).axes[0]
    train, test = axes.containers
    assert [bar.get_width() for bar in train] == [75, 25, 0]
    assert [bar.get_width() for bar in test] == [25, 25, 50]
    assert [text.get_text() for text in axes.texts] == ['30', '10', '0', '2', '2', '4']
    assert axes.yaxis_inverted()  # first class on top
    empty = class_distributions({'u': {'test': np.zeros(2, int)}}, ['a', 'b']).axes[0]
    assert [bar.get_width() for bar in empty.containers[0]] == [0, 0]
    lacking = class_distributions({'u': {'test': np.array([3, np.nan, 1])}}, ['a', 'b', 'c']).axes[
        0
    ]
    assert [bar.get_width() for bar in lacking.containers[0]] == [75, 0, 25]
    assert [text.get_text() for text in lacking.texts] == ['3', '-', '1']


def test_confusion_cells_say_share_and_number():
    axes = confusion_figure({'Both': np.array([[6, 2], [0, 1200]])}, ['no', 'yes']).axes[0]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.75, 0.25], [0, 1]])
    assert {'75.0\n6', '25.0\n2', '0.0\n0', '100.0\n1,200'} <= set(texts_of(axes))
    assert f'Both\naccuracy {100 * 1206 / 1208:.1f} %' in texts_of(axes)


def test_recall_and_precision_agree_with_scikit_learn():
    rng = np.random.default_rng(3)
    true, guessed = rng.integers(4, size=300), rng.integers(3, size=300)
    guessed = np.where(rng.random(300) < 0.5, np.minimum(true, 2), guessed)
    axes = recall_figure({'A': confusion_matrix(true, guessed)}, list('abcd')).axes[0]
    shares = axes.images[0].get_array()
    recall = recall_score(true, guessed, average=None)
    np.testing.assert_allclose(np.diag(shares[:4]), recall)
    precision = precision_score(true, guessed, average=None, zero_division=0)
    np.testing.assert_allclose(shares[4], precision)
    assert precision[3] == 0
    mean, deviation = 100 * recall.mean(), 100 * np.std(recall)
    assert f'A\nmean recall {mean:.1f} ± {deviation:.1f} %' in texts_of(axes)


def test_a_class_without_examples_has_dashes_and_does_not_count():
    confusion = np.array([[8, 2, 0], [0, 0, 0], [1, 3, 6]])
    panels = recall_figure(dict.fromkeys('ABCD', confusion), list('abc')).axes
    assert len(panels) == 4
    for axes, title in zip(panels, 'ABCD', strict=True):
        assert [text.get_text() for text in axes.texts].count('-') == 3
        assert f'{title}\nmean recall 70.0 ± 10.0 %' in texts_of(axes)


def test_every_point_is_drawn_in_its_categorys_colour():
    rng = np.random.default_rng(0)
    points, categories = rng.normal(size=(200, 2)), rng.integers(4, size=200)
    figure = embedding_figure({'A': points}, categories, ['u', 'v', 'w', 'x'])
    found = {}
    for marks in figure.axes[0].findobj(PathCollection):
        found.update(dict.fromkeys(map(tuple, marks.get_offsets()), marks.get_facecolor()[0, :3]))
    assert len(found) == 200
    for point, category in zip(points, categories, strict=True):
        np.testing.assert_allclose(found[tuple(point)], to_rgb(COLOURS[category]))
    assert sorted(texts_of(figure.legends[0])) == ['u', 'v', 'w', 'x']


@pytest.mark.slow
def test_umap_keeps_clusters_apart_and_repeats_itself():
    rng = np.random.default_rng(0)
    clusters = np.repeat([0, 1, 2], 30)
    features = rng.normal(size=(90, 60)) + 6 * rng.normal(size=(3, 60))[clusters]
    features = features.astype(np.float32)
    plane = embed(features, seed=1)
    assert (plane.shape, plane.dtype) == ((90, 2), np.float32)
    distances = pairwise_distances(plane) + np.diag(np.full(90, np.inf))
    nearest = distances.argsort(axis=1)[:, :10]
    assert (clusters[nearest] == clusters[:, None]).all()
    np.testing.assert_array_equal(embed(features, seed=1), plane)
    assert not np.array_equal(embed(features, seed=2), plane)


@pytest.mark.parametrize(
    ('sizes', 'wanted', 'expected'),
    [
        ((50, 60, 70), 30, (10, 10, 10)),
        ((5, 60, 70), 45, (5, 20, 20)),
        ((5, 8, 70), 100, (5, 8, 70)),
        ((0, 40, 40), 20, (0, 10, 10)),
        ((4, 9, 900, 900), 313, (4, 9, 150, 150)),
    ],
)
def test_subsamples_show_every_site_as_often_as_it_can(sizes, wanted, expected):
    sites = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    rows = subsample_evenly(sites, wanted, seed=0)
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(np.bincount(sites[rows], minlength=len(sizes)), expected)
    np.testing.assert_array_equal(subsample_evenly(sites, wanted, seed=0), rows)


def test_curves_follow_the_lines_by_epoch_without_their_spikes():
    loss = np.linspace(4, 1, 40)
    spiky = loss.copy()
    spiky[7], spiky[12] = 1e6, math.nan
    losses, accuracies, rate = training_curves(lines_of_run(loss_emotion=spiky)).axes
    emotion = curves_of(losses)['emotion, $L_e$']
    assert emotion.get_color() == EMOTION
    epochs = np.delete(0.5 * np.arange(1, 41), 12)  # what is missing is a gap
    np.testing.assert_allclose(emotion.get_xdata(), epochs)
    np.testing.assert_allclose(emotion.get_ydata()[2:5], loss[2:5])
    assert emotion.get_ydata().max() < 4
    assert len(curves_of(losses)) == len(curves_of(accuracies)) == 3
    assert list(curves_of(rate)) == ['learning rate']
    baseline = training_curves(lines_of_baseline())
    assert [len(curves_of(panel)) for panel in baseline.axes] == [1, 1, 1]


def test_validation_has_a_panel_where_there_was_any():
    figures = {'accuracy': 0.5, 'accuracy_u': 0.4, 'accuracy_v': 0.6}
    validated = [{'kind': 'validation', 'step': step} | figures for step in (200, 400, 600)]
    panel = training_curves([*lines_of_run(), *validated]).axes[2]
    curves = curves_of(panel)
    assert list(curves) == ['u', 'v', 'mean of the sites']
    for curve in curves.values():
        np.testing.assert_allclose(curve.get_xdata(), [5, 10, 15])
    assert len(training_curves(lines_of_run()).axes) == 3


@pytest.mark.parametrize(
    ('num_sites', 'dataset_loss', 'level'),
    [(2, 'cross_entropy', 'ln 2'), (4, 'adaptive_cross_entropy', 'about ln 4')],
)
def test_the_game_is_shown_beside_guessing(num_sites, dataset_loss, level):
    figure = health_panel(lines_of_run(), num_sites, dataset_loss=dataset_loss)
    accuracy, loss, ratio, _ = figure.axes
    assert f'guessing: {100 / num_sites:.1f} %' in texts_of(accuracy)
    assert f'guessing: {level}' in texts_of(loss)
    levels = [axes.lines[-1].get_ydata() for axes in (accuracy, loss)]
    np.testing.assert_allclose(levels, [[1 / num_sites] * 2, [math.log(num_sites)] * 2])
    assert ratio.get_yscale() == 'log'


def test_shares_of_the_gradient_are_drawn_beside_those_of_the_samples():
    lines = lines_of_run(gradient_share_u=0.6, gradient_share_v=0.4, largest_gradient_share=0.1)
    axes = gradient_curves(lines, {'u': 0.9, 'v': 0.1}).axes[0]
    curves = curves_of(axes)
    assert list(curves) == ['u', 'v', 'largest sample']
    levels = {line.get_color(): line.get_ydata()[0] for line in axes.lines[-2:]}
    assert levels == {curves['u'].get_color(): 0.9, curves['v'].get_color(): 0.1}
    without_sites = gradient_curves(lines_of_run(largest_gradient_share=0.1), {'u': 1.0}).axes[0]
    assert list(curves_of(without_sites)) == ['largest sample']


def test_what_a_run_did_not_log_is_said():
    lines = lines_of_run(balanced_accuracy_dataset=None, largest_share_dataset=None, lambda_2=None)
    accuracy, loss, _, strengths = health_panel(lines, 3).axes
    assert 'not logged by this run' in texts_of(accuracy)
    assert 'not logged by this run' not in texts_of(loss)
    assert len(curves_of(strengths)) == 1
    off = health_panel(lines_of_run(reversed_gradient_ratio=0), 3).axes[2]
    assert off.get_yscale() == 'linear'
