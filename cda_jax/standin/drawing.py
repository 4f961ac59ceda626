"""Paints a face on a canvas. Colours are RGB."""

import cv2
import numpy as np

from cda_jax.standin import geometry
from cda_jax.standin.faces import Colour, Muscles, Person, mix
from cda_jax.standin.geometry import EYE_Y, View

_SHIFT = 4  # OpenCV takes coordinates as integers in units of 2**-4 pixel
_BROW_TAPER = np.linspace(1.0, 0.35, 9)
_DARK = (34, 18, 16)
_TEETH = (238, 234, 224)
_WHITE_OF_EYE = (240, 238, 234)


def draw_face(canvas: np.ndarray, view: View, muscles: Muscles) -> None:
    """Paints shoulders, head and everything on it, from back to front.

    Args:
        canvas: u8[H, W, 3], painted in place.
        view: How the face lies on the canvas.
        muscles: What it does.
    """
    person = view.person
    _body(canvas, view)
    _head(canvas, view)
    _folds(canvas, view, muscles)
    if person.beard:
        _beard(canvas, view)
    _nose(canvas, view, muscles)
    _mouth(canvas, view, muscles)
    for side in (-1, 1):
        _eye(canvas, view, muscles, side)
        _brow(canvas, view, muscles, side)
    _front_hair(canvas, view)
    if person.glasses:
        _glasses(canvas, view)


def _fill(canvas, view, points, colour: Colour, flat=False):
    pixels = geometry.to_picture(view, points, flat)
    fixed = np.round(pixels * 2**_SHIFT).astype(np.int32)
    cv2.fillPoly(canvas, [fixed], colour, cv2.LINE_AA, _SHIFT)


def _stroke(canvas, view, points, width: float, colour: Colour, closed=False):
    pixels = geometry.to_picture(view, np.asarray(points, float))
    fixed = np.round(pixels * 2**_SHIFT).astype(np.int32)
    thickness = max(1, round(width * view.scale))
    cv2.polylines(canvas, [fixed], closed, colour, thickness, cv2.LINE_AA, _SHIFT)


def _shade(person: Person, strength: float) -> Colour:
    """The skin, darker and redder."""
    return mix(person.skin, (92, 40, 28), strength)


def _body(canvas, view):
    person = view.person
    width = person.half_width
    shoulders = geometry.ellipse(0.0, 2.25, 2.0 * width, 1.0)
    below = np.array([[-2 * width, 2.2], [2 * width, 2.2], [2 * width, 9.0], [-2 * width, 9.0]])
    if person.hair_style == 'long':
        _fill(canvas, view, geometry.ellipse(0, 0.35, 1.22 * width, 1.35), person.hair, flat=True)
    neck = np.array([[-0.55, 0.5], [0.55, 0.5], [0.62, 1.5], [-0.62, 1.5]]) * [width, 1.0]
    _fill(canvas, view, shoulders, person.clothes, flat=True)
    _fill(canvas, view, below, person.clothes, flat=True)
    _fill(canvas, view, neck, _shade(person, 0.28), flat=True)


def _head(canvas, view):
    person = view.person
    if person.hair_style != 'bald':
        hair = geometry.outline(person, 1.1)
        _fill(canvas, view, np.minimum(hair, [np.inf, 0.1]), person.hair, flat=True)
    for side in (-1, 1):
        ear = geometry.ellipse(side * person.half_width, 0.02, 0.1, 0.19)
        _fill(canvas, view, ear, _shade(person, 0.15), flat=True)
    _fill(canvas, view, geometry.outline(person), _shade(person, 0.14), flat=True)
    _fill(canvas, view, geometry.outline(person, 0.95), person.skin, flat=True)


def _front_hair(canvas, view):
    person = view.person
    if person.hair_style == 'bald':
        return
    line = -0.58 if person.hair_style == 'fringe' else -0.72
    top = geometry.outline(person, 1.1)
    cap = top[top[:, 1] <= -0.5]
    cap = cap[np.argsort(cap[:, 0])]
    x = cap[::-1, 0]
    sag = 0.16 if person.hair_style == 'fringe' else -0.14
    hairline = geometry.curve(x, line + sag * (1 - (x / x.max()) ** 2))
    hairline[:, 1] += 0.22 * (x / x.max()) ** 4
    _fill(canvas, view, np.concatenate([cap, hairline]), person.hair, flat=True)


def _beard(canvas, view):
    edge = geometry.outline(view.person)
    lower = edge[edge[:, 1] > 0.2]
    lower = lower[np.argsort(lower[:, 0])]
    inner = geometry.curve(0.8 * lower[::-1, 0], 0.0)
    inner[:, 1] = 0.40 - 0.25 * (inner[:, 0] / inner[:, 0].max()) ** 4
    colour = mix(view.person.skin, view.person.hair, 0.7)
    _fill(canvas, view, np.concatenate([lower, inner]), colour, flat=True)


