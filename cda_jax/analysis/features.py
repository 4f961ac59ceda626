"""From a checkpoint to the features of its test sets, with all that is known of each example."""

import csv
import functools
import io
import zipfile
from pathlib import Path
from typing import NamedTuple

import grain
import jax
import numpy as np

from cda_jax.config import Config
from cda_jax.data.examples import Examples
from cda_jax.data.pipeline import eval_batches
from cda_jax.data.records import decode_record
from cda_jax.data.sites import TRUE_LABELS_FILE, Part
from cda_jax.errors import InputError
from cda_jax.evaluate import EvaluationSet, load_with_test_sets, logit_adjustment
from cda_jax.experiment import class_names, reading
from cda_jax.runtime import devices
from cda_jax.runtime.files import replacing
from cda_jax.step import predict
from cda_jax.trained import Trained

FEATURES_FILE = 'features.npz'


class Features(NamedTuple):
    """What a network makes of every example of its test sets.

    Attributes:
        features: float32[N, D], f(x).
        site: int32[N], numbers in `site_names`.
        label: int32[N], as recorded; or the site, where that was learnt.
        prediction: int32[N], of the emotion classifier that answers for the site.
        true_label: int32[N], what there is to see whatever the annotators said; None where some
            site does not know.
        photo_hash: uint64[N].
        id: str[N], names of the examples.
        site_names: str[K].
        class_names: str[C].
        step: Steps done at the checkpoint.
    """

    features: np.ndarray
    site: np.ndarray
    label: np.ndarray
    prediction: np.ndarray
    true_label: np.ndarray | None
    photo_hash: np.ndarray
    id: np.ndarray
    site_names: tuple[str, ...]
    class_names: tuple[str, ...]
    step: int


def extract_features(config: Config, workdir: Path) -> Features:
    """Computes the features of a run's test sets at the checkpoint that its results are of.

    Args:
        config: Its network is the run's; test sites, data and devices may be others.
        workdir: Of the run.

    Raises:
        InputError: There is no checkpoint of this network, the test data cannot be used, or
            several processes take part.
    """
    if jax.process_count() > 1:
        raise InputError('features are put out by one process; expected no others beside it')
    trained, test_sets = load_with_test_sets(config, workdir)
    rows_over_devices = devices.lift_rows(
        functools.partial(
            predict,
            model=trained.model,
            image_size=config.image_size,
            adjust=logit_adjustment(config.posthoc_tau, trained.training.head_class_counts),
        )
    )
    parts = [
        _of_one_set(config, rows_over_devices, trained, entry, number)
        for number, entry in enumerate(test_sets)
    ]
    site = test_sets[0].part.site
    classes = class_names(config, site.manifest.class_names)
    truths = [None]
    if config.target == 'label':
        truths = [
            _true_labels(entry.part, part['id'], classes)
            for entry, part in zip(test_sets, parts, strict=True)
        ]
    return Features(
        **{name: np.concatenate([part[name] for part in parts]) for name in parts[0]},
        true_label=None if any(t is None for t in truths) else np.concatenate(truths),
        site_names=tuple(entry.part.site.name for entry in test_sets),
        class_names=classes,
        step=trained.step,
    )


def write_features(path: Path, features: Features) -> None:
    """Writes features as an npz file, whole or not at all; nothing in it is pickled.

    Args:
        path: Where to.
        features: Of `extract_features`.

    Raises:
        InputError: It cannot be written.
    """
    arrays = {name: value for name, value in features._asdict().items() if value is not None}
    with replacing(path) as temporary, temporary.open('wb') as file:
        np.savez(file, **{name: np.asarray(value) for name, value in arrays.items()})


def read_features(path: Path) -> Features:
    """Reads what `write_features` wrote.

    Raises:
        InputError: There is no such file, or it is damaged.
    """
    try:
        stored = dict(np.load(io.BytesIO(path.read_bytes()), allow_pickle=False))
        names = {name: tuple(stored.pop(name).tolist()) for name in ('site_names', 'class_names')}
        step = int(stored.pop('step'))
        return Features(**{'true_label': None} | stored | names, step=step)
    except FileNotFoundError as error:
        raise InputError(f'{path}: no such file; expected features of a run') from error
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f'{path}: expected features of a run: {error}') from error


def _of_one_set(config, rows_over_devices, trained: Trained, entry: EvaluationSet, number) -> dict:
    num_examples = len(entry.part.records)
    examples = Examples([entry.part], [entry.site_index], label_is_site=entry.label_is_site)
    features, predictions, labels = [], [], []
    head = next(iter(entry.heads.values()))
    for batch in eval_batches(examples, reading(config)):
        rows, heads = jax.device_get(rows_over_devices(trained.weights, devices.put_batch(batch)))
        features.append(rows.reshape(-1, rows.shape[-1]))
        predictions.append(heads[:, head].reshape(-1))
        labels.append(batch['label'])
    ids, photo_hashes = _names(entry.part)
    return {
        'features': np.concatenate(features)[:num_examples],
        'site': np.full(num_examples, number, np.int32),
        'label': np.concatenate(labels)[:num_examples],
        'prediction': np.concatenate(predictions)[:num_examples].astype(np.int32),
        'photo_hash': photo_hashes,
        'id': ids,
    }


def _names(part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Id and photo hash of every record, in order."""
    manifest = part.site.manifest
    stored = grain.sources.ArrayRecordDataSource([str(file) for file in part.files])
    records = [
        decode_record(
            stored[int(place)], image_size=manifest.image_size, encoding=manifest.encoding
        )
        for place in part.records
    ]
    hashes = np.array([record.photo_hash for record in records], np.uint64)
    return np.array([record.id for record in records]), hashes


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
