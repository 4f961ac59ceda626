import numpy as np
from scipy.spatial.distance import pdist
from sklearn.preprocessing import StandardScaler

from cda_jax.analysis.bias.components import largest_components, standardised_components


def _features_of_rank_three():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(80, 3)) @ rng.normal(size=(3, 200)) * rng.uniform(1, 9, 200)
    features[:, 7] = 7  # constant, without a standard deviation
    return features.astype(np.float32)


def test_the_largest_components_keep_the_distances_that_there_are():
    features = _features_of_rank_three()
    reduced = largest_components(features)
    assert reduced.shape == (80, 50)
    np.testing.assert_allclose(pdist(reduced), pdist(features), rtol=1e-4)
    assert largest_components(features[:30]).shape == (30, 30)


def test_standardised_components_are_a_rotation_of_the_standardised_features():
    features = _features_of_rank_three()
    components = standardised_components(features)
    assert components.shape == (80, 3)
    np.testing.assert_allclose(components.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(components.var(axis=0).mean(), 1, rtol=1e-5)
    standardised = StandardScaler().fit_transform(features)
    np.testing.assert_allclose(pdist(components) * np.sqrt(199 / 3), pdist(standardised), rtol=1e-4)
