import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import cross_val_predict

from cda_jax.analysis.bias.bootstrap import draw_resamples
from cda_jax.analysis.bias.classification import (
    Probing,
    classify_sites,
    classify_sites_within_classes,
    proxy_a_distance,
)
from cda_jax.analysis.bias.probes import cross_fit, deal, linear_probe, make_folds
from cda_jax.analysis.bias.report import Estimate

SITES = ['a', 'b', 'c']


def _features(shift, sizes=(150, 150, 150), num_features=8, seed=0):
    rng = np.random.default_rng(seed)
    sites = rng.permutation(np.repeat([0, 1, 2], sizes))
    features = rng.normal(size=(len(sites), num_features)).astype(np.float32)
    features[:, :3] += shift * np.eye(3, dtype=np.float32)[sites]
    return features, sites


def _folds(sites, resamples, counted=True):
    dealt = deal(sites, resamples.group, seed=0)
    return make_folds(sites, resamples.group, dealt, np.full(len(sites), counted))


def _classify(features, sites, probe=linear_probe, groups=None):
    resamples = draw_resamples(groups, len(sites), seed=0, num_resamples=200)
    return classify_sites(Probing(features, SITES, resamples), _folds(sites, resamples), probe)


def _classify_within(features, sites, labels, class_names):
    resamples = draw_resamples(None, len(sites), seed=0, num_resamples=200)
    folds = {
        name: _folds(sites, resamples, labels == number) for number, name in enumerate(class_names)
    }
    probing = Probing(features, SITES, resamples)
    return classify_sites_within_classes(probing, folds, linear_probe)


def test_scores_agree_with_scikit_learn():
    features, sites = _features(1, (100, 60, 40))
    resamples = draw_resamples(None, 200, seed=0, num_resamples=200)
    guesses = cross_fit(features, _folds(sites, resamples), linear_probe, seed=0)
    found = _classify(features, sites)
    assert found.accuracy.value == pytest.approx(accuracy_score(sites, guesses.likeliest))
    balanced = balanced_accuracy_score(sites, guesses.balanced)
    assert found.balanced_accuracy.value == pytest.approx(balanced)
    assert found.majority_rate == 0.5
    np.testing.assert_array_equal(np.sum(found.confusion, axis=1), [100, 60, 40])
    independent = cross_val_predict(LogisticRegression(), features, sites, cv=10)
    assert found.accuracy.value == pytest.approx((independent == sites).mean(), abs=0.05)


def test_no_photo_is_on_both_sides_of_a_split():
    # Two faces of a photo look the same and photos have nothing in common: who has seen the other
    # face knows the site, who has not can only guess.
    rng = np.random.default_rng(0)
    photos = np.repeat(np.arange(150), 2)
    features = rng.normal(size=(150, 400)).astype(np.float32)[photos]
    sites = rng.integers(3, size=150)[photos]
    torn = _classify(features, sites)
    whole = _classify(features, sites, groups=photos)
    assert torn.balanced_accuracy.value > 0.7
    assert whole.balanced_accuracy.low < 1 / 3 < whole.balanced_accuracy.high


def test_label_shift_does_not_pose_as_bias_within_classes():
    rng = np.random.default_rng(0)
    sites = rng.integers(2, size=800)
    labels = (rng.random(800) < np.where(sites == 0, 0.2, 0.8)).astype(int)
    features = rng.normal(size=(800, 5)).astype(np.float32)
    features[:, 0] += 8 * labels
    overall = _classify(features, sites).balanced_accuracy
    within = _classify_within(features, sites, labels, ['u', 'v'])
    assert overall.value == pytest.approx(0.8, abs=0.04)
    assert within.balanced_accuracy.low < 0.5 < within.balanced_accuracy.high
    by_class = [entry.balanced_accuracy.value for entry in within.classes.values()]
    assert within.balanced_accuracy.value == pytest.approx(np.mean(by_class))


def test_classes_and_sites_with_too_few_examples_are_left_out():
    features, sites = _features(4)
    labels = np.where(sites == 0, 0, 1)
    labels[np.flatnonzero(sites == 1)[:30]] = 0
    found = _classify_within(features, sites, labels, ['u', 'v', 'w'])
    assert found.left_out == ('w',)
    sites_of = {name: entry.sites for name, entry in found.classes.items()}
    assert sites_of == {'u': ('a', 'b'), 'v': ('b', 'c')}
    alone = np.zeros(450, int)
    assert _classify(features, alone) is None
    nothing = _classify_within(features, alone, labels, ['u', 'v'])
    assert nothing.balanced_accuracy is nothing.chance is None
    assert nothing.left_out == ('u', 'v')


def test_proxy_a_distance_of_the_same_is_zero_on_average():
    datasets = (_features(0, (200, 200, 0), seed=seed) for seed in range(20))
    found = [proxy_a_distance(_classify(*each)) for each in datasets]
    values = [each.value for each in found]
    assert abs(np.mean(values)) < 2 * np.std(values) / np.sqrt(20)
    # Intervals leave out that probes share examples: of 200, 173 held 0, not 190.
    assert sum(each.low < 0 < each.high for each in found) >= 15
    # Of parted sites it is two.
    features, sites = _features(0, (200, 200, 0))
    features[:, 1] += 20 * sites
    assert proxy_a_distance(_classify(features, sites)) == Estimate(2, 2, 2)
    sites[np.flatnonzero(sites == 1)[1:]] = 0
    assert proxy_a_distance(_classify(features, sites)) is None
