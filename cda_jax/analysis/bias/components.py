"""Fewer coordinates for the same features; nothing here looks at sites or labels."""

import numpy as np
from sklearn.decomposition import PCA

_KEPT_VARIANCE = 0.999
_NUM_COMPONENTS = 50
_SOLVER = 'covariance_eigh'  # exact, and needs no other copy of the features


def standardised_components(features: np.ndarray) -> np.ndarray:
    """Standardised features in as many principal components as hold 99.9 % of their variance.

    A network's features fill few of their dimensions, and a probe with a ridge cannot use what is
    left out here; with it, a report would take minutes. Components, float32[N, R], keep their
    ratios of variance; their mean is 0, and their variance 1 on average over the R columns.
    """
    centred = _centred(features)
    deviations = np.sqrt(np.square(centred).mean(axis=0, dtype=float))
    centred /= np.where(deviations > 0, deviations, 1).astype(np.float32)
    components = PCA(_KEPT_VARIANCE, svd_solver=_SOLVER).fit_transform(centred)
    components /= components.std(dtype=float)
    return components


def largest_components(features: np.ndarray) -> np.ndarray:
    """The first min(N, D, 50) principal components, float64[N, R].

    Neighbours in them mean more than neighbours among the features.
    """
    num_components = min(_NUM_COMPONENTS, *features.shape)
    return PCA(num_components, svd_solver=_SOLVER).fit_transform(_centred(features)).astype(float)


def _centred(features: np.ndarray) -> np.ndarray:
    """A copy, float32[N, D], of mean 0: so single precision is enough for the covariances."""
    return np.subtract(features, features.mean(axis=0, dtype=float), dtype=np.float32)
