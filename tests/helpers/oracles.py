"""Losses in float64 NumPy."""

import numpy as np


def oracle_weights(logits, targets, mask, alpha, prior=0.0, unit_mean=False):
    logits, targets = logits[mask].astype(np.float64), targets[mask].astype(np.float64)
    n, c = len(logits), logits.shape[1]
    if n == 0 or c == 1:
        return np.ones(c)
    n_j, h_j = np.zeros(c), np.zeros(c)
    for row, target in zip(logits, targets, strict=True):
        for j in range(c):
            n_j[j] += target[j]
            h_j[j] += target[j] * (np.argmax(row) == j)
    of_samples = n_j.copy()
    h_j += prior / c * h_j.sum() / n
    n_j, n = n_j + prior / c, n + prior
    w_d = c * (1 - n_j / n) / (c - 1)
    miss = np.array([1 - h / m if m > 0 else 0.0 for h, m in zip(h_j, n_j, strict=True)])
    w_p = c * miss / miss.sum() if miss.sum() > 0 else np.ones(c)
    product = w_p * w_d
    mean = product.sum() / c
    weights = mean + alpha * (product - mean)
    if unit_mean and of_samples @ weights > 0:
        weights *= of_samples.sum() / (of_samples @ weights)
    return weights


def oracle_loss(logits, targets, mask, weights):
    logits = logits.astype(np.float64)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return np.where(mask, -(weights * targets * log_p).sum(axis=1), 0)
