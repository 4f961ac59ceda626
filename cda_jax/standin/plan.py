"""Decides which faces a site has: true expression, annotated label, photo. Draws nothing."""

import numpy as np

from cda_jax.data.manifest import SPLITS
from cda_jax.standin.layouts import LAYOUTS
from cda_jax.standin.photos import Photo
from cda_jax.standin.styles import SITE_STYLES

_SMALLEST_CLASS = 20  # annotated training faces, unless the set is tiny


def generator(seed: int, *key: int) -> np.random.Generator:
    """Returns a source of randomness that depends on no other of the same seed."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def plan_site(seed: int, index: int, train_faces: int, test_faces: int) -> list[Photo]:
    """Spreads the faces of `SITE_STYLES[index]` over photos, those for training first."""
    rng, style = generator(seed, index, 0), SITE_STYLES[index]
    sizes = [group_sizes(rng, faces, style.group) for faces in (train_faces, test_faces)]
    names = LAYOUTS[style.name].name_photos(seed, *map(len, sizes))
    smallest = max(1, min(_SMALLEST_CLASS, train_faces // 14))
    train_labels = class_counts(style.train_weights, train_faces, smallest)
    test_labels = class_counts(style.test_weights, test_faces, smallest=1)
    photos = []
    for split, labels, photo_names, photo_sizes in zip(
        SPLITS, (train_labels, test_labels), names, sizes, strict=True
    ):
        faces = np.split(_faces(rng, style.confusion, labels), np.cumsum(photo_sizes)[:-1])
        for name, group in zip(photo_names, faces, strict=True):
            truths, annotated = map(tuple, group.T.tolist())
            photos.append(Photo(name, split, truths, annotated))
    return photos


def group_sizes(
    rng: np.random.Generator, total: int, probabilities: tuple[float, ...]
) -> list[int]:
    """Puts faces into photos, 1, 2, ... in each with these probabilities, `total` in all."""
    drawn = 1 + rng.choice(len(probabilities), size=total, p=probabilities)
    before = np.cumsum(drawn) - drawn
    return np.minimum(drawn, total - before)[before < total].tolist()


def class_counts(weights: np.ndarray, total: int, smallest: int = 0) -> np.ndarray:
    """Shares `total` faces out over the classes by largest remainder; `smallest` is the least."""
    weights = np.asarray(weights, float)
    lifted = np.zeros(len(weights), bool)
    while True:
        rest = total - smallest * int(lifted.sum())
        quota = np.where(lifted, smallest, weights * rest / weights[~lifted].sum())
        too_small = quota < smallest
        if not too_small.any():
            break
        lifted |= too_small
    counts = np.floor(quota).astype(np.int64)
    order = np.argsort(counts - quota, kind='stable')
    counts[order[: total - counts.sum()]] += 1
    return counts


def true_given_label(confusion: np.ndarray, label_counts: np.ndarray) -> np.ndarray:
    """Bayes: how likely each true expression is behind an annotated label.

    The prior is the one with which the confusion leads to exactly these labels, so that the faces
    follow both the confusion and the label counts. In both matrices a row is a true expression and
    a column a label; rows of `confusion` sum to 1, and so do columns of the result.
    """
    prior = np.linalg.solve(confusion.T, label_counts / np.sum(label_counts))
    joint = np.maximum(prior, 0.0)[:, None] * confusion
    return joint / joint.sum(axis=0)


def _faces(rng: np.random.Generator, confusion: np.ndarray, label_counts: np.ndarray) -> np.ndarray:
    """int64[N, 2], the true expression and the label of every face, shuffled."""
    posterior = true_given_label(confusion, label_counts)
    faces = [
        (truth, label)
        for label, count in enumerate(label_counts)
        for truth, times in enumerate(class_counts(posterior[:, label], count))
        for _ in range(times)
    ]
    return rng.permutation(np.array(faces))
