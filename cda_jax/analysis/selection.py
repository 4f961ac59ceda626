"""How well a network may do on a site, without that site's labels."""

import numpy as np
from jaxtyping import Float
from scipy.special import entr, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

_ROWS_AT_ONCE = 1000


def mean_entropy(probabilities: Float[np.ndarray, 'N C']) -> float:
    """Mean entropy of the predictions, in nats, 0 to ln C; the lower, the surer the network.

    Source: Grandvalet and Bengio (2005), the conditional entropy,
    https://papers.nips.cc/paper/2740-semi-supervised-learning-by-entropy-minimization; to select
    models by, Morerio et al. (2018), https://arxiv.org/abs/1711.10288

    A network that takes every example for one class, and is sure of it, has the best score.
    """
    return float(entr(np.asarray(probabilities, float)).sum(axis=1).mean())


def soft_neighbourhood_density(
    probabilities: Float[np.ndarray, 'N C'], temperature: float = 0.05
) -> float:
    """How many close neighbours an example has among the predictions: the more, the better.

    With the predictions scaled to length 1, the entropy of the softmax over the cosine similarities
    of one example to all others, averaged over the examples: in nats, 0 to ln(N - 1). Only sets of
    the same examples can be compared.

    Source: Saito et al. (2021), equations 1 to 3, https://arxiv.org/abs/2108.10860
    """
    rows = np.asarray(probabilities, float)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    entropies = []
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        similarity = rows[start : start + _ROWS_AT_ONCE] @ rows.T / temperature
        place = np.arange(len(similarity))
        similarity[place, start + place] = -np.inf  # nobody is a neighbour of their own
        entropies.append(entr(softmax(similarity, axis=1)).sum(axis=1))
    return float(np.concatenate(entropies).mean())


def density_ratio(
    training: Float[np.ndarray, 'N D'],
    unlabelled: Float[np.ndarray, 'M D'],
    validation: Float[np.ndarray, 'V D'],
) -> Float[np.ndarray, ' V']:
    """How much more frequent a validation example's features are at the unlabelled site.

    A logistic regression learns to tell the features of the unlabelled site from those of the
    training data; the ratio of its probabilities, times N / M, is that of the densities.

    Source: You et al. (2019), algorithm 1, http://proceedings.mlr.press/v97/you19a.html
    """
    both = np.concatenate([training, unlabelled]).astype(float)
    told_apart = make_pipeline(
        StandardScaler(), LogisticRegression(C=1 / both.shape[1], max_iter=500)
    )
    told_apart.fit(both, np.repeat([0, 1], [len(training), len(unlabelled)]))
    return len(training) / len(unlabelled) * np.exp(told_apart.decision_function(validation))


def importance_weighted_risk(
    losses: Float[np.ndarray, ' V'], ratio: Float[np.ndarray, ' V']
) -> float:
    """Mean validation loss as if the examples were as frequent as at the unlabelled site.

    The ratio is as from `density_ratio`.

    Source: Sugiyama et al. (2007), https://jmlr.org/papers/v8/sugiyama07a.html
    """
    return float(np.mean(np.multiply(losses, ratio, dtype=float)))


def deep_embedded_validation(
    losses: Float[np.ndarray, ' V'], ratio: Float[np.ndarray, ' V']
) -> float:
    """The importance-weighted risk with the weights as a control variate, so that it varies less.

    The weights have an expectation of 1; how far their mean is from it corrects the mean of the
    weighted losses, by the slope of these on the weights. Equal weights correct nothing.

    Source: You et al. (2019), algorithm 1, http://proceedings.mlr.press/v97/you19a.html
    """
    ratio = np.asarray(ratio, float)
    weighted = ratio * losses
    if np.ptp(ratio) == 0:
        return float(weighted.mean())
    slope = np.cov(weighted, ratio)[0, 1] / ratio.var(ddof=1)
    return float(weighted.mean() - slope * (ratio.mean() - 1))
