import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import cross_val_predict

from cda_jax.analysis.bias.bootstrap import draw_resamples
from cda_jax.analysis.bias.probes import (
    Probing,
    classify_sites,
    classify_sites_within_classes,
    cross_fit,
    deal,
    linear_probe,
    mlp_probe,
    proxy_a_distance,
)
from cda_jax.analysis.bias.report import Estimate

SITES = ['a', 'b', 'c']


def _features(shift, sizes=(150, 150, 150), num_features=8, seed=0):
    rng = np.random.default_rng(seed)
    sites = rng.permutation(np.repeat([0, 1, 2], sizes))
    features = rng.normal(size=(len(sites), num_features)).astype(np.float32)
    features[:, :3] += shift * np.eye(3, dtype=np.float32)[sites]
    return features, sites


def _probing(features, sites, groups=None):
    resamples = draw_resamples(groups, len(sites), seed=0, num_resamples=200)
    return Probing(features, sites, deal(sites, resamples.group, seed=0), SITES, resamples)


def _classify(features, sites, probe=linear_probe, groups=None):
    found = classify_sites(_probing(features, sites, groups), probe, np.ones(len(sites), bool))
    return found and found[0]


def _a_distance(features, sites):
    return proxy_a_distance(_classify(features, sites).balanced_accuracy)


def _classify_within(features, sites, labels, class_names):
    of_class = {name: labels == number for number, name in enumerate(class_names)}
    return classify_sites_within_classes(_probing(features, sites), linear_probe, of_class)


def test_only_the_perceptron_sees_a_difference_in_spread():
    rng = np.random.default_rng(0)
    sites = rng.integers(2, size=600)
    features = rng.normal(size=(600, 4)).astype(np.float32) * (1 + 3 * sites[:, None])
    assert _classify(features, sites).balanced_accuracy.value < 0.6
    assert _classify(features, sites, mlp_probe).balanced_accuracy.value > 0.85


def test_linear_probe_agrees_with_the_best_rule():
    # Three unit normal distributions on the corners of a simplex with side 3 * sqrt(2): by Monte
    # Carlo, the nearest centre is the right one with this probability.
    rng = np.random.default_rng(0)
    draws = rng.normal([3, 0, 0], size=(100_000, 3))
    best = (draws.argmax(axis=1) == 0).mean()
    found = _classify(*_features(3, (400, 400, 400))).balanced_accuracy
    assert found.value == pytest.approx(best, abs=0.02)
    assert found.low < best < found.high


def test_scores_agree_with_scikit_learn():
    features, sites = _features(1, (100, 60, 40))
    probing = _probing(features, sites)
    likeliest, balanced = cross_fit(probing, np.arange(200), sites, linear_probe)
    found = _classify(features, sites)
    assert found.accuracy.value == pytest.approx(accuracy_score(sites, likeliest))
    expected = balanced_accuracy_score(sites, balanced)
    assert found.balanced_accuracy.value == pytest.approx(expected)
    assert found.majority_rate == 0.5
    np.testing.assert_array_equal(np.sum(found.confusion, axis=1), [100, 60, 40])
    independent = cross_val_predict(LogisticRegression(), features, sites, cv=10)
    assert found.accuracy.value == pytest.approx((independent == sites).mean(), abs=0.05)


def test_a_rare_site_counts_as_much_as_a_frequent_one():
    found = _classify(*_features(2, (1000, 60, 60)))
    recalls = np.diag(found.confusion) / np.sum(found.confusion, axis=1)
    assert recalls.min() > 0.65
    assert found.accuracy.value > found.majority_rate


def test_no_photo_is_on_both_sides_of_a_split():
    # Two faces of a photo look the same and photos have nothing in common: who has seen the other
    # face knows the site, who has not can only guess.
    rng = np.random.default_rng(0)
    photos = np.repeat(np.arange(150), 2)
    features = rng.normal(size=(150, 400)).astype(np.float32)[photos]
    sites = rng.integers(3, size=150)[photos]
    assert _classify(features, sites).balanced_accuracy.value > 0.7
    whole = _classify(features, sites, groups=photos).balanced_accuracy
    assert whole.low < 1 / 3 < whole.high


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
    alone[:19] = 1
    assert _classify(features, alone) is None
    nothing = _classify_within(features, alone, labels, ['u', 'v'])
    assert nothing.balanced_accuracy is nothing.chance is None
    assert nothing.left_out == ('u', 'v')


def test_proxy_a_distance_is_0_of_the_same_on_average_and_2_of_parted_sites():
    found = [_a_distance(*_features(0, (200, 200, 0), seed=seed)) for seed in range(20)]
    values = [each.value for each in found]
    assert abs(np.mean(values)) < 2 * np.std(values) / np.sqrt(20)
    # Intervals leave out that probes share examples: of 200, 173 held 0, not 190.
    assert sum(each.low < 0 < each.high for each in found) >= 15
    # The best rule errs with probability Phi(-shift / 2): 0.1587 for a shift of 2.
    near = _a_distance(*_features(2 / np.sqrt(2), (1000, 1000, 0), 3))
    assert near.value == pytest.approx(2 * (1 - 2 * 0.1587), abs=0.06)
    assert _a_distance(*_features(20, (200, 200, 0))) == Estimate(2, 2, 2)
