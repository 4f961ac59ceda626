"""A trained network as a file that runs without this package."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import msgspec
import numpy as np

import cda_jax
from cda_jax.errors import import_extra
from cda_jax.evaluate import logit_adjustment, open_sets, over_devices
from cda_jax.prepare.crop import face_size_of
from cda_jax.runtime import devices
from cda_jax.runtime.files import replacing
from cda_jax.step import predict
from cda_jax.trained import Trained
from cda_jax.use.onnx_graph import make_onnx
from cda_jax.use.predict import head_number, of_site, prepared_as

_PLATFORMS = ('cpu', 'cuda', 'tpu')

# What a file may differ by, in a probability.
TOLERANCE = 1e-4


class Agreement(NamedTuple):
    """How far an exported file is from evaluation on real pictures."""

    num_pictures: int
    largest_difference: float  # of a probability
    other_classes: int  # pictures that it takes for another class


def export_network(trained: Trained, path: Path, kind: str, head: str | None = None) -> Trained:
    """Writes a network that takes pictures as records hold them and gives probabilities.

    The centre crop, the scaling, the softmax and the mean over the heads are in the file, and so
    are the class names in their order. The number of pictures is free.

    Args:
        kind: 'stablehlo', a zip file with `network.jax` for `jax.export.deserialize` and
            `about.json`; or 'onnx', which computes in float32 and has the same as metadata.
        head: Who answers, as of `cda_jax.use.predict.predict_pictures`.

    Returns:
        The network as it was exported: in float32 for 'onnx'.

    Raises InputError if there is no such head, or the package that the kind needs is not installed.
    """
    number, side = head_number(trained.config, head), prepared_as(trained).image_size
    adjust = logit_adjustment(trained.config.posthoc_tau, trained.training.head_class_counts)
    if kind == 'onnx':
        config = msgspec.structs.replace(trained.config, compute_dtype='float32')
        network = trained.model.feature_extractor.clone(dtype=jnp.float32)
        model = trained.model.clone(feature_extractor=network)
        trained = trained._replace(config=config, model=model)
        content = make_onnx(
            model,
            trained.weights,
            number,
            adjust,
            _describe(trained, head),
            record_size=side,
            image_size=config.image_size,
        )
        with replacing(path) as temporary:
            temporary.write_bytes(content)
        return trained

    import_extra('flatbuffers', 'stablehlo')
    pictures = jax.ShapeDtypeStruct((*jax.export.symbolic_shape('b'), side, side, 3), jnp.uint8)
    exported = jax.export.export(_answer(trained, number, adjust), platforms=_PLATFORMS)(pictures)
    serialized = exported.serialize()
    with replacing(path) as temporary, zipfile.ZipFile(temporary, 'w') as file:
        file.writestr('about.json', json.dumps(_describe(trained, head), indent=2))
        file.writestr('network.jax', bytes(serialized))
    return trained


def _answer(
    trained: Trained, head: int, adjust: Callable | None
) -> Callable[[np.ndarray], jax.Array]:
    """What evaluation computes of pictures, uint8[b, S, S, 3]: a head's probabilities."""
    image_size = trained.config.image_size
    settings = {'model': trained.model, 'image_size': image_size, 'adjust': adjust}

    def answer(pictures):
        rows = {'image': pictures, 'site': jnp.full(pictures.shape[:1], of_site(trained, head))}
        return predict(trained.weights, rows, **settings)[1][head]

    return jax.jit(answer)


def _describe(trained: Trained, head: str | None) -> dict[str, Any]:
    """What a user of the file must know of it."""
    side = prepared_as(trained).image_size
    face = face_size_of(side)
    return {
        'class_names': list(trained.class_names),
        'input': f'uint8[b, {side}, {side}, 3], RGB: a face box scaled to {face} x {face} pixels, '
        f'with {(side - face) // 2} more on each side',
        'output': f'float32[b, {len(trained.class_names)}], the probability of every class',
        'head': head or 'default',
        'step': trained.step,
        'compute_dtype': trained.config.compute_dtype,
        'cda_jax': cda_jax.__version__,
    }


def open_exported(path: Path, kind: str) -> Callable[[np.ndarray], np.ndarray]:
    """What an exported file computes, by the libraries that anyone would run it with."""
    if kind == 'onnx':
        runtime = import_extra('onnxruntime', 'onnx')
        session = runtime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
        return lambda pictures: session.run(None, {session.get_inputs()[0].name: pictures})[0]
    with zipfile.ZipFile(path) as file:
        network = jax.export.deserialize(bytearray(file.read('network.jax')))
    return lambda pictures: np.asarray(network.call(pictures))


def compare(
    run: Callable[[np.ndarray], np.ndarray], trained: Trained, head: str | None, count: int
) -> Agreement:
    """Holds an exported file against evaluation, on so many pictures of each test set, two ways.

    Args:
        run: The file, as of `open_exported`.

    Raises InputError if the run's test sets are not where its config says.
    """
    config, number = trained.config, head_number(trained.config, head)
    # Evaluation's own step, not `_answer`, whose faults the file would share.
    evaluation = over_devices(trained.model, config, trained.training.head_class_counts)
    largest, others, total = 0.0, 0, 0
    for entry in open_sets(config, tuple(trained.training.class_names)):
        pictures = entry.examples.batch(np.arange(min(count, len(entry.examples))))['image']
        padding = -len(pictures) % jax.device_count()
        padded = np.concatenate([pictures, np.zeros_like(pictures[:1]).repeat(padding, axis=0)])
        batch = {'image': padded, 'site': np.full(len(padded), of_site(trained, number), np.int32)}
        _, scores = evaluation(trained.weights, devices.put_batch(batch))
        wanted = np.concatenate(jax.device_get(scores), axis=1)[number, : len(pictures)]
        # All at once, and in two batches of other sizes.
        for some in (slice(None), slice(1), slice(1, None)):
            if not len(wanted[some]):
                continue
            given = run(pictures[some])
            largest = max(largest, float(np.abs(given - wanted[some]).max()))
            others += int((given.argmax(axis=-1) != wanted[some].argmax(axis=-1)).sum())
        total += len(pictures)
    return Agreement(total, largest, others)
