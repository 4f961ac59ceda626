"""The curves of a face, and where they lie in the picture.

Curves are f64[n, 2] in the frame of the face: x to the right and y down as seen in the picture, 0
in the middle of the head, 1 half the height of a typical head. They run from left to right.
"""

import functools
import math

import numpy as np

from cda_jax.standin.faces import Face, Person

EYE_Y = -0.12
_FOREHEAD_Y = -0.72  # where a face box begins
_HEAD_DEPTH = 0.82
_STEPS = np.linspace(-1.0, 1.0, 13)
_ALONG = np.linspace(0.0, 1.0, 9)
_ANGLES = np.linspace(0.0, 2 * np.pi, 40, endpoint=False)
_CIRCLE = (np.cos(_ANGLES), np.sin(_ANGLES))


def to_picture(face: Face, points: np.ndarray, flat: bool = False) -> np.ndarray:
    """Maps points from the frame of the face to pixels.

    They lie on the front of an ellipsoid and turn with it, or, if `flat`, are like the outline of
    the head, which only rolls.
    """
    roll, from_xy, from_z = _turns(face.yaw, face.pitch, face.roll, face.scale)
    if flat:
        return points @ roll + face.centre
    x2 = (points[:, 0] / face.person.half_width) ** 2
    y2 = (points[:, 1] / face.person.half_height) ** 2
    z = _HEAD_DEPTH * np.sqrt(np.maximum(1.0 - x2 - y2, 0.0))
    return points @ from_xy + np.multiply.outer(z, from_z) + face.centre


