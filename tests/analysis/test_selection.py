"""Scores without labels, held against values worked out by hand and by plain loops."""

import math

import numpy as np
import pytest

from cda_jax.analysis import selection
from cda_jax.analysis.selection import (
    deep_embedded_validation,
    density_ratio,
    importance_weighted_risk,
    mean_entropy,
    soft_neighbourhood_density,
)


def test_entropy_by_hand():
    sure, torn = [1, 0, 0, 0], [0.25] * 4
    assert mean_entropy(np.array([sure])) == 0
    assert mean_entropy(np.array([sure, torn])) == pytest.approx(math.log(4) / 2)


def test_density_by_hand():
    # Orthogonal: each of the four has three neighbours, all as far.
    assert soft_neighbourhood_density(np.eye(4)) == pytest.approx(math.log(3))
    # Two pairs, close together and far apart: nearly one neighbour each.
    assert soft_neighbourhood_density(np.eye(2)[[0, 0, 1, 1]]) == pytest.approx(0, abs=1e-6)
    assert soft_neighbourhood_density(np.eye(2)[[0] * 6 + [1] * 6]) == pytest.approx(math.log(5))


def test_density_is_that_of_the_equations(monkeypatch):
    logits = np.random.default_rng(0).normal(size=(23, 5))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    rows = [p / math.sqrt(sum(p * p)) for p in probabilities]
    total = 0
    for i, one in enumerate(rows):
        closeness = [math.exp(sum(one * other) / 0.1) for j, other in enumerate(rows) if j != i]
        shares = [c / sum(closeness) for c in closeness]
        total -= sum(share * math.log(share) for share in shares)
    for rows_at_once in (1000, 7):
        monkeypatch.setattr(selection, '_ROWS_AT_ONCE', rows_at_once)
        found = soft_neighbourhood_density(probabilities.astype(np.float32), temperature=0.1)
        assert found == pytest.approx(total / 23, rel=1e-6)


def test_the_ratio_of_two_gaussians():
    # Of N(1, 1) to N(0, 1) it is exp(x - 1/2); twice as many training examples do not change it.
    rng = np.random.default_rng(0)
    training, unlabelled = rng.normal(size=(40_000, 1)), rng.normal(1, size=(20_000, 1))
    x = np.array([[-1.0], [0.0], [1.0], [2.0]])
    found = density_ratio(training.astype(np.float32), unlabelled, x)
    np.testing.assert_allclose(found, np.exp(x[:, 0] - 0.5), rtol=0.1)


def test_risks_by_hand():
    losses, ratio = np.array([1.0, 2.0, 0.0]), np.array([2.0, 0.5, 1.5])
    # Weighted: 2, 1, 0, mean 1. Cov with the ratio: (1 * 2/3 - 0 * 5/6 - 1 * 1/6) / 2 = 1/4; its
    # variance 7/12, its mean 4/3.
    assert importance_weighted_risk(losses, ratio) == pytest.approx(1)
    expected = 1 - (1 / 4) / (7 / 12) * (4 / 3 - 1)
    assert deep_embedded_validation(losses, ratio) == pytest.approx(expected)
    assert deep_embedded_validation(losses, np.full(3, 0.5)) == pytest.approx(0.5)


def test_a_loss_of_one_costs_one_whatever_the_weights():
    ratio = np.random.default_rng(0).exponential(size=50)
    assert importance_weighted_risk(np.ones(50), ratio) != pytest.approx(1)
    assert deep_embedded_validation(np.ones(50), ratio) == pytest.approx(1)
