"""Decides which faces a site has: true expression, annotated label, photo. Draws nothing."""

from typing import NamedTuple

import numpy as np

from cda_jax.prepare.dataset import Split
from cda_jax.standin.sites import Site

SMALLEST_CLASS = 20  # annotated training faces, as long as the set is not tiny


class Photo(NamedTuple):
    """A photo to be drawn.

    Attributes:
        name: Name of the picture, as the site's layout has it.
        split: Where all its faces belong.
        expressions: True expression of each face.
        labels: Annotated label of each face.
    """

    name: str
    split: Split
    expressions: tuple[int, ...]
    labels: tuple[int, ...]


def class_counts(weights: np.ndarray, total: int, floor: int = 0) -> np.ndarray:
    """Shares out a number of faces over the classes by largest remainder.

    Args:
        weights: f64[C], not negative, with a positive sum.
        total: How many faces there are; at least floor * C.
        floor: Smallest number a class gets; the other classes make up for it.

    Returns:
        i64[C] with the sum `total`.
    """
    weights = np.asarray(weights, float)
    free = np.ones(len(weights), bool)
    while True:
        rest = total - floor * int((~free).sum())
        quota = np.where(free, weights * rest / weights[free].sum(), floor)
        below = free & (quota < floor)
        if not below.any():
            break
        free &= ~below
    counts = np.floor(quota).astype(np.int64)
    order = np.argsort(counts - quota, kind='stable')
    counts[order[: total - counts.sum()]] += 1
    return counts


def true_given_label(confusion: np.ndarray, label_counts: np.ndarray) -> np.ndarray:
    """Bayes: how likely each true expression is behind an annotated label.

    The prior is the one with which the confusion leads to exactly these labels, so that the faces
    follow both the confusion and the label counts.

    Args:
        confusion: f64[C, C]; row = true expression, column = label; positive, rows sum to 1.
        label_counts: [C].

    Returns:
        f64[C, C]; row = true expression, column = label; columns sum to 1.
    """
    prior = np.linalg.solve(confusion.T, label_counts / np.sum(label_counts))
    joint = np.maximum(prior, 0.0)[:, None] * confusion
    return joint / joint.sum(axis=0)


def plan_site(
    rng: np.random.Generator,
    site: Site,
    names: tuple[list[str], list[str]],
    sizes: tuple[list[int], list[int]],
) -> list[Photo]:
    """Spreads a site's faces over its photos.

    Args:
        rng: Source of randomness.
        site: Whose class skew and confusion of labels the faces follow.
        names: Names of the training photos and of the test photos.
        sizes: Faces on each of these photos, in the same form.

    Returns:
        The photos, training first.
    """
    faces = sum(sizes[0])
    floor = max(1, min(SMALLEST_CLASS, faces // 14))
    train = _faces(rng, site.confusion, site.train_weights, faces, floor)
    test = _faces(rng, site.confusion, site.test_weights, sum(sizes[1]), 1)
    return [
        *_photos('train', names[0], sizes[0], train),
        *_photos('test', names[1], sizes[1], test),
    ]


def group_sizes(
    rng: np.random.Generator, total: int, probabilities: tuple[float, ...]
) -> list[int]:
    """Draws how many faces are on each photo.

    Args:
        rng: Source of randomness.
        total: Number of faces on all photos together.
        probabilities: Of 1, 2, ... faces on a photo.

    Returns:
        A list of numbers of faces with the sum `total`.
    """
    drawn = 1 + rng.choice(len(probabilities), size=total, p=probabilities)
    before = np.cumsum(drawn) - drawn
    return np.minimum(drawn, total - before)[before < total].tolist()


def _faces(rng, confusion, weights, total, floor):
    """Pairs of true expression and label, i64[total, 2], in random order."""
    labels = class_counts(weights, total, floor)
    posterior = true_given_label(confusion, labels)
    pairs = [
        (truth, label)
        for label, count in enumerate(labels)
        for truth, times in enumerate(class_counts(posterior[:, label], count))
        for _ in range(times)
    ]
    return rng.permutation(np.array(pairs))


def _photos(split, names, sizes, faces):
    start = 0
    for name, size in zip(names, sizes, strict=True):
        group = faces[start : start + size].tolist()
        start += size
        truths, labels = zip(*group, strict=True)
        yield Photo(name, split, truths, labels)
