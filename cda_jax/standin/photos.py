"""One photo: people in front of a background, seen through a site's camera."""

from typing import NamedTuple

import cv2
import numpy as np

from cda_jax.standin import geometry
from cda_jax.standin.drawing import draw_face
from cda_jax.standin.faces import Muscles, draw_muscles, draw_person
from cda_jax.standin.geometry import Pose, View
from cda_jax.standin.sites import Capture, Selection, Site

SUPERSAMPLING = 2  # canvas pixels per picture pixel; what is drawn is averaged down
OVERRUN_SHARE = 0.015  # of photos on which a face box reaches over the right and bottom edges
_BOX_HEIGHT = 1.75  # of a typical face box, in units of the face frame
_MIDDLE_GREY = 118.0


class DrawnFace(NamedTuple):
    """What the annotators of a face would write down.

    Attributes:
        box: x0, y0, x1, y1 in pixels of the picture.
        landmarks: f64[68, 2], pixels.
        intensity: Strength of the expression.
    """

    box: tuple[float, float, float, float]
    landmarks: np.ndarray
    intensity: float


class _Sitter(NamedTuple):
    view: View  # in pixels of the picture
    muscles: Muscles
    intensity: float


def draw_photo(
    rng: np.random.Generator, site: Site, expressions: tuple[int, ...]
) -> tuple[bytes, list[DrawnFace]]:
    """Draws a photo.

    Args:
        rng: Source of all its randomness.
        site: Whose selection and capture bias it shows.
        expressions: The true expression of each face, from left to right.

    Returns:
        The photo as a JPEG file's content, and its faces in the same order.
    """
    sitters, (width, height) = _seat(rng, site, expressions)
    shape = (height * SUPERSAMPLING, width * SUPERSAMPLING, 3)
    canvas = BACKGROUNDS[site.capture.background](rng, shape)
    for sitter in sitters:
        draw_face(canvas, _enlarged(sitter.view), sitter.muscles)
    picture = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    picture = _camera(rng, site.capture, picture, sitters[0].view.scale)
    return _jpeg(rng, site.capture, picture), [_annotate(rng, sitter) for sitter in sitters]


def _seat(rng, site, expressions):
    """Puts the people side by side, with room around them; returns them and the photo's size."""
    scale = rng.uniform(*site.capture.face_height) / _BOX_HEIGHT
    sitters, right, bottom = [], 0.0, 0.0
    for expression in expressions:
        own = scale * rng.uniform(0.85, 1.15)
        x = right + own * (rng.uniform(1.15, 1.7) if not sitters else rng.uniform(1.0, 1.2))
        y = own * rng.uniform(1.25, 1.8)
        sitters.append(_sitter(rng, site.selection, expression, (x, y), own))
        _, _, x1, y1 = geometry.face_box(sitters[-1].view)
        right, bottom = x1, max(bottom, y1)
    if rng.random() < OVERRUN_SHARE:
        return sitters, (int(right - 0.06 * scale), int(bottom - 0.06 * scale))
    room = scale * rng.uniform((0.3, 0.15), (0.9, 0.7))
    return sitters, (int(right + room[0]), int(bottom + room[1]))


def _sitter(rng, selection: Selection, expression, centre, scale):
    intensity = rng.uniform(*selection.intensity)
    limits = np.deg2rad([selection.yaw, selection.pitch, selection.roll])
    pose = Pose(*rng.triangular(-limits, 0.0, limits).tolist())
    person = draw_person(rng, selection.glasses, selection.beard)
    muscles = draw_muscles(rng, expression, intensity)
    return _Sitter(View(person, pose, centre, scale), muscles, intensity)


def _enlarged(view):
    centre = (view.centre[0] * SUPERSAMPLING, view.centre[1] * SUPERSAMPLING)
    return view._replace(centre=centre, scale=view.scale * SUPERSAMPLING)


def _annotate(rng, sitter):
    """Face boxes as a detector gives them: never quite tight."""
    loose = 0.05 * sitter.view.scale * rng.uniform(-1.0, 1.0, 4)
    box = np.maximum(np.array(geometry.face_box(sitter.view)) + loose, 0.0)
    return DrawnFace(
        tuple(box.tolist()), geometry.landmarks(sitter.view, sitter.muscles), sitter.intensity
    )


def _camera(rng, capture: Capture, picture, scale):
    """Light, colour, blur and noise; u8[H, W, 3] in and out."""
    height, width, _ = picture.shape
    sigma = rng.uniform(*capture.blur) * scale * _BOX_HEIGHT / 100
    blurred = cv2.GaussianBlur(picture, (0, 0), max(sigma, 0.1))
    slope = rng.uniform(-0.5, 0.5, 2) * capture.light
    light = np.add.outer(
        np.linspace(1 - slope[0], 1 + slope[0], height, dtype=np.float32),
        np.linspace(-slope[1], slope[1], width, dtype=np.float32),
    )
    contrast = rng.uniform(*capture.contrast)
    gains = capture.cast * rng.uniform(0.96, 1.04, 3) * rng.uniform(0.9, 1.08) * contrast
    noise = rng.uniform(*capture.noise) * rng.uniform(0.85, 1.15, 3)
    grain = rng.standard_normal((height, width), dtype=np.float32)
    offset = _MIDDLE_GREY * (1.0 - contrast)
    channels = zip(cv2.split(blurred), gains.tolist(), noise.tolist(), strict=True)
    return cv2.merge(
        [
            cv2.addWeighted(plane * light, gain, grain, level, offset, dtype=cv2.CV_8U)
            for plane, gain, level in channels
        ]
    )


def _jpeg(rng, capture, picture):
    quality = int(rng.integers(*capture.jpeg_quality))
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


def _studio(rng, shape):
    """A plain wall, brighter at one end."""
    colour = rng.uniform(90, 220) + rng.uniform(-25, 25, 3)
    ends = np.clip(np.stack([colour, colour * rng.uniform(0.55, 0.9)]), 0, 255)
    return cv2.resize(ends[:, None].astype(np.uint8), shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _room(rng, shape):
    """A wall with windows, pictures and furniture."""
    height, width, _ = shape
    canvas = np.zeros(shape, np.uint8)
    wall = rng.uniform(70, 170) + rng.uniform(-30, 30, 3)
    cv2.rectangle(canvas, (0, 0), (width, height), wall.tolist(), -1)
    for _ in range(rng.integers(4, 9)):
        x, y = rng.integers(0, width), rng.integers(0, height)
        size = rng.uniform(0.1, 0.45, 2) * height
        far = (int(x + size[0]), int(y + size[1]))
        cv2.rectangle(canvas, (int(x), int(y)), far, rng.uniform(20, 235, 3).tolist(), -1)
        cv2.rectangle(canvas, (int(x), int(y)), far, rng.uniform(10, 90, 3).tolist(), 3)
    return canvas


def _street(rng, shape):
    """Blots of light and leaves, out of focus."""
    cells = rng.uniform(0, 255, (6, 7, 1)) + rng.uniform(-70, 70, (6, 7, 3))
    cells[:2] = 0.6 * cells[:2] + [60, 80, 100]  # sky
    cells[4:] = 0.7 * cells[4:] + [10, 25, 0]  # ground
    cells = np.clip(cells, 0, 255).astype(np.uint8)
    return cv2.resize(cells, shape[1::-1], interpolation=cv2.INTER_CUBIC)


BACKGROUNDS = {'studio': _studio, 'room': _room, 'street': _street}
