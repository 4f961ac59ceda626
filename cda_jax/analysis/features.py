"""The features of a run's test sets, what else is known of each example, and their bias."""

import csv
import functools
from pathlib import Path
from typing import NamedTuple

import grain
import jax
import msgspec
import numpy as np

from cda_jax.analysis.bias import BiasReport, measure_bias
from cda_jax.config import Config
from cda_jax.data.arrays import read_npz
from cda_jax.data.examples import Examples
from cda_jax.data.pipeline import eval_batches
from cda_jax.data.sites import TRUE_LABELS_FILE, Part
from cda_jax.errors import InputError
from cda_jax.evaluate import EvaluationSet, load_with_test_sets, logit_adjustment
from cda_jax.experiment import class_names, reading
from cda_jax.runtime import devices
from cda_jax.runtime.files import replacing, write_json
from cda_jax.runtime.workdir import BIAS, FEATURES
from cda_jax.step import predict


class Features(NamedTuple):
    """What a network makes of every example of its test sets, after so many steps of training."""

    features: np.ndarray  # float32[N, D], f(x)
    site: np.ndarray  # int32[N], places in `site_names`
    label: np.ndarray  # int32[N], as recorded; or the site, where that was the target
    prediction: np.ndarray  # int32[N], of the emotion classifier that answers for the site
    true_label: np.ndarray | None  # int32[N], not the annotators'; None if some site lacks it
    photo_hash: np.ndarray  # uint64[N]
    id: np.ndarray  # str[N]
    site_names: tuple[str, ...]
    class_names: tuple[str, ...]
    step: int


def measure_run(config: Config, workdir: Path) -> tuple[Features, BiasReport]:
    """Extracts the features of a run's test sets, measures them, and writes both to its workdir.

    Args and errors are those of `extract_features`.
    """
    features = extract_features(config, workdir)
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
    write_features(workdir / FEATURES, features)
    write_json(workdir / BIAS, bias)
    return features, bias


def extract_features(config: Config, workdir: Path) -> Features:
    """Computes the features of a run's test sets at the checkpoint that its results are of.

    Args:
        config: The run's, though its test sites, data and devices may be others.

    Raises:
        InputError: There is no checkpoint of this network, the test data cannot be used, or
            several processes take part.
    """
    if jax.process_count() > 1:
        raise InputError('features are extracted by one process; expected no others beside it')
    trained, test_sets = load_with_test_sets(config, workdir)
    rows_over_devices = devices.lift_rows(
        functools.partial(
            predict,
            model=trained.model,
            image_size=config.image_size,
            adjust=logit_adjustment(config.posthoc_tau, trained.training.head_class_counts),
        )
    )
    features, predictions, labels = zip(
        *(_outputs(config, rows_over_devices, trained.weights, entry) for entry in test_sets),
        strict=True,
    )
    ids = [_ids(entry.part) for entry in test_sets]
    classes = class_names(config, test_sets[0].part.site.manifest.class_names)
    truths = [
        _true_labels(entry.part, names, classes) if config.target == 'label' else None
        for entry, names in zip(test_sets, ids, strict=True)
    ]
    return Features(
        features=np.concatenate(features),
        site=np.repeat(np.arange(len(ids), dtype=np.int32), [len(names) for names in ids]),
        label=np.concatenate(labels),
        prediction=np.concatenate(predictions).astype(np.int32),
        true_label=None if any(t is None for t in truths) else np.concatenate(truths),
        photo_hash=np.concatenate([entry.part.index.photo_hash for entry in test_sets]),
        id=np.concatenate(ids),
        site_names=tuple(entry.part.site.name for entry in test_sets),
        class_names=classes,
        step=trained.step,
    )


def write_features(path: Path, features: Features) -> None:
    """Writes features as an npz file, whole or not at all; nothing in it is pickled."""
    arrays = {name: np.asarray(v) for name, v in features._asdict().items() if v is not None}
    with replacing(path) as temporary, temporary.open('wb') as file:
        np.savez(file, **arrays)


def read_features(path: Path) -> Features:
    """Reads what `write_features` wrote; InputError if it is missing or damaged."""
    try:
        # Arrays are not compressed, so they take no more than the file.
        stored = read_npz(path, max_bytes=path.stat().st_size)
        names = {name: tuple(stored.pop(name).tolist()) for name in ('site_names', 'class_names')}
        step = int(stored.pop('step'))
        return Features(**{'true_label': None} | stored | names, step=step)
    except FileNotFoundError as error:
        raise InputError(f'{path}: no such file; expected features of a run') from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f'{path}: expected features of a run: {error}') from error


def _outputs(config: Config, rows_over_devices, weights, entry: EvaluationSet) -> list[np.ndarray]:
    """Features, predictions and labels of a test set."""
    examples = Examples([entry.part], [entry.site_index], label_is_site=entry.label_is_site)
    features, predictions, labels = [], [], []
    head = next(iter(entry.heads.values()))
    for batch in eval_batches(examples, reading(config)):
        rows, heads = jax.device_get(rows_over_devices(weights, devices.put_batch(batch)))
        features.append(rows.reshape(-1, rows.shape[-1]))
        predictions.append(heads[:, head].reshape(-1))
        labels.append(batch['label'])
    # The last rows only fill up the batch.
    return [np.concatenate(each)[: len(examples)] for each in (features, predictions, labels)]


class _Named(msgspec.Struct):
    """A record of which only the id is decoded: the rest, the picture too, is passed over."""

    id: str


def _ids(part: Part) -> np.ndarray:
    """str[N], the names of the examples, in order."""
    records = grain.sources.ArrayRecordDataSource([str(file) for file in part.files])
    decoder = msgspec.msgpack.Decoder(_Named)
    return np.array([decoder.decode(records[int(place)]).id for place in part.records])


def _true_labels(part: Part, ids: np.ndarray, classes: tuple[str, ...]) -> np.ndarray | None:
    path = part.site.folder / TRUE_LABELS_FILE
    if not path.exists():
        return None
    with path.open(encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file))
    if not rows or not {'id', 'true_label'} <= rows[0].keys():
        raise InputError(f'{path}: expected a table with the columns id and true_label')
    truth = {row['id']: row['true_label'] for row in rows}
    for name in ids:
        if truth.get(name) not in classes:
            raise InputError(
                f'{path}: true_label of {name} is {truth.get(name)!r}, expected one of '
                f'{", ".join(classes)}'
            )
    return np.array([classes.index(truth[name]) for name in ids], np.int32)
