import numpy as np
import pytest

from cda_jax.analysis.bias import BiasReport, measure_bias, read_bias
from cda_jax.analysis.bias.report import LabelsAndTruth, Silhouettes, SitePair
from cda_jax.errors import InputError
from cda_jax.runtime.files import write_json
from cda_jax.runtime.workdir import BIAS

NAMES = {'site_names': ['a', 'b'], 'class_names': ['u', 'v', 'w']}


def _data(shift, num_examples=240):
    rng = np.random.default_rng(0)
    sites = rng.permutation(np.arange(num_examples) % 2)
    labels = rng.integers(3, size=num_examples)
    features = rng.normal(size=(num_examples, 6)).astype(np.float32)
    features[:, 0] += shift * sites
    features[:, 1] += 6 * labels
    return features, sites, labels


def _measure(shift, **options):
    return measure_bias(*_data(shift), **NAMES, num_resamples=100, **options)


@pytest.fixture(scope='module')
def same():
    return _measure(0)


@pytest.fixture(scope='module')
def shifted():
    return _measure(8)


def test_every_measure_tells_the_same_from_shifted(same, shifted):
    for probe in ('linear', 'mlp'):
        for kind in ('dataset_classification', 'within_class'):
            assert getattr(getattr(same, kind), probe).balanced_accuracy.low < 0.5
            assert getattr(getattr(shifted, kind), probe).balanced_accuracy.low > 0.95
    assert same.pairs[0].sites == ('a', 'b')
    for measure in ('a_distance', 'mmd2'):
        assert getattr(same.pairs[0], measure).low < 0.02
        assert getattr(shifted.pairs[0], measure).low > 0.2
    assert same.ilisi.highest == 2
    level = same.ilisi.if_mixed
    assert level.low - 0.01 < same.ilisi.estimate.value < level.high + 0.01
    assert shifted.ilisi.estimate.high < 1.2
    assert abs(same.silhouette.site.value) < 0.01
    assert shifted.silhouette.site.low > 0.2
    # Classes stay apart where sites mix.
    assert same.clisi.highest == 3
    assert same.clisi.estimate.high < 1.3
    assert same.silhouette.class_.low > 0.3


def test_the_same_seed_gives_the_same_figures(same):
    assert _measure(0) == same
    assert _measure(0, seed=1) != same
    assert same.num_examples == same.num_photos == 240
    assert same.examples_by_site == {'a': 120, 'b': 120}


def test_a_report_comes_back_from_its_file(same, tmp_path):
    assert read_bias(tmp_path) is None
    for report in (same, BiasReport(collapsed=True)):
        write_json(tmp_path / BIAS, report)
        assert read_bias(tmp_path) == report
    (tmp_path / BIAS).write_text('{"num_examples": "many"}')
    with pytest.raises(InputError, match=r'bias\.json: .*num_examples'):
        read_bias(tmp_path)


def test_annotation_bias_worked_by_hand():
    features, sites, _ = _data(0, 40)
    truth = np.zeros(40, int)
    labels, predictions = truth.copy(), truth.copy()
    of_a, of_b = np.flatnonzero(sites == 0), np.flatnonzero(sites == 1)
    labels[of_a[:8]] = 1  # 8 of 20 mislabelled in a, none in b
    predictions[of_a[:2]] = 1  # 2 of these as labelled
    predictions[of_a[2:4]] = 2  # 2 as neither, and so 4 as they are
    predictions[of_b[:5]] = 2
    known = {'predictions': predictions, 'true_labels': truth}
    found = measure_bias(features, sites, labels, **NAMES, **known, num_resamples=200).annotation
    a, b = found.by_site['a'], found.by_site['b']
    assert a.num_mislabelled == found.all.num_mislabelled == 8
    assert b.num_mislabelled == 0
    assert a.accuracy_against_labels.value == 14 / 20
    assert a.accuracy_against_truth.value == 16 / 20
    assert a.annotators_against_truth.value == 12 / 20
    assert a.swallowed.value == found.all.swallowed.value == 2 / 8
    assert a.recovered.value == 4 / 8
    assert 0 <= a.swallowed.low < 2 / 8 < a.swallowed.high < 0.8
    assert b.swallowed is None
    assert b.recovered is None
    assert found.all.accuracy_against_truth.value == 31 / 40


def test_figures_that_do_not_exist_are_none(same):
    assert same.annotation.all == LabelsAndTruth(240, *[None] * 6)
    features, sites, labels = _data(0, 30)
    alone = measure_bias(features, 0 * sites, 0 * labels, **NAMES, num_resamples=20)
    assert alone.dataset_classification.linear is alone.dataset_classification.mlp is None
    assert alone.within_class.mlp.left_out == ('u', 'v', 'w')
    assert alone.pairs == (SitePair(('a', 'b'), None, None, None),)
    assert alone.ilisi is alone.clisi is None
    assert alone.silhouette == Silhouettes(6, None, None)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'features': np.zeros(240)}, r'features: shape \(240,\), expected \[N, D\]'),
        ({'features': np.full((240, 6), np.nan)}, 'features, row 0: not finite'),
        ({'features': np.ones((240, 6))}, 'features: all rows are the same'),
        ({'sites': np.zeros(240)}, r'sites: float64\[240\], expected integers\[240\]'),
        ({'labels': np.full(240, 3)}, 'labels, row 0: 3, expected 0 to 2 as there are 3 names'),
        ({'true_labels': np.full(240, -1)}, 'true_labels, row 0: -1, expected 0 to 2'),
        ({'predictions': np.zeros(7, int)}, r'predictions: int64\[7\], expected integers\[240\]'),
        ({'groups': np.zeros(7, np.uint64)}, r'groups: shape \(7,\), expected \(240,\)'),
        ({'site_names': ['a', 'a']}, "site_names: 'a' is there twice, expected different names"),
        ({'num_resamples': 0}, 'num_resamples: 0, expected at least 1'),
    ],
)
def test_bad_input(change, message):
    features, sites, labels = _data(0)
    arguments = {'features': features, 'sites': sites, 'labels': labels} | NAMES | change
    with pytest.raises(InputError, match=message):
        measure_bias(**arguments)
