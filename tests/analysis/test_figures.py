import io
import itertools
import math

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from sklearn.metrics import pairwise_distances, precision_score, recall_score

from cda_jax.analysis.figures import (
    class_distributions,
    confusion_figure,
    embed,
    embedding_figure,
    health_panel,
    recall_figure,
    subsample_evenly,
    training_curves,
)
from cda_jax.analysis.figures.look import COLOURS, MARKERS, SMALLEST_TYPE, WIDTH
from cda_jax.analysis.figures.series import running_median, spread
from cda_jax.errors import InputError

EMOTIONS = ['Surprise', 'Fear', 'Disgust', 'Happiness', 'Sadness', 'Anger', 'Neutral']
DIGITS = [f'digit {number}' for number in range(10)]


def _confusion(size, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(1, 90, (size, size)) + 400 * np.eye(size, dtype=int)


def _counts(num_sites, num_classes, splits=('train', 'test')):
    rng = np.random.default_rng(1)
    return {
        f'site {number}': {split: rng.integers(0, 90_000, num_classes) for split in splits}
        for number in range(num_sites)
    }


def _lines(count=30, **changes):
    """A run with g, d and three sites; a change to None leaves the figure out."""
    progress = np.linspace(0, 1, count)
    columns = {
        'loss_emotion': 4 * np.exp(-3 * progress),
        'loss_label': 0.5 * np.exp(-5 * progress),
        'loss_dataset': 0.8 + 0.3 * progress,
        'accuracy_emotion': 0.3 + 0.6 * progress,
        'pseudo_label_agreement': 0.8 + 0.2 * progress,
        'accuracy_dataset': 0.7 - 0.3 * progress,
        'balanced_accuracy_dataset': 0.7 - 0.3 * progress,
        'largest_share_dataset': np.full(count, 0.45),
        'reversed_gradient_ratio': 0.5 * progress,
        'lambda_1': progress,
        'lambda_2': progress,
        'learning_rate': 0.1 * (1 - progress),
    } | changes
    return [
        {'kind': 'train', 'step': 10 * (i + 1), 'epoch': 0.5 * (i + 1)}
        | {name: values[i] for name, values in columns.items() if values is not None}
        for i in range(count)
    ]


def _baseline():
    parts = [name for name in _lines(1)[0] if 'dataset' in name or 'lambda' in name]
    parts += ['loss_label', 'pseudo_label_agreement', 'reversed_gradient_ratio']
    return _lines(**dict.fromkeys(parts))


def _validation():
    return [
        {'kind': 'validation', 'step': step, 'accuracy': 0.5, 'accuracy_u': 0.4, 'accuracy_v': 0.6}
        for step in (100, 200, 300)
    ]


def _texts(artist):
    return [text.get_text() for text in artist.findobj(Text) if text.get_text()]


def _labels_of_ticks_out_of_view(figure):
    hidden = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks():
            if not low <= tick.get_loc() <= high:
                hidden.add(tick.label1)
    return hidden


def _curve(axes, colour=None):
    """x and y of the solid or dashed lines of an axes, without levels that cross it."""
    lines = [line for line in axes.lines if len(line.get_xdata()) > 2]
    return [line.get_xydata() for line in lines if colour in (None, line.get_color())]


FIGURES = {
    'distributions, 7 classes': lambda: class_distributions(_counts(3, 7), EMOTIONS),
    'distributions, 4 sites': lambda: class_distributions(_counts(4, 10), DIGITS),
    'distributions, 2 classes': lambda: class_distributions(
        _counts(1, 2, ('train', 'validation', 'test')), ['no', 'yes']
    ),
    'confusion, 3 sites': lambda: confusion_figure(
        {'Baseline': _confusion(3) * 500, 'CDA': _confusion(3)}, ['rafdb', 'expw', 'affectnet']
    ),
    'confusion, 10 classes': lambda: confusion_figure({'A': _confusion(10)}, DIGITS),
    'confusion, 2 classes': lambda: confusion_figure({'A': _confusion(2)}, ['no', 'yes']),
    'recall, 3 methods': lambda: recall_figure(
        dict.fromkeys(('AffectNet alone', 'Baseline', 'CDA'), _confusion(7)), EMOTIONS
    ),
    'recall, 10 classes': lambda: recall_figure(dict.fromkeys('abcd', _confusion(10)), DIGITS),
    'recall, 2 classes': lambda: recall_figure({'A': _confusion(2)}, ['no', 'yes']),
    'embedding, 10 classes': lambda: embedding_figure(
        {'A': np.random.default_rng(0).normal(size=(60, 2))}, np.arange(60) % 10, DIGITS, 'Digit'
    ),
    'embedding, 3 panels': lambda: embedding_figure(
        dict.fromkeys('abc', np.random.default_rng(0).normal(size=(60, 2))),
        np.arange(60) % 2,
        ['no', 'yes'],
        'Answer',
    ),
    'training': lambda: training_curves([*_lines(), *_validation()]),
    'training of a baseline': lambda: training_curves(_baseline()),
    'health': lambda: health_panel(_lines(), 3),
    'health of a baseline': lambda: health_panel(_baseline(), 3),
}


@pytest.fixture(scope='module', params=FIGURES)
def figure(request):
    return FIGURES[request.param]()


def test_all_text_is_inside_the_page_and_large_enough_to_read(figure):
    assert figure.get_size_inches()[0] <= WIDTH + 1e-9
    width, height = figure.bbox.size
    hidden = _labels_of_ticks_out_of_view(figure)
    for text in figure.findobj(Text):
        if text.get_text().strip() and text not in hidden:
            box = text.get_window_extent()
            assert box.x0 >= -1, text
            assert box.y0 >= -1, text
            assert box.x1 <= width + 1, text
            assert box.y1 <= height + 1, text
            assert text.get_fontsize() >= SMALLEST_TYPE, text


def test_names_titles_and_notes_do_not_lie_on_each_other(figure):
    for axes in figure.axes:
        boxes = {
            text.get_text(): text.get_window_extent().shrunk(0.9, 0.6)
            for text in [*axes.texts, axes.title, axes._left_title, axes.xaxis.label]
            if text.get_text()
        }
        for (name, box), (other, other_box) in itertools.combinations(boxes.items(), 2):
            is_cell = name.replace(',', '').replace('.', '').isdigit()
            assert is_cell or not box.overlaps(other_box), (name, other)


def test_figures_leave_the_users_style_and_pyplot_alone():
    before = dict(mpl.rcParams)
    with mpl.rc_context({'font.size': 31, 'axes.grid': True}):
        figure = training_curves(_lines())
        assert mpl.rcParams['font.size'] == 31
    assert max(text.get_fontsize() for text in figure.findobj(Text)) < 12
    assert dict(mpl.rcParams) == before
    assert not hasattr(figure, 'number')  # pyplot numbers what it keeps


def test_the_same_data_give_the_same_bytes():
    def drawn():
        out = io.BytesIO()
        FIGURES['embedding, 10 classes']().savefig(out, format='png')
        return out.getvalue()

    assert drawn() == drawn()


def test_distributions_show_shares_and_numbers():
    counts = {'u': {'train': np.array([30, 10, 0]), 'test': np.array([2, 2, 4])}}
    axes = class_distributions(counts, ['a', 'b', 'c']).axes[0]
    train, test = axes.containers
    assert [bar.get_width() for bar in train] == [75, 25, 0]
    assert [bar.get_width() for bar in test] == [25, 25, 50]
    assert [text.get_text() for text in axes.texts] == ['30', '10', '0', '2', '2', '4']
    # First class on top, and the splits differ in grey too.
    assert axes.yaxis_inverted()
    train_luminance, test_luminance = (
        np.dot(to_rgb(bars[0].get_facecolor()), [0.2126, 0.7152, 0.0722]) for bars in (train, test)
    )
    assert abs(train_luminance - test_luminance) > 0.3
    assert train[0].get_hatch() != test[0].get_hatch()


def test_a_split_without_examples_is_drawn_empty():
    axes = class_distributions({'u': {'test': np.zeros(2, int)}}, ['a', 'b']).axes[0]
    assert [bar.get_width() for bar in axes.containers[0]] == [0, 0]


@pytest.mark.parametrize(
    ('counts', 'reason'),
    [
        ({}, 'no site'),
        ({'u': {}}, 'counts of u: splits'),
        ({'u': {'train': [1, 2]}, 'v': {'test': [1, 2]}}, r"counts of v: splits \['test'\]"),
        ({'u': {'train': [1, 2, 3]}}, 'counts of u, train: .* expected 2 whole numbers'),
        ({'u': {'train': [1, -2]}}, 'counts of u, train'),
        ({'u': {'train': [1.5, 2]}}, 'counts of u, train'),
    ],
)
def test_counts_that_do_not_fit_are_refused(counts, reason):
    with pytest.raises(InputError, match=reason):
        class_distributions(counts, ['a', 'b'])


def test_confusion_cells_say_share_and_number():
    confusion = np.array([[6, 2], [0, 1200]])
    axes = confusion_figure({'Both': confusion}, ['no', 'yes']).axes[0]
    (mesh,) = axes.findobj(QuadMesh)
    np.testing.assert_allclose(mesh.get_array().reshape(2, 2), [[0.75, 0.25], [0, 1]])
    texts = _texts(axes)
    for text in ('75.0', '25.0', '0.0', '100.0', '6', '2', '0', '1,200', 'Both'):
        assert text in texts
    assert f'accuracy {100 * 1206 / 1208:.1f} %' in texts


def test_words_stand_out_from_their_cells():
    axes = recall_figure({'A': _confusion(7)}, EMOTIONS).axes[0]
    matrix = axes.findobj(QuadMesh)[0]
    matrix.update_scalarmappable()
    colours = matrix.get_facecolor().reshape(7, 7, 4)
    cells = {text.get_position(): text for text in axes.texts}
    for row, column in itertools.product(range(7), repeat=2):
        text = cells[column + 0.5, row + 0.5]
        grey = [
            np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
            @ [0.2126, 0.7152, 0.0722]
            for c in (np.array(to_rgb(text.get_color())), colours[row, column, :3])
        ]
        assert (max(grey) + 0.05) / (min(grey) + 0.05) > 3.7


def test_recall_and_precision_agree_with_scikit_learn():
    rng = np.random.default_rng(3)
    true, guessed = rng.integers(4, size=300), rng.integers(3, size=300)
    guessed = np.where(rng.random(300) < 0.5, np.minimum(true, 2), guessed)
    confusion = np.zeros((4, 4), int)
    np.add.at(confusion, (true, guessed), 1)
    axes = recall_figure({'A': confusion}, list('abcd')).axes[0]
    matrix, below = axes.findobj(QuadMesh)
    recall = recall_score(true, guessed, average=None)
    np.testing.assert_allclose(np.diag(matrix.get_array().reshape(4, 4)), recall)
    precision = precision_score(true, guessed, average=None, zero_division=0)
    np.testing.assert_allclose(below.get_array().ravel(), precision)
    assert precision[3] == 0
    mean, deviation = 100 * recall.mean(), 100 * np.std(recall)
    assert f'mean recall {mean:.1f} ± {deviation:.1f} %' in _texts(axes)


def test_a_class_without_examples_has_dashes_and_does_not_count():
    confusion = np.array([[8, 2, 0], [0, 0, 0], [1, 3, 6]])
    axes = recall_figure({'A': confusion}, list('abc')).axes[0]
    shares = axes.findobj(QuadMesh)[0].get_array().reshape(3, 3)
    assert shares.mask[1].all()
    assert not shares.mask[[0, 2]].any()
    assert [text.get_text() for text in axes.texts].count('-') == 3
    assert 'mean recall 70.0 ± 10.0 %' in _texts(axes)


@pytest.mark.parametrize('draw', [confusion_figure, recall_figure])
@pytest.mark.parametrize(
    ('confusions', 'reason'),
    [
        ({}, 'no matrix'),
        ({'A': np.ones((2, 3), int)}, r'confusion of A: int64\[2, 3\], expected integers\[2, 2\]'),
        ({'A': np.ones((2, 2))}, 'confusion of A: float64'),
        ({'A': np.array([[1, -1], [0, 1]])}, 'confusion of A: expected counts'),
        ({'A': np.zeros((2, 2), int)}, 'not all 0'),
    ],
)
def test_confusions_that_do_not_fit_are_refused(draw, confusions, reason):
    with pytest.raises(InputError, match=reason):
        draw(confusions, ['a', 'b'])


def test_every_point_is_drawn_in_its_categorys_colour():
    rng = np.random.default_rng(0)
    points, categories = rng.normal(size=(200, 2)), rng.integers(4, size=200)
    figure = embedding_figure({'A': points}, categories, ['u', 'v', 'w', 'x'], 'Site')
    found = {}
    for marks in figure.axes[0].findobj(PathCollection):
        found.update(dict.fromkeys(map(tuple, marks.get_offsets()), marks.get_facecolor()[0, :3]))
    assert len(found) == 200
    for point, category in zip(points, categories, strict=True):
        np.testing.assert_allclose(found[tuple(point)], to_rgb(COLOURS[category]))
    assert sorted(_texts(figure.legends[0])) == ['Site', 'u', 'v', 'w', 'x']


def test_no_two_categories_share_colour_and_mark():
    marks = {(COLOURS[n % len(COLOURS)], MARKERS[n % len(MARKERS)]) for n in range(63)}
    assert len(marks) == 63


def test_panels_may_have_categories_of_their_own():
    points = np.random.default_rng(0).normal(size=(5, 2))
    figure = embedding_figure(
        {'A': points, 'B': points[:3]}, {'A': np.zeros(5, int), 'B': np.ones(3, int)}, 'uv', 'Site'
    )
    colours = [axes.findobj(PathCollection)[0].get_facecolor()[0, :3] for axes in figure.axes]
    np.testing.assert_allclose(colours, [to_rgb(COLOURS[0]), to_rgb(COLOURS[1])])


@pytest.mark.parametrize(
    ('points', 'categories', 'reason'),
    [
        (
            np.zeros((3, 3)),
            np.zeros(3, int),
            r'coordinates of A: shape \(3, 3\), expected \[N, 2\]',
        ),
        (np.array([[0, 0], [math.nan, 1]]), np.zeros(2, int), 'coordinates of A, row 1'),
        (np.zeros((2, 2)), np.zeros(3, int), 'categories of A'),
        (np.zeros((2, 2)), np.array([0, 2]), 'categories of A, row 1: 2, expected 0 to 1'),
    ],
)
def test_points_that_do_not_fit_are_refused(points, categories, reason):
    with pytest.raises(InputError, match=reason):
        embedding_figure({'A': points}, categories, ['u', 'v'], 'Site')


def test_umap_keeps_clusters_apart_and_repeats_itself():
    # The one test that runs UMAP: Numba compiles it first, which is most of its time.
    rng = np.random.default_rng(0)
    clusters = np.repeat([0, 1, 2], 30)
    features = rng.normal(size=(90, 60)) + 6 * rng.normal(size=(3, 60))[clusters]
    features = features.astype(np.float32)
    plane = embed(features, seed=1)
    assert plane.shape == (90, 2)
    assert plane.dtype == np.float32
    distances = pairwise_distances(plane) + np.diag(np.full(90, np.inf))
    nearest = distances.argsort(axis=1)[:, :10]
    assert (clusters[nearest] == clusters[:, None]).all()
    np.testing.assert_array_equal(embed(features, seed=1), plane)
    assert not np.array_equal(embed(features, seed=2), plane)


def test_features_that_have_no_plane_are_refused():
    with pytest.raises(InputError, match='one column, expected at least 2'):
        embed(np.arange(30, dtype=np.float32)[:, None], seed=0)
    with pytest.raises(InputError, match='features, row 4: not finite'):
        embed(np.where(np.arange(60).reshape(30, 2) == 9, np.nan, 1).astype(np.float32), seed=0)


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


def test_subsamples_depend_on_the_seed_and_are_checked():
    sites = np.arange(100) % 3
    assert list(subsample_evenly(sites, 20, seed=0)) != list(subsample_evenly(sites, 20, seed=1))
    with pytest.raises(InputError, match='max_examples: 0, expected at least 1'):
        subsample_evenly(sites, 0, seed=0)
    with pytest.raises(InputError, match='sites: float64'):
        subsample_evenly(np.zeros(3), 2, seed=0)


def test_running_medians_ignore_spikes_and_gaps():
    values = np.arange(20.0)
    np.testing.assert_allclose(running_median(values)[2:-2], values[2:-2])
    values[7], values[12] = 1e6, math.nan
    medians = running_median(values)
    assert np.nanmax(medians) < 20
    assert np.isnan(medians[12])
    assert not np.isnan(np.delete(medians, 12)).any()
    np.testing.assert_allclose(medians[0], 1)
    long = np.random.default_rng(0).normal(size=1000)
    np.testing.assert_allclose(running_median(long)[500], np.median(long[475:526]))


def test_names_move_apart_in_their_order_and_only_as_far_as_need_be():
    np.testing.assert_allclose(spread(np.array([0.9, 0.1]), 0.2), [0.9, 0.1])
    np.testing.assert_allclose(spread(np.array([0.5, 0.45, 0.1]), 0.2), [0.575, 0.375, 0.1])
    np.testing.assert_allclose(spread(np.array([1.0, 0.99, 1.3]), 0.1), [0.9, 0.8, 1.0])
    assert spread(np.array([]), 0.1).shape == (0,)


def test_curves_follow_the_lines_by_epoch():
    lines = _lines()
    losses, accuracies, rate = training_curves(lines).axes
    (emotion,) = _curve(losses, COLOURS[0])
    np.testing.assert_allclose(emotion[:, 0], 0.5 * np.arange(1, 31))
    # The values fall throughout, so the median of five is the one in the middle.
    np.testing.assert_allclose(emotion[2:-2, 1], [line['loss_emotion'] for line in lines[2:-2]])
    assert len(_curve(losses)) == len(_curve(accuracies)) == 3
    np.testing.assert_allclose(_curve(rate)[0][:, 1], [line['learning_rate'] for line in lines])


def test_names_stand_at_the_ends_of_their_curves():
    losses = training_curves(_lines()).axes[0]
    last = {line.get_color(): line.get_ydata()[-1] for line in losses.lines}
    for text in losses.texts:
        value = losses.transData.inverted().transform(
            losses.transAxes.transform(text.get_position())
        )[1]
        assert math.log(value / last[text.get_color()]) == pytest.approx(0, abs=0.2)


def test_validation_has_a_panel_where_there_was_any():
    figure = training_curves([*_lines(), *_validation()])
    panel = figure.axes[2]
    assert {'u', 'v', 'mean'} <= set(_texts(panel))
    for curve in _curve(panel):
        np.testing.assert_allclose(curve[:, 0], [5, 10, 15])
    assert len(training_curves(_lines()).axes) == 3


def test_nulls_are_gaps():
    accuracy = np.linspace(0.3, 0.9, 30).tolist()
    accuracy[4] = None
    panel = training_curves(_lines(accuracy_emotion=accuracy)).axes[1]
    assert len(_curve(panel, COLOURS[0])[0]) == 29


def test_a_baseline_has_curves_of_what_it_has():
    losses, accuracies, rate = training_curves(_baseline()).axes
    assert [len(_curve(panel)) for panel in (losses, accuracies, rate)] == [1, 1, 1]


def test_lines_without_training_or_epoch_are_refused():
    for draw in (training_curves, lambda lines: health_panel(lines, 3)):
        with pytest.raises(InputError, match="none is of kind 'train'"):
            draw(_validation())
        with pytest.raises(InputError, match='no epoch'):
            draw([{'kind': 'train', 'step': 3, 'loss_dataset': 1.0}])


@pytest.mark.parametrize('num_sites', [2, 4])
def test_the_game_is_shown_beside_guessing(num_sites):
    accuracy, loss, ratio, _ = health_panel(_lines(), num_sites).axes
    assert f'guessing: {100 / num_sites:.1f} %' in _texts(accuracy)
    levels = [axes.lines[-1 if axes is accuracy else 0].get_ydata() for axes in (accuracy, loss)]
    np.testing.assert_allclose(levels, [[1 / num_sites] * 2, [math.log(num_sites)] * 2])
    # The first ratio is 0 and has no place on a logarithmic scale.
    assert ratio.get_yscale() == 'log'
    assert len(_curve(ratio)[0]) == 29


def test_the_level_of_guessing_is_exact_under_cross_entropy_only():
    exact = _texts(health_panel(_lines(), 3, dataset_loss='cross_entropy'))
    about = _texts(health_panel(_lines(), 3, dataset_loss='adaptive_cross_entropy'))
    assert 'guessing: ln 3 = 1.10' in exact
    assert 'guessing: about ln 3 = 1.10' in about


def test_what_a_run_did_not_log_is_said():
    lines = _lines(balanced_accuracy_dataset=None, largest_share_dataset=None, lambda_2=None)
    accuracy, loss, _, strengths = health_panel(lines, 3).axes
    assert 'not logged by this run' in _texts(accuracy)
    assert 'not logged by this run' not in _texts(loss)
    assert len(_curve(strengths)) == 1
    off = health_panel(_lines(reversed_gradient_ratio=np.zeros(30)), 3).axes[2]
    assert 'no reversal throughout' in _texts(off)
    assert 'This run has no dataset classifier' in ' '.join(_texts(health_panel(_baseline(), 3)))


def test_a_game_needs_two_sites():
    with pytest.raises(InputError, match='num_sites: 1, expected at least 2'):
        health_panel(_lines(), 1)
