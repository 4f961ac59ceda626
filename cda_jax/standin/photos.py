"""One photo: people in front of a background, seen through a site's camera."""

from typing import NamedTuple

import cv2
import numpy as np

from cda_jax.prepare.dataset import Split
from cda_jax.standin import geometry
from cda_jax.standin.drawing import draw_face
from cda_jax.standin.faces import Face, random_muscles, random_person
from cda_jax.standin.styles import SiteStyle

_SUPERSAMPLING = 2  # canvas pixels per picture pixel; what is drawn is averaged down
_OVERRUN_SHARE = 0.015  # of photos in which a face box reaches over the right and bottom edges
_BOX_HEIGHT = 1.75  # of a typical face box, in the face's unit of length
_MIDDLE_GREY = 118.0


class Photo(NamedTuple):
    """A photo to be drawn, with a true expression and an annotated label for each face."""

    name: str
    split: Split
    expressions: tuple[int, ...]
    labels: tuple[int, ...]


class Annotation(NamedTuple):
    """What a dataset says about a face besides its label."""

    box: tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels
    landmarks: np.ndarray  # f64[68, 2], pixels
    intensity: float  # strength of the expression


def draw_photo(
    rng: np.random.Generator, style: SiteStyle, expressions: tuple[int, ...]
) -> tuple[bytes, list[Annotation]]:
    """Draws faces with these true expressions from left to right: a JPEG, and their annotations."""
    faces, (width, height) = _seat_people(rng, style, expressions)
    shape = (height * _SUPERSAMPLING, width * _SUPERSAMPLING, 3)
    canvas = BACKGROUNDS[style.background](rng, shape)
    for face in faces:
        centre = (face.centre[0] * _SUPERSAMPLING, face.centre[1] * _SUPERSAMPLING)
        draw_face(canvas, face._replace(centre=centre, scale=face.scale * _SUPERSAMPLING))
    picture = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    picture = _take_picture(rng, style, picture, faces[0].scale)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*style.jpeg_quality))]
    _, data = cv2.imencode('.jpg', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality)
    annotations = []
    for face in faces:  # with a box as a detector gives it: never quite tight
        error = 0.05 * face.scale * rng.uniform(-1.0, 1.0, 4)
        box = np.maximum(np.array(geometry.face_box(face)) + error, 0.0)
        found = Annotation(tuple(box.tolist()), geometry.landmarks(face), face.intensity)
        annotations.append(found)
    return data.tobytes(), annotations


def _seat_people(
    rng: np.random.Generator, style: SiteStyle, expressions: tuple[int, ...]
) -> tuple[list[Face], tuple[int, int]]:
    """Puts people side by side, with room around them; gives the size of the photo as well."""
    scale = rng.uniform(*style.face_height) / _BOX_HEIGHT
    limits = np.deg2rad(style.turn)
    faces, right, bottom = [], 0.0, 0.0
    for expression in expressions:
        own_scale = scale * rng.uniform(0.85, 1.15)
        x = right + own_scale * (rng.uniform(1.0, 1.2) if faces else rng.uniform(1.15, 1.7))
        y = own_scale * rng.uniform(1.25, 1.8)
        intensity = rng.uniform(*style.intensity)
        turn = rng.triangular(-limits, 0.0, limits).tolist()
        person = random_person(rng, style.glasses, style.beard)
        muscles = random_muscles(rng, expression, intensity)
        faces.append(Face(person, muscles, *turn, (x, y), own_scale, intensity))
        _, _, right, y1 = geometry.face_box(faces[-1])
        bottom = max(bottom, y1)
    if rng.random() < _OVERRUN_SHARE:
        return faces, (int(right - 0.06 * scale), int(bottom - 0.06 * scale))
    room = scale * rng.uniform((0.3, 0.15), (0.9, 0.7))
    return faces, (int(right + room[0]), int(bottom + room[1]))


def _take_picture(
    rng: np.random.Generator, style: SiteStyle, scene: np.ndarray, scale: float
) -> np.ndarray:
    """Adds light, colour, blur and noise; u8[H, W, 3] in and out."""
    height, width, _ = scene.shape
    sigma = rng.uniform(*style.blur) * scale * _BOX_HEIGHT / 100
    blurred = cv2.GaussianBlur(scene, (0, 0), max(sigma, 0.1))
    slope = rng.uniform(-0.5, 0.5, 2) * style.light
    light = np.add.outer(
        np.linspace(1 - slope[0], 1 + slope[0], height, dtype=np.float32),
        np.linspace(-slope[1], slope[1], width, dtype=np.float32),
    )
    contrast = rng.uniform(*style.contrast)
    gains = style.cast * rng.uniform(0.96, 1.04, 3) * rng.uniform(0.9, 1.08) * contrast
    noise = rng.uniform(*style.noise) * rng.uniform(0.85, 1.15, 3)
    grain = rng.standard_normal((height, width), dtype=np.float32)
    offset = _MIDDLE_GREY * (1.0 - contrast)
    channels = zip(cv2.split(blurred), gains.tolist(), noise.tolist(), strict=True)
    planes = [
        cv2.addWeighted(plane * light, gain, grain, level, offset, dtype=cv2.CV_8U)
        for plane, gain, level in channels
    ]
    return cv2.merge(planes)


def _studio(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """A plain wall, brighter at one end."""
    colour = rng.uniform(90, 220) + rng.uniform(-25, 25, 3)
    ends = np.clip(np.stack([colour, colour * rng.uniform(0.55, 0.9)]), 0, 255)
    return cv2.resize(ends[:, None].astype(np.uint8), shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _room(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """A wall with windows, pictures and furniture."""
    height, width, _ = shape
    canvas = np.zeros(shape, np.uint8)
    wall = rng.uniform(70, 170) + rng.uniform(-30, 30, 3)
    cv2.rectangle(canvas, (0, 0), (width, height), wall.tolist(), cv2.FILLED)
    for _ in range(rng.integers(4, 9)):
        near = int(rng.integers(0, width)), int(rng.integers(0, height))
        size = rng.uniform(0.1, 0.45, 2) * height
        far = (int(near[0] + size[0]), int(near[1] + size[1]))
        cv2.rectangle(canvas, near, far, rng.uniform(20, 235, 3).tolist(), cv2.FILLED)
        cv2.rectangle(canvas, near, far, rng.uniform(10, 90, 3).tolist(), 3)
    return canvas


def _street(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """Blots of light and leaves, out of focus."""
    cells = rng.uniform(0, 255, (6, 7, 1)) + rng.uniform(-70, 70, (6, 7, 3))
    cells[:2] = 0.6 * cells[:2] + [60, 80, 100]  # sky
    cells[4:] = 0.7 * cells[4:] + [10, 25, 0]  # ground
    cells = np.clip(cells, 0, 255).astype(np.uint8)
    return cv2.resize(cells, shape[1::-1], interpolation=cv2.INTER_CUBIC)


BACKGROUNDS = {'studio': _studio, 'room': _room, 'street': _street}
