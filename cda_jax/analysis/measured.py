"""What is measured in the features of a run's test sets."""

import csv
from pathlib import Path

import numpy as np

from cda_jax.analysis.bias import BiasReport, measure_bias
from cda_jax.analysis.features import Features, write_features
from cda_jax.config import Config
from cda_jax.data.sites import TRUE_LABELS_FILE
from cda_jax.errors import InputError
from cda_jax.evaluate import features_of_run
from cda_jax.runtime.files import write_json
from cda_jax.runtime.workdir import BIAS, FEATURES


def measure_run(config: Config, workdir: Path) -> tuple[Features, BiasReport]:
    """Measures the features of a run's test sets, and writes the bias report to its workdir.

    The true labels, where they are known, are added to the file of the features.

    Args and errors are those of `features_of_run`.
    """
    features = features_of_run(config, workdir)
    truth = _true_labels(config, features)
    if not np.array_equal(truth, features.true_label):
        features = features._replace(true_label=truth)
        write_features(workdir / FEATURES, features)
    if np.ptp(features.features, axis=0).max() == 0:
        bias = BiasReport(collapsed=True)
    else:
        bias = measure_bias(
            features.features,
            features.site,
            features.label,
            site_names=features.site_names,
            class_names=features.class_names,
            groups=features.photo_hash,
            predictions=features.prediction,
            true_labels=features.true_label,
        )
    write_json(workdir / BIAS, bias)
    return features, bias


def _true_labels(config: Config, features: Features) -> np.ndarray | None:
    """int32[N], or None if some site lacks them, or the labels are the sites."""
    paths = [Path(config.data_dir) / name / TRUE_LABELS_FILE for name in features.site_names]
    if config.target == 'site' or not all(path.exists() for path in paths):
        return None
    found = np.empty(len(features.id), np.int32)
    for site, path in enumerate(paths):
        with path.open(encoding='utf-8', newline='') as file:
            rows = list(csv.DictReader(file))
        if not rows or not {'id', 'true_label'} <= rows[0].keys():
            raise InputError(f'{path}: expected a table with the columns id and true_label')
        truth = {row['id']: row['true_label'] for row in rows}
        for row in np.flatnonzero(features.site == site):
            name = truth.get(features.id[row])
            if name not in features.class_names:
                raise InputError(
                    f'{path}: true_label of {features.id[row]} is {name!r}, expected one of '
                    f'{", ".join(features.class_names)}'
                )
            found[row] = features.class_names.index(name)
    return found
