import numpy as np

from cda_jax.analysis.bias import discrepancy
from cda_jax.analysis.bias.bootstrap import draw_resamples, interval
from cda_jax.analysis.bias.discrepancy import squared_mmd


def _two_sites(shift, num_examples=200, seed=0):
    rng = np.random.default_rng(seed)
    sites = rng.permutation(np.repeat([0, 1], num_examples))
    features = rng.normal(size=(2 * num_examples, 6)).astype(np.float32)
    features[:, 0] += shift * sites
    return features, sites, draw_resamples(None, 2 * num_examples, seed=seed, num_resamples=200)


def _mmd(features, sites, resamples):
    return squared_mmd(features, sites, (0, 1), resamples, seed=0)[0]


def test_squared_mmd_pair_by_pair_of_which_none_is_of_one_photo():
    rng = np.random.default_rng(0)
    features, sites = rng.normal(size=(9, 2)), np.array([0, 1, 1, 0, 1, 0, 1, 0, 1])
    photos = np.array([0, 1, 2, 0, 4, 5, 5, 7, 8])
    resamples = draw_resamples(photos, 9, seed=1, num_resamples=20)
    found, sigma = squared_mmd(features, sites, (0, 1), resamples, seed=0)

    distances = [np.linalg.norm(a - b) for i, a in enumerate(features) for b in features[:i]]
    np.testing.assert_allclose(sigma, np.median(distances))

    def kernel(i, j):
        return np.exp(-((features[i] - features[j]) ** 2).sum() / (2 * sigma**2))

    for row in (0, 3):
        count = resamples.counts[row][resamples.group]

        def mean(left, right, count=count):
            pairs = [(i, j) for i in left for j in right if photos[i] != photos[j]]
            share = sum(count[i] * count[j] for i, j in pairs)
            return sum(count[i] * count[j] * kernel(i, j) for i, j in pairs) / share

        first, second = np.flatnonzero(sites == 0), np.flatnonzero(sites == 1)
        expected = mean(first, first) + mean(second, second) - 2 * mean(first, second)
        np.testing.assert_allclose(found[row], expected, rtol=1e-6)


def test_squared_mmd_is_unbiased_and_sees_a_shift_on_a_subsample_too(monkeypatch):
    same = [_mmd(*_two_sites(0, 60, seed))[0] for seed in range(20)]
    assert min(same) < 0 < max(same)
    assert abs(np.mean(same)) < 2 * np.std(same) / np.sqrt(20)
    whole = _mmd(*_two_sites(1))
    assert interval(whole).low > max(same)
    monkeypatch.setattr(discrepancy, 'MAX_EXAMPLES', 100)
    part = _mmd(*_two_sites(1))
    assert part[0] != whole[0]
    assert interval(part).low < whole[0] < interval(part).high


def test_a_site_of_one_example_has_no_discrepancy():
    features, sites, resamples = _two_sites(0)
    sites[np.flatnonzero(sites == 1)[1:]] = 0
    found, sigma = squared_mmd(features, sites, (0, 1), resamples, seed=0)
    assert interval(found) is sigma is None
