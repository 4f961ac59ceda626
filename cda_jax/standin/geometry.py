"""The curves of a face, and how they get from the face to the picture.

Face frame: x to the right and y down as seen in the picture, the middle of the head at 0, a
typical half face height 1. All curves run from left to right in the picture unless they say
otherwise, and have the shape [n, 2].
"""

import math
from typing import NamedTuple

import numpy as np

from cda_jax.standin.faces import Muscles, Person

FOREHEAD_Y = -0.72  # where a face box begins
EYE_Y = -0.12
HEAD_DEPTH = 0.82
_STEPS = np.linspace(-1.0, 1.0, 13)
_ALONG = np.linspace(0.0, 1.0, 9)
_ANGLES = np.linspace(0.0, 2 * np.pi, 40, endpoint=False)
_CIRCLE = (np.cos(_ANGLES), np.sin(_ANGLES))


class Pose(NamedTuple):
    """Turn of the head in radians: yaw to the side, pitch up or down, roll in the picture."""

    yaw: float
    pitch: float
    roll: float


class View(NamedTuple):
    """How a face lies on the picture.

    Attributes:
        person: Whose face.
        pose: Turn of the head.
        centre: x and y of the middle of the head, in pixels.
        scale: Pixels per unit of the face frame.
    """

    person: Person
    pose: Pose
    centre: tuple[float, float]
    scale: float


class Mouth(NamedTuple):
    """The four edges of the lips, f64[n, 2] each, from one corner to the other."""

    upper_outer: np.ndarray
    upper_inner: np.ndarray
    lower_inner: np.ndarray
    lower_outer: np.ndarray


def to_picture(view: View, points: np.ndarray, flat: bool = False) -> np.ndarray:
    """Brings points of the face frame onto the picture.

    Args:
        view: How the face lies on the picture.
        points: f64[n, 2] in the face frame.
        flat: True for what does not turn with the head, such as its outline; else the points lie
            on the front of an ellipsoid and turn with it.

    Returns:
        f64[n, 2] in pixels.
    """
    pose = view.pose
    cos, sin = view.scale * math.cos(pose.roll), view.scale * math.sin(pose.roll)
    roll = np.array([[cos, sin], [-sin, cos]])
    if flat:
        return points @ roll + view.centre
    share = points / (view.person.half_width, view.person.half_height)
    share *= share
    z = HEAD_DEPTH * np.sqrt(np.maximum(1.0 - share[:, 0] - share[:, 1], 0.0))
    yaw_cos, yaw_sin = math.cos(pose.yaw), math.sin(pose.yaw)
    pitch_cos, pitch_sin = math.cos(pose.pitch), math.sin(pose.pitch)
    from_xy = np.array([[yaw_cos, -yaw_sin * pitch_sin], [0.0, pitch_cos]])
    from_z = np.array([yaw_sin, yaw_cos * pitch_sin])
    return points @ (from_xy @ roll) + z[:, None] * (from_z @ roll) + view.centre


