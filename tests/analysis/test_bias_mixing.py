import numpy as np
import pytest

from cda_jax.analysis.bias.mixing import find_neighbours, lisi, mean_lisi_if_mixed, silhouettes


def test_lisi_agrees_with_harmonypy():
    rng = np.random.default_rng(5)
    sites = rng.integers(3, size=400)
    features = rng.normal(size=(400, 4))
    features[:, 0] += sites
    # compute_lisi of harmonypy 0.0.10, perplexity 30, on the same arrays
    found = lisi(find_neighbours(features), sites)
    np.testing.assert_allclose(
        [found.mean(), found.min(), found.max()], [2.22486, 1.26305, 2.99937], rtol=1e-5
    )


def test_lisi_tells_mixed_from_parted():
    rng = np.random.default_rng(0)
    sites = rng.permutation(np.repeat([0, 1, 2], [100, 200, 300]))
    features = rng.normal(size=(600, 5))
    mixed = find_neighbours(features)
    levels = mean_lisi_if_mixed(mixed, sites, seed=0)
    level = levels.mean()
    # 1 / sum of squared shares, less what the smallness of the neighbourhoods takes
    largest = 1 / (1 / 36 + 4 / 36 + 9 / 36)
    assert 0.85 * largest < level < largest
    assert levels.min() < lisi(mixed, sites).mean() < levels.max()
    features[:, 0] += 50 * sites
    parted = find_neighbours(features)
    np.testing.assert_allclose(lisi(parted, sites), 1, rtol=1e-3)
    assert mean_lisi_if_mixed(parted, sites, seed=0).mean() == pytest.approx(level, rel=0.02)


def test_silhouettes_worked_by_hand():
    # s = (b - a) / max(a, b), a to one's own and b to the others, on average
    features, categories = np.array([[0.0], [2], [10], [14]]), np.array([0, 0, 1, 1])
    expected = [(12 - 2) / 12, (10 - 2) / 10, (9 - 4) / 9, (13 - 4) / 13]
    np.testing.assert_allclose(silhouettes(features, categories), expected)
    assert silhouettes(features, np.zeros(4, int)) is silhouettes(features, np.arange(4)) is None