def _folds(canvas, view, muscles):
    """Wrinkles: on the forehead, between the brows, on the nose, beside nose and mouth."""
    person = view.person
    if muscles.brow_raise > 0.3:
        for y in (-0.62, -0.68):
            across = np.array([[-0.32, y], [-0.1, y - 0.02], [0.1, y - 0.02], [0.32, y]])
            _stroke(canvas, view, across, 0.02, _shade(person, 0.4 * muscles.brow_raise))
    if muscles.brow_knit > 0.25:
        for side in (-1, 1):
            furrow = [[side * 0.05, -0.36], [side * 0.065, -0.2]]
            _stroke(canvas, view, furrow, 0.025, _shade(person, 0.65 * muscles.brow_knit))
    if muscles.nose_wrinkle > 0.2:
        colour = _shade(person, 0.75 * muscles.nose_wrinkle)
        for y in (-0.16, -0.08, 0.0):
            ridge = [[-0.11, y + 0.05], [0.0, y], [0.11, y + 0.05]]
            _stroke(canvas, view, ridge, 0.024, colour)
    depth = max(muscles.cheek_raise, muscles.lip_raise, 0.15)
    top = geometry.nose_tip_y(person, muscles)
    for side in (-1, 1):
        x = np.array([0.19, 0.30, 0.36 + 0.06 * muscles.cheek_raise]) * side
        y = np.array([top, top + 0.12, person.mouth_y + 0.02 - 0.1 * muscles.cheek_raise])
        _stroke(canvas, view, geometry.curve(x, y), 0.025, _shade(person, 0.45 * depth))


def _nose(canvas, view, muscles):
    person = view.person
    tip, width = geometry.nose_tip_y(person, muscles), person.nose_width
    flare = width * (1.0 + 0.25 * muscles.nose_wrinkle)
    side = 1 if view.pose.yaw < 0 else -1
    shadow = np.array([[side * 0.04, -0.2], [side * 0.07, 0.05], [side * flare, tip + 0.03],
                       [0.0, tip + 0.06], [0.0, tip - 0.05]])  # fmt: skip
    _fill(canvas, view, shadow, _shade(person, 0.2))
    under = np.array([[-flare, tip], [-0.6 * flare, tip + 0.07], [0, tip + 0.05],
                      [0.6 * flare, tip + 0.07], [flare, tip]])  # fmt: skip
    _stroke(canvas, view, under, 0.03, _shade(person, 0.5))
    for x in (-0.5 * flare, 0.5 * flare):
        nostril = geometry.ellipse(x, tip + 0.045, 0.035, 0.022)
        _fill(canvas, view, nostril, _shade(person, 0.85))


def _mouth(canvas, view, muscles):
    person = view.person
    lips = geometry.mouth(person, muscles)
    _fill(canvas, view, np.concatenate([lips.upper_outer, lips.lower_outer[::-1]]), person.lips)
    gap = lips.lower_inner - lips.upper_inner
    if gap[:, 1].max() > 0.03:
        _fill(canvas, view, np.concatenate([lips.upper_inner, lips.lower_inner[::-1]]), _DARK)
        shown = min(0.85 * muscles.teeth, 0.85)
        edge = lips.upper_inner + shown * gap
        if shown > 0.1:
            _fill(canvas, view, np.concatenate([lips.upper_inner, edge[::-1]]), _TEETH)
    else:
        _stroke(canvas, view, lips.upper_inner, 0.026, mix(person.lips, _DARK, 0.7))
    if muscles.lip_press > 0.4:
        chin = geometry.ellipse(0.0, person.mouth_y + 0.2, 0.14, 0.02)[:20]
        _stroke(canvas, view, chin, 0.02, _shade(person, 0.35 * muscles.lip_press))


def _eye(canvas, view, muscles, side):
    person = view.person
    upper, lower = geometry.eye(person, muscles, side)
    _fill(canvas, view, np.concatenate([upper, lower[::-1]]), _WHITE_OF_EYE)
    middle = (upper[6] + [upper[6][0], EYE_Y + 0.03]) / 2
    for radius, colour in ((0.088, person.iris), (0.045, (12, 10, 10))):
        disc = geometry.ellipse(side * person.eye_x, EYE_Y - 0.012, radius, radius)
        # The lids cut the disc off.
        disc[:, 1] = np.clip(
            disc[:, 1],
            np.interp(disc[:, 0], upper[:, 0], upper[:, 1]),
            np.interp(disc[:, 0], lower[:, 0], lower[:, 1]),
        )
        _fill(canvas, view, disc, colour)
    glint = geometry.ellipse(side * person.eye_x + 0.03, middle[1], 0.016, 0.016)
    _fill(canvas, view, glint, (250, 250, 250))
    _stroke(canvas, view, upper, 0.035, _DARK)
    _stroke(canvas, view, lower, 0.015, _shade(person, 0.6))
    if muscles.cheek_raise > 0.3:
        bag = np.add(lower[2:11], [0.0, 0.06])
        _stroke(canvas, view, bag, 0.02, _shade(person, 0.4 * muscles.cheek_raise))


def _brow(canvas, view, muscles, side):
    line = geometry.brow(view.person, muscles, side)
    across = geometry.curve(0.0, 0.6 * view.person.brow_thickness * _BROW_TAPER)
    points = np.concatenate([line - across, (line + across)[::-1]])
    _fill(canvas, view, points, mix(view.person.hair, _DARK, 0.35))


def _glasses(canvas, view):
    frame = (40, 36, 36)
    for side in (-1, 1):
        rim = geometry.ellipse(side * view.person.eye_x, EYE_Y + 0.02, 0.25, 0.21)
        _stroke(canvas, view, rim, 0.03, frame, closed=True)
    bridge = [[-view.person.eye_x + 0.25, EYE_Y], [view.person.eye_x - 0.25, EYE_Y]]
    _stroke(canvas, view, bridge, 0.03, frame)
