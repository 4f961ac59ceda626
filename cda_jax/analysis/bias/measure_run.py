"""From a run's workdir to its bias measures, kept beside its results."""

from pathlib import Path

import numpy as np

from cda_jax.analysis.bias.measure import measure_bias
from cda_jax.analysis.bias.report import BiasReport
from cda_jax.analysis.features import Features, extract_features, write_features
from cda_jax.config import Config
from cda_jax.runtime.files import write_json
from cda_jax.runtime.workdir import BIAS, FEATURES


def measure_run(config: Config, workdir: Path) -> tuple[Features, BiasReport]:
    """Extracts the features of a run's test sets, measures them, and writes both to its workdir.

    Args:
        config: The run's; test sites, data and devices may be others.
        workdir: The run's directory.

    Raises:
        InputError: There is no checkpoint, or the data cannot be used.
    """
    features = extract_features(config, workdir)
    measures = _measure(features)
    write_features(workdir / FEATURES, features)
    write_json(workdir / BIAS, measures)
    return features, measures


def _measure(features: Features) -> BiasReport:
    if np.ptp(features.features, axis=0).max() == 0:
        return BiasReport(collapsed=True)
    return measure_bias(
        features.features,
        features.site,
        features.label,
        site_names=features.site_names,
        class_names=features.class_names,
        groups=features.photo_hash,
        predictions=features.prediction,
        true_labels=features.true_label,
    )
