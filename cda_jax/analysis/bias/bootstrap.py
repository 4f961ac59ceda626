"""Percentile bootstrap of means of per-example scores, by photo."""

from typing import NamedTuple

import numpy as np

from cda_jax.analysis.bias.report import Estimate

CONFIDENCE = 0.95


class Resamples(NamedTuple):
    """How often each photo was drawn. One set serves all measures, which keeps them comparable."""

    group: np.ndarray  # int64[N], number of each example's photo, 0 to G - 1
    # float32[1 + B, G]. Row 0 is all ones: the data as they are. So the same formula gives a figure
    # (row 0) and its B resampled values.
    counts: np.ndarray


def draw_resamples(
    groups: np.ndarray | None, num_examples: int, *, seed: int, num_resamples: int = 1000
) -> Resamples:
    """Draws as many photos as there are, with replacement.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 6 and 13; whole
    clusters are drawn because the faces of one photo are not independent. Groups are uint64[N], the
    photo of each example, or None where each has its own.
    """
    photos = np.arange(num_examples) if groups is None else groups
    group = np.unique(photos, return_inverse=True)[1]
    num_groups = int(group.max()) + 1
    rng = np.random.default_rng(seed)
    counts = np.ones((1 + num_resamples, num_groups), np.float32)
    for row in counts[1:]:
        row[:] = np.bincount(rng.integers(num_groups, size=num_groups), minlength=num_groups)
    return Resamples(group, counts)


def stratum_means(
    scores: np.ndarray, strata: np.ndarray, num_strata: int, rows: np.ndarray, resamples: Resamples
) -> np.ndarray:
    """Means of the scores within each stratum, for the data and for every resample.

    Scores float[n] and strata int[n], 0 to S - 1, are of the examples that count: those in `rows`,
    int[n], of the N resampled ones.

    Returns:
        float64[1 + B, S]; NaN where a resample has no example of a stratum.
    """
    totals, numbers = np.zeros((2, resamples.counts.shape[1], num_strata))
    np.add.at(totals, (resamples.group[rows], strata), scores)
    np.add.at(numbers, (resamples.group[rows], strata), 1)
    sums, weights = (
        (resamples.counts @ cells.astype(np.float32)).astype(float) for cells in (totals, numbers)
    )
    # Single precision is for the resamples; a reported figure is exact.
    sums[0] = totals.sum(axis=0)
    return np.divide(sums, weights, out=np.full_like(sums, np.nan), where=weights > 0)


def mean_of_present(figures: np.ndarray) -> np.ndarray:
    """Mean over the last axis without its NaNs; NaN where there is nothing else."""
    return np.ma.masked_invalid(figures).mean(axis=-1).filled(np.nan)


def interval(figures: np.ndarray) -> Estimate | None:
    """A figure with its 95 % percentile interval, from those of the data and of the resamples.

    Where one has no such figure, float[1 + B] has NaN. None if the data or all resamples have none.
    """
    if np.isnan(figures[0]) or np.isnan(figures[1:]).all():
        return None
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.nanpercentile(figures[1:], [tail, 100 - tail])
    return Estimate(float(figures[0]), float(low), float(high))


def mean_interval(
    scores: np.ndarray, resamples: Resamples, counted: np.ndarray | None = None
) -> Estimate | None:
    """The mean of float[N] scores, of those counted if not all; None where none is."""
    rows = np.arange(len(scores)) if counted is None else np.flatnonzero(counted)
    strata = np.zeros(len(rows), int)
    return interval(stratum_means(scores[rows], strata, 1, rows, resamples)[:, 0])