def curve(x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
    """Returns f64[n, 2] of two coordinates, one of which may be a single number."""
    points = np.empty((max(np.size(x), np.size(y)), 2))
    points[:, 0] = x
    points[:, 1] = y
    return points


def ellipse(x: float, y: float, rx: float, ry: float) -> np.ndarray:
    """Returns points around an ellipse, f64[40, 2]."""
    return curve(x + rx * _CIRCLE[0], y + ry * _CIRCLE[1])


def outline(person: Person, grow: float = 1.0) -> np.ndarray:
    """Returns points around the head, f64[40, 2], enlarged by a factor."""
    x, y = _CIRCLE
    narrowed = x * (1.0 - person.jaw * np.maximum(y, 0.0) ** 2)
    return curve(grow * person.half_width * narrowed, grow * person.half_height * y)


def face_box(view: View) -> tuple[float, float, float, float]:
    """Returns x0, y0, x1, y1 in pixels: the smallest box around the face below the hairline."""
    edge = outline(view.person)
    points = to_picture(view, np.maximum(edge, [-np.inf, FOREHEAD_Y]), flat=True)
    return (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())


def mouth(person: Person, muscles: Muscles) -> Mouth:
    """Returns the edges of the lips."""
    half_width = person.mouth_width * (1.0 + 0.45 * muscles.mouth_width)
    corner_y = person.mouth_y - 0.15 * muscles.mouth_curve - person.mouth_skew * _STEPS
    # An open mouth is round, a closed one is an arc: the exponent goes from 1 to 1/2.
    arch = (1.0 - _STEPS**2) ** (1.0 - 0.5 * min(muscles.mouth_open, 1.0))
    middle_y = 0.15 * muscles.mouth_curve + 0.03 * abs(muscles.mouth_curve)
    upper_y = middle_y - 0.11 * muscles.mouth_open - 0.12 * muscles.lip_raise
    lower_y = middle_y + 0.33 * muscles.mouth_open
    lip = person.lip_thickness * (1.0 - 0.75 * min(muscles.lip_press, 1.0))
    shape = np.sqrt(1.0 - _STEPS**2)

    def edge(y):
        return curve(half_width * _STEPS, y)

    upper, lower = corner_y + upper_y * arch, corner_y + lower_y * arch
    return Mouth(
        edge(upper - lip * shape), edge(upper), edge(lower), edge(lower + 1.25 * lip * shape)
    )


def eye(person: Person, muscles: Muscles, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the edges of the upper and the lower lid; side is -1 for left in the picture."""
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


def brow(person: Person, muscles: Muscles, side: int) -> np.ndarray:
    """Returns the middle line of a brow from its inner to its outer end; side as in `eye`."""
    inner_x = person.eye_x - 0.19 - 0.05 * muscles.brow_knit
    outer_x = person.eye_x + 0.22
    tilt = 0.13 * muscles.brow_angle * (1.0 - 1.35 * _ALONG)
    height = 0.13 * muscles.brow_raise
    if muscles.brow_raise < 0:
        height *= 0.8
    arch = (0.05 + 0.04 * max(muscles.brow_raise, 0.0)) * np.sin(np.pi * _ALONG**0.8)
    y = person.brow_y - height + tilt - arch + 0.03 * _ALONG
    return curve(side * (inner_x + (outer_x - inner_x) * _ALONG), y)


def nose_tip_y(person: Person, muscles: Muscles) -> float:
    """Returns the height of the tip of the nose."""
    return person.nose_y - 0.05 * muscles.nose_wrinkle


def landmarks(view: View, muscles: Muscles) -> np.ndarray:
    """Returns the 68 usual points of a face in the order of the iBUG scheme.

    Args:
        view: How the face lies on the picture.
        muscles: What it does.

    Returns:
        f64[68, 2] in pixels: jaw 17, brows 5 + 5, nose 4 + 5, eyes 6 + 6, lips 12 + 8.
    """
    person = view.person
    edge = outline(person)
    jaw = edge[np.linspace(20, 0, 17).round().astype(int)]
    brows = [brow(person, muscles, -1)[::-2], brow(person, muscles, 1)[::2]]
    tip = nose_tip_y(person, muscles)
    bridge = curve(0.0, np.linspace(EYE_Y, tip, 4))
    nostrils = curve(person.nose_width * np.linspace(-1, 1, 5), tip + 0.06)
    front = [*brows, bridge, nostrils]
    front += [_around(*eye(person, muscles, side), [0, 4, 8, 12], [8, 4]) for side in (-1, 1)]
    lips = mouth(person, muscles)
    front.append(
        _around(lips.upper_outer, lips.lower_outer, [0, 2, 4, 6, 8, 10, 12], [10, 8, 6, 4, 2])
    )
    front.append(_around(lips.upper_inner, lips.lower_inner, [1, 4, 6, 8, 11], [8, 6, 4]))
    return np.concatenate(
        [to_picture(view, jaw, flat=True), to_picture(view, np.concatenate(front))]
    )


def _around(upper, lower, over, under):
    """Points along the upper curve, then back along the lower one."""
    return np.concatenate([upper[over], lower[under]])
