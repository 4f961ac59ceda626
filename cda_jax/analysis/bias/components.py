"""Fewer coordinates for the same features; nothing here looks at sites or labels."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

_KEPT_VARIANCE = 0.999
_NUM_COMPONENTS = 50


def standardised_components(features: np.ndarray) -> np.ndarray:
    """Standardised features in as many principal components as hold 99.9 % of their variance.

    A network's features fill few of their dimensions, and a probe with a ridge cannot use what is
    left out here; with it, a report would take minutes. Components keep their ratios of variance.

    Returns:
        float32[N, R], of mean 0, and of variance 1 on average over the R columns.
    """
    standardised = StandardScaler(copy=False).fit_transform(features.astype(float))
    components = PCA(_KEPT_VARIANCE, svd_solver='covariance_eigh').fit_transform(standardised)
    return (components / components.std()).astype(np.float32)


def largest_components(features: np.ndarray, *, seed: int) -> np.ndarray:
    """The first min(N, D, 50) principal components as float64.

    Neighbours in them mean more than neighbours among the features. The seed is that of the
    randomised decomposition that large inputs get.
    """
    num_components = min(_NUM_COMPONENTS, *features.shape)
    return PCA(num_components, random_state=seed).fit_transform(np.asarray(features, float))
