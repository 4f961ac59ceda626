"""What figures show, read back from their artists."""

import math

import matplotlib as mpl
import numpy as np
import pytest
from helpers.metrics import lines_of_run
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from sklearn.metrics import confusion_matrix, pairwise_distances, precision_score, recall_score

from cda_jax.analysis.figures import embedding
from cda_jax.analysis.figures.classes import class_distributions, recall_figure
from cda_jax.analysis.figures.curves import gradient_curves, health_panel, training_curves
from cda_jax.analysis.figures.embedding import embed, embedding_figure, subsample_evenly
from cda_jax.analysis.figures.style import COLOURS


def texts_of(artist):
    return [text.get_text() for text in artist.findobj(Text) if text.get_text()]


def curves_of(axes):
    """The lines with a name, by it."""
    return {line.get_label(): line for line in axes.lines if line.get_label()[0] != '_'}


def test_figures_leave_the_users_style_and_pyplot_alone():
    with mpl.rc_context({'font.size': 31, 'axes.grid': True}):
        figure = training_curves(lines_of_run())
        assert mpl.rcParams['font.size'] == 31
    assert max(text.get_fontsize() for text in figure.findobj(Text)) < 12
    assert not hasattr(figure, 'number')  # pyplot numbers what it keeps


def test_distributions_show_shares_and_numbers():
    counts = {'u': [30, 10, 0], 'v': [0, 0, 0], 'w': [3, np.nan, 1]}
    by_site = {site: {'train': np.array(each)} for site, each in counts.items()}
    panels = class_distributions(by_site, ['a', 'b', 'c']).axes
    shares = [[bar.get_width() for bar in axes.containers[0]] for axes in panels]
    assert shares == [[75, 25, 0], [0, 0, 0], [75, 0, 25]]
    texts = [[text.get_text() for text in axes.texts] for axes in panels]
    assert texts == [['30', '10', '0'], ['0', '0', '0'], ['3', '-', '1']]


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
    # A class without examples does not count.
    axes = recall_figure({'A': np.array([[8, 2, 0], [0, 0, 0], [1, 3, 6]])}, list('abc')).axes[0]
    assert [text.get_text() for text in axes.texts].count('-') == 3
    assert 'A\nmean recall 70.0 ± 10.0 %' in texts_of(axes)


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


@pytest.mark.slow
def test_umap_keeps_clusters_apart_and_repeats_itself(monkeypatch):
    monkeypatch.setattr(embedding, '_EPOCHS', 50)
    rng = np.random.default_rng(0)
    clusters = np.repeat([0, 1], 25)
    features = (rng.normal(size=(50, 60)) + 6 * rng.normal(size=(2, 60))[clusters]).astype('f4')
    plane = embed(features, seed=1)
    assert (plane.shape, plane.dtype) == ((50, 2), np.float32)
    distances = pairwise_distances(plane) + np.diag(np.full(50, np.inf))
    nearest = distances.argsort(axis=1)[:, :10]
    assert (clusters[nearest] == clusters[:, None]).all()
    np.testing.assert_array_equal(embed(features, seed=1), plane)
    assert not np.array_equal(embed(features, seed=2), plane)


@pytest.mark.parametrize(
    ('sizes', 'wanted', 'expected'),
    [
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
    losses, *_ = training_curves(lines_of_run(loss_emotion=spiky)).axes
    emotion = curves_of(losses)['emotion, $L_e$']
    epochs = np.delete(0.5 * np.arange(1, 41), 12)  # what is missing is a gap
    np.testing.assert_allclose(emotion.get_xdata(), epochs)
    np.testing.assert_allclose(emotion.get_ydata()[2:5], loss[2:5])
    assert emotion.get_ydata().max() < 4
    kept = 'kind', 'step', 'epoch', 'loss_emotion', 'accuracy_emotion', 'learning_rate'
    of_baseline = [{name: line[name] for name in kept} for line in lines_of_run()]
    baseline = training_curves(of_baseline)
    assert [len(curves_of(panel)) for panel in baseline.axes] == [1, 1, 1]
    figures = {'accuracy': 0.5, 'accuracy_u': 0.4, 'accuracy_v': 0.6}
    validated = [{'kind': 'validation', 'step': step} | figures for step in (200, 400, 600)]
    curves = curves_of(training_curves([*lines_of_run(), *validated]).axes[2])
    assert list(curves) == ['u', 'v', 'mean of the sites']
    np.testing.assert_allclose(curves['v'].get_xdata(), [5, 10, 15])


def test_the_game_is_shown_beside_guessing_and_what_was_not_logged_is_said():
    lines = lines_of_run(4, balanced_accuracy_dataset=None, largest_share_dataset=None)
    accuracy, loss, ratio, _ = health_panel(lines, 4).axes
    np.testing.assert_allclose(loss.lines[-1].get_ydata(), math.log(4))
    assert ratio.get_yscale() == 'log'
    assert 'not logged by this run' in texts_of(accuracy)
    assert 'not logged by this run' not in texts_of(loss)
    accuracy, _, ratio, _ = health_panel(lines_of_run(4, reversed_gradient_ratio=0), 4).axes
    np.testing.assert_allclose(accuracy.lines[-1].get_ydata(), 1 / 4)
    assert ratio.get_yscale() == 'linear'


def test_shares_of_the_gradient_are_drawn_beside_those_of_the_samples():
    lines = lines_of_run(gradient_share_u=0.6, gradient_share_v=0.4, largest_gradient_share=0.1)
    axes = gradient_curves(lines, {'u': 0.9, 'v': 0.1}).axes[0]
    curves = curves_of(axes)
    assert list(curves) == ['u', 'v', 'largest sample']
    levels = {line.get_color(): line.get_ydata()[0] for line in axes.lines[-2:]}
    assert levels == {curves['u'].get_color(): 0.9, curves['v'].get_color(): 0.1}