@functools.lru_cache(maxsize=8)  # a face has some forty curves
def _turns(
    yaw: float, pitch: float, roll: float, scale: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What maps x and y of a flat face, x and y of one that turns, and its depth, to pixels."""
    cos, sin = scale * math.cos(roll), scale * math.sin(roll)
    flat = np.array([[cos, sin], [-sin, cos]])
    yaw_cos, yaw_sin = math.cos(yaw), math.sin(yaw)
    pitch_cos, pitch_sin = math.cos(pitch), math.sin(pitch)
    from_xy = np.array([[yaw_cos, -yaw_sin * pitch_sin], [0.0, pitch_cos]])
    from_z = np.array([yaw_sin, yaw_cos * pitch_sin])
    return flat, from_xy @ flat, from_z @ flat


def curve(x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
    """Joins two coordinates, one of which may be a single number."""
    points = np.empty((max(np.size(x), np.size(y)), 2))
    points[:, 0], points[:, 1] = x, y
    return points


def ellipse(x: float, y: float, rx: float, ry: float) -> np.ndarray:
    """Returns 40 points around an ellipse, from its right end on."""
    return curve(x + rx * _CIRCLE[0], y + ry * _CIRCLE[1])


def outline(person: Person, grow: float = 1.0) -> np.ndarray:
    """Returns 40 points around the head, enlarged by a factor, from its right end on."""
    x, y = _CIRCLE
    narrowed = x * (1.0 - person.jaw * np.maximum(y, 0.0) ** 2)
    return curve(grow * person.half_width * narrowed, grow * person.half_height * y)


def face_box(face: Face) -> tuple[float, float, float, float]:
    """Returns x0, y0, x1, y1 in pixels: the smallest box around the face below the hairline."""
    edge = outline(face.person)
    points = to_picture(face, np.maximum(edge, [-np.inf, _FOREHEAD_Y]), flat=True)
    return (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


def mouth(face: Face) -> list[np.ndarray]:
    """Returns the outer and inner edge of the upper lip, and the inner and outer of the lower."""
    person, muscles = face.person, face.muscles
    half_width = person.mouth_width * (1.0 + 0.45 * muscles.mouth_width)
    corner_y = person.mouth_y - 0.15 * muscles.mouth_curve - person.mouth_skew * _STEPS
    # An open mouth is round, a closed one is an arc: the exponent goes from 1 to 1/2.
    arch = (1.0 - _STEPS**2) ** (1.0 - 0.5 * min(muscles.mouth_open, 1.0))
    middle_y = 0.15 * muscles.mouth_curve + 0.03 * abs(muscles.mouth_curve)
    upper_y = middle_y - 0.11 * muscles.mouth_open - 0.12 * muscles.lip_raise
    lower_y = middle_y + 0.33 * muscles.mouth_open
    lip = person.lip_thickness * (1.0 - 0.75 * min(muscles.lip_press, 1.0))
    shape = np.sqrt(1.0 - _STEPS**2)
    upper, lower = corner_y + upper_y * arch, corner_y + lower_y * arch
    edges = (upper - lip * shape, upper, lower, lower + 1.25 * lip * shape)
    return [curve(half_width * _STEPS, y) for y in edges]


def eye(face: Face, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the edges of the upper and the lower lid; side is -1 for left in the picture."""
    person, muscles = face.person, face.muscles
    half_width = 0.165 * person.eye_size
    opening = max(0.15, 1.0 + 0.62 * muscles.eye_open)
    x = side * person.eye_x + half_width * _STEPS
    arch = (1.0 - _STEPS**2) ** 0.75
    # Inner brow ends that go up take the upper lid along.
    slant = side * 0.03 * max(-muscles.brow_angle, 0.0) * _STEPS
    upper = EYE_Y + slant - 0.092 * person.eye_size * opening * arch
    lower_size = 0.062 * person.eye_size * (0.5 + 0.5 * opening)
    lower = EYE_Y + slant + (lower_size - 0.05 * muscles.cheek_raise) * arch
    return curve(x, upper), curve(x, np.maximum(lower, upper))


def brow(face: Face, side: int) -> np.ndarray:
    """Returns the middle line of a brow from its inner to its outer end; side as in `eye`."""
    person, muscles = face.person, face.muscles
    inner_x = person.eye_x - 0.19 - 0.05 * muscles.brow_knit
    outer_x = person.eye_x + 0.22
    tilt = 0.13 * muscles.brow_angle * (1.0 - 1.35 * _ALONG)
    height = 0.13 * muscles.brow_raise * (0.8 if muscles.brow_raise < 0 else 1.0)
    arch = (0.05 + 0.04 * max(muscles.brow_raise, 0.0)) * np.sin(np.pi * _ALONG**0.8)
    y = person.brow_y - height + tilt - arch + 0.03 * _ALONG
    return curve(side * (inner_x + (outer_x - inner_x) * _ALONG), y)


def nose_tip_y(face: Face) -> float:
    """Returns the height of the tip of the nose."""
    return face.person.nose_y - 0.05 * face.muscles.nose_wrinkle


def landmarks(face: Face) -> np.ndarray:
    """Returns the 68 usual points of a face in pixels, f64[68, 2], in the order of iBUG.

    These are jaw 17, brows 5 + 5, nose 4 + 5, eyes 6 + 6, lips 12 + 8.
    """
    jaw = outline(face.person)[np.linspace(20, 0, 17).round().astype(int)]
    tip = nose_tip_y(face)
    front = [
        brow(face, -1)[::-2],
        brow(face, 1)[::2],
        curve(0.0, np.linspace(EYE_Y, tip, 4)),
        curve(face.person.nose_width * np.linspace(-1, 1, 5), tip + 0.06),
    ]
    # Eyes and lips: along the upper curve, then back along the lower one.
    for upper, lower in (eye(face, -1), eye(face, 1)):
        front += [upper[::4], lower[8:3:-4]]
    upper_outer, upper_inner, lower_inner, lower_outer = mouth(face)
    front += [upper_outer[::2], lower_outer[-3:0:-2]]
    front += [upper_inner[[1, 4, 6, 8, 11]], lower_inner[[8, 6, 4]]]
    return np.vstack([to_picture(face, jaw, flat=True), to_picture(face, np.vstack(front))])
