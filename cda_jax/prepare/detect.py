"""Faces in whole pictures: a detector that gives their boxes, the largest first."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from cda_jax.errors import InputError, import_extra
from cda_jax.prepare.dataset import Box

NO_FACE = 'no face found'

Detector = Callable[[np.ndarray], list[Box]]

# Pictures are searched with a longer side of so many pixels, one of many megapixels like others.
_CASCADE_SIDE, _YUNET_SIDE = 320, 640
# There. With smaller faces the cascade finds twice as many that are none.
_SMALLEST_FACE = 32


def face_detector(model: bytes | None = None) -> Detector:
    """A function from RGB pixels, uint8[height, width, 3], to the boxes of the faces on them.

    Without a model it is the boosted cascade of local binary patterns that OpenCV trained for
    frontal faces, in scikit-image (OpenCV's own wheels ship no cascade since version 5). Threads
    may share the detector.

    Source: Liao et al. (2007), https://doi.org/10.1007/978-3-540-74549-5_87; for YuNet, Wu et al.
    (2023), https://doi.org/10.1007/s11633-023-1423-y

    `model` is the content of an ONNX file of YuNet, to take instead. Raises InputError if OpenCV
    cannot read it, or scikit-image is not installed.
    """
    find, side = (_cascade(), _CASCADE_SIDE) if model is None else (_yunet(model), _YUNET_SIDE)
    lock = threading.Lock()  # both use all cores for one picture already

    def detect(image: np.ndarray) -> list[Box]:
        height, width = image.shape[:2]
        scale = min(1.0, side / max(height, width))
        size = max(1, round(scale * width)), max(1, round(scale * height))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if scale < 1 else image
        with lock:
            found = find(np.ascontiguousarray(small))
        boxes = [Box(*(float(edge) / scale for edge in box)) for box in found]
        inside = [b for b in boxes if b.x0 < width and b.y0 < height and b.x1 > 0 and b.y1 > 0]
        return sorted(inside, key=lambda b: (b.x1 - b.x0) * (b.y1 - b.y0), reverse=True)

    return detect


def read_model(path: str | os.PathLike[str] | None) -> bytes | None:
    """The content of a detector's file; None without one."""
    try:
        return None if path is None else Path(path).read_bytes()
    except OSError as error:
        raise InputError(f'{path}: cannot be read ({error.strerror})') from error


def _cascade() -> Callable[[np.ndarray], list[tuple[float, ...]]]:
    otherwise = '; or give a model of YuNet to find faces with (--detector=FILE.onnx)'
    data, feature = (
        import_extra(f'skimage.{module}', 'detect', otherwise) for module in ('data', 'feature')
    )
    cascade = feature.Cascade(data.lbp_frontal_face_cascade_filename())

    def find(image):
        longest = min(image.shape[:2])
        if longest < _SMALLEST_FACE:
            return []
        found = cascade.detect_multi_scale(
            img=cv2.cvtColor(image, cv2.COLOR_RGB2GRAY),
            scale_factor=1.1,
            step_ratio=1,
            min_size=(_SMALLEST_FACE, _SMALLEST_FACE),
            max_size=(longest, longest),
        )
        return [(d['c'], d['r'], d['c'] + d['width'], d['r'] + d['height']) for d in found]

    return find


def _yunet(model: bytes) -> Callable[[np.ndarray], list[tuple[float, ...]]]:
    try:
        network = cv2.FaceDetectorYN.create('onnx', np.frombuffer(model, np.uint8), b'', (320, 320))
    except cv2.error as error:
        reason = ' '.join(str(error).split())[:200]
        raise InputError(f'the detector is no ONNX file of YuNet: {reason}') from error

    def find(image):
        network.setInputSize(image.shape[1::-1])
        faces = network.detect(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
        faces = [] if faces is None else faces[:, :4].tolist()
        return [(x, y, x + width, y + height) for x, y, width, height in faces]

    return find
