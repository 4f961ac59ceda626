import numpy as np

from cda_jax.analysis.bias import discrepancy
from cda_jax.analysis.bias.bootstrap import draw_resamples, interval
from cda_jax.analysis.bias.discrepancy import squared_mmd


def _two_sites(shift, num_examples=200, num_features=6, seed=0):
    rng = np.random.default_rng(seed)
    sites = rng.permutation(np.repeat([0, 1], num_examples))
    features = rng.normal(size=(2 * num_examples, num_features)).astype(np.float32)
    features[:, 0] += shift * sites
    return features, sites, draw_resamples(None, 2 * num_examples, seed=seed, num_resamples=200)


def test_squared_mmd_pair_by_pair():
    rng = np.random.default_rng(0)
    features, sites = rng.normal(size=(9, 2)), np.array([0, 1, 1, 0, 1, 0, 1, 0, 1])
    resamples = draw_resamples(None, 9, seed=1, num_resamples=20)
    found, sigma = squared_mmd(features, sites, (0, 1), resamples, seed=0)

    distances = [np.linalg.norm(a - b) for i, a in enumerate(features) for b in features[:i]]
    np.testing.assert_allclose(sigma, np.median(distances))

    def kernel(i, j):
        return np.exp(-((features[i] - features[j]) ** 2).sum() / (2 * sigma**2))

    for row in (0, 3):
        count = resamples.counts[row]

        def mean(left, right, count=count):
            pairs = [(i, j) for i in left for j in right if i != j]
            share = sum(count[i] * count[j] for i, j in pairs)
            return sum(count[i] * count[j] * kernel(i, j) for i, j in pairs) / share

        first, second = np.flatnonzero(sites == 0), np.flatnonzero(sites == 1)
        expected = mean(first, first) + mean(second, second) - 2 * mean(first, second)
        np.testing.assert_allclose(found[row], expected, rtol=1e-6)


def test_squared_mmd_is_unbiased_and_sees_a_shift():
    same = []
    for seed in range(20):
        features, sites, resamples = _two_sites(0, 60, seed=seed)
        same.append(squared_mmd(features, sites, (0, 1), resamples, seed=0)[0][0])
    assert min(same) < 0 < max(same)
    assert abs(np.mean(same)) < 2 * np.std(same) / np.sqrt(20)
    features, sites, resamples = _two_sites(1)
    assert interval(squared_mmd(features, sites, (0, 1), resamples, seed=0)[0]).low > max(same)


def test_squared_mmd_on_a_subsample(monkeypatch):
    features, sites, resamples = _two_sites(1)
    whole, _ = squared_mmd(features, sites, (0, 1), resamples, seed=0)
    monkeypatch.setattr(discrepancy, 'MAX_EXAMPLES', 100)
    part, _ = squared_mmd(features, sites, (0, 1), resamples, seed=0)
    assert part[0] != whole[0]
    assert interval(part).low < whole[0] < interval(part).high


def test_two_faces_of_one_photo_make_no_pair():
    features, sites, _ = _two_sites(0.5, 40)
    photos = np.arange(80)
    once = squared_mmd(features, sites, (0, 1), draw_resamples(photos, 80, seed=0), seed=0)[0]
    doubles = np.repeat(features, 2, axis=0), np.repeat(sites, 2)
    resamples = draw_resamples(np.repeat(photos, 2), 160, seed=0)
    twice = squared_mmd(*doubles, (0, 1), resamples, seed=0)[0]
    # The same but for the median, into which the doubles bring a few distances of 0.
    np.testing.assert_allclose(twice[0], once[0], rtol=0.05)


def test_a_site_of_one_example_has_no_discrepancy():
    features, sites, resamples = _two_sites(0)
    sites[np.flatnonzero(sites == 1)[1:]] = 0
    found, sigma = squared_mmd(features, sites, (0, 1), resamples, seed=0)
    assert interval(found) is None
    assert sigma is None
