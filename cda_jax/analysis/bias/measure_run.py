"""From a run's workdir to its bias measures, kept beside its results."""

import json
from pathlib import Path

import numpy as np

from cda_jax.analysis.bias.measure import measure_bias
from cda_jax.analysis.features import FEATURES_FILE, Features, extract_features, write_features
from cda_jax.config import Config
from cda_jax.errors import InputError
from cda_jax.runtime.files import write_json

BIAS_FILE = 'bias.json'


def measure_run(config: Config, workdir: Path) -> tuple[Features, dict]:
    """Extracts the features of a run's test sets, measures them, and writes both to its workdir.

    Args:
        config: Of `cda_jax.runtime.workdir.config_of_run`.
        workdir: Of the run.

    Returns:
        The features, and what `measure_bias` gives for them; of a network whose features are all
        the same, `{'collapsed': True}`.

    Raises:
        InputError: There is no checkpoint, or the data cannot be used.
    """
    features = extract_features(config, workdir)
    measures = _measure(features)
    write_features(workdir / FEATURES_FILE, features)
    write_json(workdir / BIAS_FILE, measures)
    return features, measures


def read_bias(workdir: Path) -> dict | None:
    """Reads what `measure_run` wrote; None if it did not.

    Raises:
        InputError: The file is damaged.
    """
    path = workdir / BIAS_FILE
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise InputError(f'{path}: expected bias measures of a run: {error}') from error


def _measure(features: Features) -> dict:
    if np.ptp(features.features, axis=0).max() == 0:
        return {'collapsed': True}
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
