"""Draws a face on a canvas, RGB, with antialiased polygons and lines."""

from typing import NamedTuple

import cv2
import numpy as np

from cda_jax.standin import geometry
from cda_jax.standin.faces import Colour, Face, Person, mix
from cda_jax.standin.geometry import EYE_Y

_SHIFT = 4  # OpenCV takes coordinates as integers in units of 2**-4 pixel
_BROW_TAPER = np.linspace(1.0, 0.35, 9)
_DARK = (34, 18, 16)
_TEETH = (238, 234, 224)
_WHITE_OF_EYE = (240, 238, 234)


class _Pen(NamedTuple):
    """Draws what is given in the frame of the face."""

    canvas: np.ndarray
    face: Face

    def fill(self, points: np.ndarray, colour: Colour, flat: bool = False) -> None:
        cv2.fillPoly(self.canvas, self._pixels(points, flat), colour, cv2.LINE_AA, _SHIFT)

    def between(self, above: np.ndarray, below: np.ndarray, colour: Colour) -> None:
        self.fill(np.concatenate([above, below[::-1]]), colour)

    def stroke(self, points: list | np.ndarray, width: float, colour: Colour, closed=False) -> None:
        pixels, thickness = self._pixels(points), max(1, round(width * self.face.scale))
        cv2.polylines(self.canvas, pixels, closed, colour, thickness, cv2.LINE_AA, _SHIFT)

    def _pixels(self, points: list | np.ndarray, flat: bool = False) -> list[np.ndarray]:
        pixels = geometry.to_picture(self.face, np.asarray(points, float), flat)
        return [np.rint(pixels * 2**_SHIFT).astype(np.int32)]


def draw_face(canvas: np.ndarray, face: Face) -> None:
    """Draws shoulders, head and everything on it into u8[H, W, 3], from back to front."""
    pen = _Pen(canvas, face)
    _head_and_shoulders(pen, face.person)
    _folds(pen, face)
    if face.person.beard:
        _beard(pen, face.person)
    _nose(pen, face)
    _mouth(pen, face)
    for side in (-1, 1):
        _eye_and_brow(pen, face, side)
    if face.person.hair_style != 'bald':
        _front_hair(pen, face.person)
    if face.person.glasses:
        _glasses(pen, face.person)


def _shade(person: Person, strength: float) -> Colour:
    """The skin, darker and redder."""
    return mix(person.skin, (92, 40, 28), strength)


def _head_and_shoulders(pen: _Pen, person: Person) -> None:
    width = person.half_width
    if person.hair_style == 'long':
        pen.fill(geometry.ellipse(0, 0.35, 1.22 * width, 1.35), person.hair, flat=True)
    pen.fill(geometry.ellipse(0.0, 2.25, 2.0 * width, 1.0), person.clothes, flat=True)
    below = np.array([[-2 * width, 2.2], [2 * width, 2.2], [2 * width, 9.0], [-2 * width, 9.0]])
    pen.fill(below, person.clothes, flat=True)
    neck = np.array([[-0.55, 0.5], [0.55, 0.5], [0.62, 1.5], [-0.62, 1.5]]) * [width, 1.0]
    pen.fill(neck, _shade(person, 0.28), flat=True)
    if person.hair_style != 'bald':
        hair = geometry.outline(person, 1.1)
        pen.fill(np.minimum(hair, [np.inf, 0.1]), person.hair, flat=True)
    for side in (-1, 1):
        ear = geometry.ellipse(side * person.half_width, 0.02, 0.1, 0.19)
        pen.fill(ear, _shade(person, 0.15), flat=True)
    pen.fill(geometry.outline(person), _shade(person, 0.14), flat=True)
    pen.fill(geometry.outline(person, 0.95), person.skin, flat=True)


def _front_hair(pen: _Pen, person: Person) -> None:
    line, sag = (-0.58, 0.16) if person.hair_style == 'fringe' else (-0.72, -0.14)
    top = geometry.outline(person, 1.1)
    cap = top[top[:, 1] <= -0.5]
    cap = cap[np.argsort(cap[:, 0])]
    x = cap[::-1, 0]
    hairline = geometry.curve(x, line + sag * (1 - (x / x.max()) ** 2))
    hairline[:, 1] += 0.22 * (x / x.max()) ** 4
    pen.fill(np.concatenate([cap, hairline]), person.hair, flat=True)


def _beard(pen: _Pen, person: Person) -> None:
    edge = geometry.outline(person)
    lower = edge[edge[:, 1] > 0.2]
    lower = lower[np.argsort(lower[:, 0])]
    x = 0.8 * lower[::-1, 0]
    inner = geometry.curve(x, 0.40 - 0.25 * (x / x.max()) ** 4)
    pen.fill(np.concatenate([lower, inner]), mix(person.skin, person.hair, 0.7), flat=True)


