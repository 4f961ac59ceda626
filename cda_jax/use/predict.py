"""A trained network and pictures of any size -> the class of every face on them."""

import functools
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import numpy as np

from cda_jax.config import Config
from cda_jax.data.position import SiteIdentity
from cda_jax.data.records import Record, decode_record, encode_record
from cda_jax.errors import InputError
from cda_jax.evaluate import over_devices, site_heads
from cda_jax.prepare.crop import crop_face, face_size_of
from cda_jax.prepare.dataset import Box
from cda_jax.prepare.detect import NO_FACE, Detector, face_detector, read_model
from cda_jax.prepare.pictures import Picture, find_pictures
from cda_jax.prepare.readers.row_checks import UnusableRowError
from cda_jax.prepare.shards import load_picture
from cda_jax.runtime import devices
from cda_jax.runtime.children import num_processors
from cda_jax.trained import Trained

# Of evaluation's batches those of the paper are the largest; here a few pictures may be all.
_MAX_BATCH = 128


class Prediction(NamedTuple):
    """What a network says of one face."""

    path: str  # of the picture; of a frame of a video 'VIDEO#NUMBER'
    box: Box | None  # around the face; None for the whole picture
    name: str  # of the class; '' where there is a fault
    probabilities: np.ndarray | None  # float32[C], in the order of the class names; None likewise
    label: str | None  # the class as it is known, where it is
    fault: str  # why there is no answer; '' where there is one
    crop: np.ndarray | None  # uint8[S, S, 3], what was cut out, where that was asked for


def predict_pictures(
    trained: Trained,
    pictures: Iterable[str | os.PathLike[str] | np.ndarray | Picture],
    *,
    head: str | None = None,
    crop: Literal['box', 'detect'] = 'box',
    detector: str | os.PathLike[str] | None = None,
    faces: Literal['largest', 'all'] = 'largest',
    every: int = 1,
    batch_size: int | None = None,
    keep_crops: bool = False,
) -> Iterator[Prediction]:
    """Yields the prediction of every face, picture after picture, in memory that does not grow.

    Pictures are cut, scaled and encoded as those that the network was trained on, so that a test
    set's own pictures give what evaluation gives. One that cannot be read, or shows no face, has a
    prediction that says so.

    Args:
        pictures: As of `cda_jax.prepare.pictures.find_pictures`.
        head: Who answers: a site of the run, 'common', 'shared', or 'mean', that of the sites'
            heads; by default who does in evaluation on a site that was not trained on.
        crop: What is cut out of a picture without a box: all of it, or the faces that are found.
        detector: An ONNX file of YuNet to find them with.
        faces: Which of those that are found.
        every: Of a video, every so many frames.
        batch_size: Pictures at a time, a multiple of the devices; by default that of the training,
            at most 128.
        keep_crops: Whether predictions have what was cut out.

    Raises:
        InputError: There is no such head, a source cannot be read, or the detector cannot be used.
    """
    config = trained.config
    number = head_number(config, head)
    count = jax.device_count()
    size = batch_size or -(-min(config.batch_size, _MAX_BATCH) // count) * count
    devices.check_batch_size(size)
    detect = face_detector(read_model(detector and Path(detector))) if crop == 'detect' else None
    most = None if faces == 'all' else 1
    cut = functools.partial(_cut, prepared=prepared_as(trained), detect=detect, most=most)
    evaluation = over_devices(trained.model, config, trained.training.head_class_counts)
    sites = np.full(size, of_site(trained, number), np.int32)

    def ask(batch: list[Prediction]) -> jax.Array | tuple[()]:
        known = [face.crop for face in batch if not face.fault]
        if not known:
            return ()
        images = np.zeros((size, *known[0].shape), np.uint8)
        images[: len(known)] = known
        rows = devices.put_batch({'image': images, 'site': sites})
        return evaluation(trained.weights, rows)[1][:, number]  # of every device

    asked = ((batch, ask(batch)) for batch in _batches(find_pictures(pictures, every), cut, size))
    for batch, answers in devices.run_ahead(asked, 1):  # the device works while others are read
        scores = itertools.chain.from_iterable(map(np.asarray, answers))
        for face in batch:
            if not face.fault:
                given = next(scores)
                name = trained.class_names[given.argmax()]
                face = face._replace(name=name, probabilities=given)
            yield face if keep_crops else face._replace(crop=None)


def head_number(config: Config, head: str | None) -> int:
    """The place of a head among the answers of `cda_jax.step.predict`.

    Raises InputError if the network has no such head.
    """
    heads = {} if config.shared_head else {site: i for i, site in enumerate(config.sites)}
    of_others = site_heads(config, -1)
    heads |= of_others
    head = next(iter(of_others)) if head is None else head
    if head not in heads:
        raise InputError(f'head {head!r}: expected one of {", ".join(heads)}')
    return heads[head]


def of_site(trained: Trained, head: int) -> int:
    """The site whose pictures a head answers for, by which batch norm may differ; -1 for none."""
    return head if head < trained.model.num_site_heads else -1


def prepared_as(trained: Trained) -> SiteIdentity:
    """How the pictures that a network was trained on were prepared, those of its first site."""
    return next(iter(trained.training.sites.values()))


def _batches(
    pictures: Iterator[Picture], cut: Callable[[Picture], list[Prediction]], size: int
) -> Iterator[list[Prediction]]:
    """Cuts faces out in threads, a few pictures ahead, and groups them in their order."""
    with ThreadPoolExecutor(num_processors()) as pool:
        submitted = (pool.submit(cut, picture) for picture in pictures)
        done = devices.run_ahead(submitted, 4 * num_processors())
        faces = itertools.chain.from_iterable(future.result() for future in done)
        while batch := list(itertools.islice(faces, size)):
            yield batch


def _cut(
    picture: Picture, *, prepared: SiteIdentity, detect: Detector | None, most: int | None
) -> list[Prediction]:
    """The faces on a picture, still without an answer, or one that says what is wrong with it."""
    face = Prediction(picture.path, None, '', None, picture.label, '', None)
    image = picture.pixels
    if image is None:
        try:
            image = load_picture(Path(picture.path), None, picture.box is None)
        except UnusableRowError as error:
            return [face._replace(fault='{} ({})'.format(*error.args))]
    boxes = [picture.box]
    if detect and picture.box is None:
        boxes = detect(image)[:most]
    faces, face_size = [], face_size_of(prepared.image_size)
    margin = (prepared.image_size - face_size) // 2
    for box in boxes:
        try:
            pixels = crop_face(image, box, face_size=face_size, margin=margin)
        except ValueError as error:
            faces.append(face._replace(box=box, fault=str(error)))
        else:
            faces.append(face._replace(box=box, crop=_as_recorded(pixels, prepared)))
    return faces or [face._replace(fault=NO_FACE)]


def _as_recorded(pixels: np.ndarray, prepared: SiteIdentity) -> np.ndarray:
    """A face with its rim, uint8[S, S, 3], after what encoding does to it in a record."""
    record = Record(pixels, 0, '', 0, bytes(16))
    data = encode_record(record, encoding=prepared.encoding, quality=prepared.quality or 0)
    return decode_record(data, image_size=prepared.image_size, encoding=prepared.encoding).image
