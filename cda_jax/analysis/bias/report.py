"""What the bias measures give, as types; `bias.json` holds a `BiasReport` of the same names.

A figure that does not exist is None. docs/bias.md explains every figure.
"""

from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from cda_jax.runtime.files import read_json
from cda_jax.runtime.workdir import BIAS

T = TypeVar('T')


class Estimate(msgspec.Struct, frozen=True):
    """A figure with its 95 % percentile interval."""

    value: float
    low: float
    high: float


class ByProbe(msgspec.Struct, Generic[T], frozen=True):
    """One result for each kind of probe."""

    linear: T
    mlp: T


class SiteClassification(msgspec.Struct, frozen=True):
    """Name that dataset, by a fresh probe, among the sites that have enough examples."""

    sites: tuple[str, ...]
    accuracy: Estimate
    balanced_accuracy: Estimate
    chance: float  # balanced accuracy without any skill
    majority_rate: float  # accuracy without any skill
    confusion: tuple[tuple[int, ...], ...]  # of the balanced choice; rows are the true sites


class WithinClassClassification(msgspec.Struct, frozen=True):
    """As above, with a probe for each class; figures are unweighted means over the classes."""

    accuracy: Estimate | None
    balanced_accuracy: Estimate | None
    chance: float | None
    majority_rate: float | None
    classes: dict[str, SiteClassification]
    left_out: tuple[str, ...]  # classes of which fewer than two sites have enough examples


class SitePair(msgspec.Struct, frozen=True):
    """How far two sites are apart."""

    sites: tuple[str, str]
    a_distance: Estimate | None
    mmd2: Estimate | None
    mmd_bandwidth: float | None


class Mixing(msgspec.Struct, frozen=True):
    """How many categories a neighbourhood effectively holds, from `lowest` to `highest`."""

    estimate: Estimate
    lowest: int
    highest: int
    if_mixed: Estimate  # what shuffled categories give: their mean, and the range of 95 %


class Silhouettes(msgspec.Struct, frozen=True, rename={'class_': 'class'}):
    """Mean silhouettes in some principal components; the file calls `class_` `class`."""

    components: int
    site: Estimate | None
    class_: Estimate | None


class LabelsAndTruth(msgspec.Struct, frozen=True):
    """Predictions, labels and what there is to see, held against each other."""

    num_examples: int
    num_mislabelled: int | None
    accuracy_against_labels: Estimate | None
    accuracy_against_truth: Estimate | None
    annotators_against_truth: Estimate | None
    # Of the examples whose label is not the truth:
    swallowed: Estimate | None  # predicted as labelled
    recovered: Estimate | None  # predicted as they are


class AnnotationBias(msgspec.Struct, frozen=True):
    """How much of the annotators' errors a model took over."""

    all: LabelsAndTruth
    by_site: dict[str, LabelsAndTruth]


class MeasureSettings(msgspec.Struct, frozen=True):
    """What the figures depend on besides the data."""

    seed: int
    resamples: int
    confidence: float
    folds: int
    min_examples_of_a_site: int
    max_mmd_examples: int
    perplexity: int
    probe_components: int


class BiasReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All bias measures of one network's features; nothing but `collapsed` if all are the same."""

    collapsed: bool = False
    num_examples: int | None = None
    num_photos: int | None = None
    examples_by_site: dict[str, int] | None = None
    settings: MeasureSettings | None = None
    dataset_classification: ByProbe[SiteClassification | None] | None = None
    within_class: ByProbe[WithinClassClassification] | None = None
    pairs: tuple[SitePair, ...] | None = None
    ilisi: Mixing | None = None  # of the sites
    clisi: Mixing | None = None  # of the classes
    silhouette: Silhouettes | None = None
    annotation: AnnotationBias | None = None


def read_bias(workdir: Path) -> BiasReport | None:
    """Reads a run's bias.json; None if there is none, InputError if it is damaged."""
    path = workdir / BIAS
    return read_json(path, BiasReport) if path.exists() else None
