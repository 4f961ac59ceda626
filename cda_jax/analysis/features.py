"""Test sets -> features and predictions, and the file that keeps them for a run's report."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import grain
import jax
import msgspec
import numpy as np

import cda_jax
from cda_jax.config import CHANGEABLE, Config, as_fields
from cda_jax.data.arrays import read_npz
from cda_jax.data.examples import Examples
from cda_jax.data.pipeline import eval_batches
from cda_jax.data.position import identify
from cda_jax.data.sites import Part
from cda_jax.errors import InputError
from cda_jax.experiment import class_names, reading
from cda_jax.runtime import devices
from cda_jax.runtime.files import replacing
from cda_jax.runtime.integrity import checksums


class EvaluationSet(NamedTuple):
    """Examples to evaluate on, and who answers."""

    part: Part
    examples: Examples
    # Names and numbers of the emotion classifiers that are asked, the one that answers first. The
    # number H, one past the last, stands for the mean of the sites' own.
    heads: dict[str, int]


class Features(NamedTuple):
    """What a network makes of every example of its test sets, after so many steps of training."""

    features: np.ndarray  # float32[N, D], f(x)
    site: np.ndarray  # int32[N], places in `site_names`
    label: np.ndarray  # int32[N], as recorded; or the site, where that was the target
    prediction: np.ndarray  # int32[N], of the emotion classifier that answers for the site
    probabilities: np.ndarray  # float32[N, C], of the same
    true_label: np.ndarray | None  # int32[N], not the annotators'; None if some site lacks it
    photo_hash: np.ndarray  # uint64[N]
    id: np.ndarray  # str[N]
    site_names: tuple[str, ...]
    class_names: tuple[str, ...]
    step: int
    source: str  # as from `digest_source`


def extract(
    config: Config, evaluation: Callable, weights: dict, sets: Sequence[EvaluationSet], step: int
) -> tuple[Features, list[np.ndarray]]:
    """Features of test sets, without true labels, and the confusions of each as from `confuse`."""
    sizes = [len(entry.examples) for entry in sets]
    features = np.empty((sum(sizes), config.feature_size), np.float32)
    places = np.split(features, np.cumsum(sizes)[:-1])
    of_all_heads = [
        predict_set(config, evaluation, weights, entry, place)
        for entry, place in zip(sets, places, strict=True)
    ]
    parts = [entry.part for entry in sets]
    answers = [next(iter(entry.heads.values())) for entry in sets]
    probabilities = np.concatenate([p[h] for p, h in zip(of_all_heads, answers, strict=True)])
    found = Features(
        features=features,
        site=np.repeat(np.arange(len(sets), dtype=np.int32), sizes),
        label=np.concatenate([entry.examples.labels for entry in sets]),
        prediction=probabilities.argmax(axis=-1).astype(np.int32),
        probabilities=probabilities,
        true_label=None,
        photo_hash=np.concatenate([part.index.photo_hash for part in parts]),
        id=np.concatenate([_read_ids(part) for part in parts]),
        site_names=tuple(part.site.name for part in parts),
        class_names=class_names(config, parts[0].site.class_names),
        step=step,
        source=digest_source(config, weights, step, parts),
    )
    return found, [confuse(*pair, config) for pair in zip(sets, of_all_heads, strict=True)]


def predict_set(
    config: Config,
    evaluation: Callable,
    weights: dict,
    entry: EvaluationSet,
    features: np.ndarray | None = None,
) -> np.ndarray:
    """The probabilities that every head gives, float32[H + 1, N, C]; for one process.

    `features`, float32[N, D], is where to put these, if they are wanted.
    """

    def outputs():
        for batch in devices.prefetch(eval_batches(entry.examples, reading(config))):
            rows, scores = evaluation(weights, batch)
            output = scores, None if features is None else rows
            jax.tree.map(lambda leaf: leaf.copy_to_host_async(), output)
            yield output

    probabilities, first = [], 0
    for scores, rows in map(jax.device_get, devices.run_ahead(outputs())):
        probabilities.append(np.concatenate(scores, axis=1))  # of all devices
        if features is not None:
            place = features[first : first + probabilities[-1].shape[1]]
            place[:] = rows.reshape(-1, rows.shape[-1])[: len(place)]
            first += len(place)
    return np.concatenate(probabilities, axis=1)[:, : len(entry.examples)]  # the rest is padding


def confuse(entry: EvaluationSet, probabilities: np.ndarray, config: Config) -> np.ndarray:
    """How many examples of each class every head took for each class, int64[H + 1, C, C]."""
    size = len(class_names(config, entry.part.site.class_names))
    cells = entry.examples.labels * size + probabilities.argmax(axis=-1)
    counts = [np.bincount(of_head, minlength=size**2) for of_head in cells]
    return np.reshape(counts, (-1, size, size))


def digest_source(config: Config, weights: dict, step: int, parts: Sequence[Part]) -> str:
    """A digest of all that features depend on: a network's weights, the data, the config."""
    fields = as_fields(config)
    facts = {
        'version': cda_jax.__version__,
        'config': {name: fields[name] for name in fields if name not in CHANGEABLE},
        'step': step,
        'weights': checksums(weights),
        'data': {part.site.name: msgspec.to_builtins(identify(part)) for part in parts},
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


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
        step, source = int(stored.pop('step')), str(stored.pop('source'))
        return Features(**{'true_label': None} | stored | names, step=step, source=source)
    except OSError as error:
        raise InputError(f'{path}: {error.strerror}; expected features of a run') from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f'{path}: expected features of a run: {error}') from error


def _read_ids(part: Part) -> np.ndarray:
    """str[N], the names of the examples, in order; the rest, the picture too, is passed over."""
    records = grain.sources.ArrayRecordDataSource([str(file) for file in part.files])
    decoder = msgspec.msgpack.Decoder(msgspec.defstruct('Named', [('id', str)]))
    return np.array([decoder.decode(records[int(place)]).id for place in part.records])