def _folds(pen: _Pen, face: Face) -> None:
    """Wrinkles: on the forehead, between the brows, on the nose, beside nose and mouth."""
    person, muscles = face.person, face.muscles
    if muscles.brow_raise > 0.3:
        for y in (-0.62, -0.68):
            across = [[-0.32, y], [-0.1, y - 0.02], [0.1, y - 0.02], [0.32, y]]
            pen.stroke(across, 0.02, _shade(person, 0.4 * muscles.brow_raise))
    if muscles.brow_knit > 0.25:
        for side in (-1, 1):
            furrow = [[side * 0.05, -0.36], [side * 0.065, -0.2]]
            pen.stroke(furrow, 0.025, _shade(person, 0.65 * muscles.brow_knit))
    if muscles.nose_wrinkle > 0.2:
        for y in (-0.16, -0.08, 0.0):
            ridge = [[-0.11, y + 0.05], [0.0, y], [0.11, y + 0.05]]
            pen.stroke(ridge, 0.024, _shade(person, 0.75 * muscles.nose_wrinkle))
    depth = max(muscles.cheek_raise, muscles.lip_raise, 0.15)
    top = geometry.nose_tip_y(face)
    for side in (-1, 1):
        x = np.array([0.19, 0.30, 0.36 + 0.06 * muscles.cheek_raise]) * side
        y = np.array([top, top + 0.12, person.mouth_y + 0.02 - 0.1 * muscles.cheek_raise])
        pen.stroke(geometry.curve(x, y), 0.025, _shade(person, 0.45 * depth))


def _nose(pen: _Pen, face: Face) -> None:
    tip = geometry.nose_tip_y(face)
    flare = face.person.nose_width * (1.0 + 0.25 * face.muscles.nose_wrinkle)
    side = 1 if face.yaw < 0 else -1
    shadow = np.array([[side * 0.04, -0.2], [side * 0.07, 0.05], [side * flare, tip + 0.03],
                       [0.0, tip + 0.06], [0.0, tip - 0.05]])  # fmt: skip
    pen.fill(shadow, _shade(face.person, 0.2))
    under = [[-flare, tip], [-0.6 * flare, tip + 0.07], [0, tip + 0.05],
             [0.6 * flare, tip + 0.07], [flare, tip]]  # fmt: skip
    pen.stroke(under, 0.03, _shade(face.person, 0.5))
    for x in (-0.5 * flare, 0.5 * flare):
        nostril = geometry.ellipse(x, tip + 0.045, 0.035, 0.022)
        pen.fill(nostril, _shade(face.person, 0.85))


def _mouth(pen: _Pen, face: Face) -> None:
    person, muscles = face.person, face.muscles
    upper_outer, upper_inner, lower_inner, lower_outer = geometry.mouth(face)
    pen.between(upper_outer, lower_outer, person.lips)
    gap = lower_inner - upper_inner
    if gap[:, 1].max() > 0.03:
        pen.between(upper_inner, lower_inner, _DARK)
        shown = min(0.85 * muscles.teeth, 0.85)
        if shown > 0.1:
            pen.between(upper_inner, upper_inner + shown * gap, _TEETH)
    else:
        pen.stroke(upper_inner, 0.026, mix(person.lips, _DARK, 0.7))
    if muscles.lip_press > 0.4:
        chin = geometry.ellipse(0.0, person.mouth_y + 0.2, 0.14, 0.02)[:20]
        pen.stroke(chin, 0.02, _shade(person, 0.35 * muscles.lip_press))


def _eye_and_brow(pen: _Pen, face: Face, side: int) -> None:
    person, muscles = face.person, face.muscles
    upper, lower = geometry.eye(face, side)
    pen.between(upper, lower, _WHITE_OF_EYE)
    for radius, colour in ((0.088, person.iris), (0.045, (12, 10, 10))):
        x, y = geometry.ellipse(side * person.eye_x, EYE_Y - 0.012, radius, radius).T
        y = np.clip(y, np.interp(x, *upper.T), np.interp(x, *lower.T))  # the lids cut it off
        pen.fill(geometry.curve(x, y), colour)
    glint_y = (upper[6, 1] + (EYE_Y + 0.03)) / 2
    glint = geometry.ellipse(side * person.eye_x + 0.03, glint_y, 0.016, 0.016)
    pen.fill(glint, (250, 250, 250))
    pen.stroke(upper, 0.035, _DARK)
    pen.stroke(lower, 0.015, _shade(person, 0.6))
    if muscles.cheek_raise > 0.3:
        bag = np.add(lower[2:11], [0.0, 0.06])
        pen.stroke(bag, 0.02, _shade(person, 0.4 * muscles.cheek_raise))
    brow = geometry.brow(face, side)
    across = geometry.curve(0.0, 0.6 * person.brow_thickness * _BROW_TAPER)
    pen.between(brow - across, brow + across, mix(person.hair, _DARK, 0.35))


def _glasses(pen: _Pen, person: Person) -> None:
    frame = (40, 36, 36)
    for side in (-1, 1):
        rim = geometry.ellipse(side * person.eye_x, EYE_Y + 0.02, 0.25, 0.21)
        pen.stroke(rim, 0.03, frame, closed=True)
    bridge = [[-person.eye_x + 0.25, EYE_Y], [person.eye_x - 0.25, EYE_Y]]
    pen.stroke(bridge, 0.03, frame)
