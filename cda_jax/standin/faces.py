"""Whose face it is and what it does: the parameters that a face is drawn from."""

from typing import NamedTuple

import numpy as np

Colour = tuple[float, float, float]  # red, green and blue, 0 to 255


class Muscles(NamedTuple):
    """What a face does: 0 is at rest, 1 a strong movement, negative numbers the opposite one.

    From `mouth_open` on, no number is negative.
    """

    mouth_curve: float  # corners of the mouth up
    mouth_width: float  # mouth stretched; negative is rounded
    brow_raise: float
    brow_angle: float  # inner ends of the brows down
    eye_open: float  # eyes wide; negative is narrowed
    mouth_open: float
    teeth: float  # share of the open mouth that shows teeth
    lip_raise: float  # upper lip drawn up towards the nose
    lip_press: float  # lips pressed together and thin
    brow_knit: float  # brows drawn together, with furrows between them
    cheek_raise: float  # cheeks and lower lids up
    nose_wrinkle: float  # wrinkles on the bridge of the nose, nostrils up


_NEVER_NEGATIVE = slice(Muscles._fields.index('mouth_open'), None)
_OPENING = [Muscles._fields.index('mouth_open'), Muscles._fields.index('teeth')]

# The full expressions, a row each in the order of EXPRESSIONS; columns as in Muscles.
FULL_EXPRESSIONS = np.array(
    [
        # curve width raise angle  eye | open teeth  lip press knit cheek nose
        [0.00, -0.45, 1.00, -0.05, 0.90, 1.00, 0.15, 0.0, 0.0, 0.0, 0.0, 0.0],
        [-0.35, 0.30, 0.65, -0.85, 0.80, 0.42, 0.85, 0.0, 0.0, 0.7, 0.0, 0.0],
        [-0.45, -0.05, -0.45, 0.50, -0.55, 0.18, 0.50, 1.0, 0.0, 0.4, 0.5, 1.0],
        [1.00, 0.35, 0.05, 0.00, -0.25, 0.45, 1.00, 0.0, 0.0, 0.0, 1.0, 0.0],
        [-0.95, -0.15, 0.10, -1.00, -0.50, 0.00, 0.00, 0.0, 0.1, 0.4, 0.0, 0.0],
        [-0.30, 0.05, -0.85, 1.10, 0.10, 0.12, 0.90, 0.0, 0.9, 1.0, 0.0, 0.3],
        [0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.00, 0.0, 0.0, 0.0, 0.0, 0.0],
    ]
)
# Standard deviations between faces at rest.
_RESTING_SPREAD = np.array([0.12, 0.15, 0.12, 0.13, 0.14, 0.02, 0, 0.03, 0.15, 0.05, 0.06, 0.03])

_SKIN = ((250, 220, 196), (240, 200, 170), (224, 178, 140), (198, 146, 108), (150, 102, 74),
         (110, 74, 54))  # fmt: skip
_HAIR = ((28, 22, 20), (52, 36, 28), (94, 62, 38), (150, 104, 58), (206, 168, 104), (150, 62, 34),
         (168, 166, 164))  # fmt: skip
_IRIS = ((70, 46, 30), (96, 66, 40), (84, 120, 150), (90, 120, 84))
_HAIR_STYLES = ('short', 'long', 'fringe', 'bald')


class Person(NamedTuple):
    """What stays the same whatever the face does.

    Half the height of a typical head is the unit of length. x and y count from the middle of the
    head to the right and downwards.
    """

    half_width: float  # of the head
    half_height: float
    jaw: float  # how much the head narrows to the chin; 0 is an ellipse
    eye_x: float
    eye_size: float  # a factor
    brow_y: float
    brow_thickness: float
    nose_y: float  # of the tip
    nose_width: float  # half of it, as with the mouth
    mouth_y: float
    mouth_width: float
    lip_thickness: float
    mouth_skew: float  # how much higher the right corner is
    skin: Colour
    hair: Colour
    lips: Colour
    iris: Colour
    clothes: Colour
    hair_style: str
    glasses: bool
    beard: bool


class Face(NamedTuple):
    """A person's face as it lies in a picture. Angles are in radians."""

    person: Person
    muscles: Muscles
    yaw: float  # turn to the side
    pitch: float  # up or down
    roll: float  # in the plane of the picture
    centre: tuple[float, float]  # x and y of the middle of the head, in pixels
    scale: float  # pixels per unit of length
    intensity: float  # strength of the expression that the muscles show


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Returns the colour `share` of the way from a to b; the share is clipped to 0..1."""
    share = min(max(share, 0.0), 1.0)
    return tuple((1 - share) * x + share * y for x, y in zip(a, b, strict=True))


def random_person(rng: np.random.Generator, glasses_share: float, beard_share: float) -> Person:
    """Returns a person at random; the shares are the probabilities of glasses and of a beard."""
    skin = _between_neighbours(rng, _SKIN)
    hair = _between_neighbours(rng, _HAIR)
    lips = mix(mix(skin, (176, 60, 66), rng.uniform(0.35, 0.75)), (60, 20, 24), 0.1)
    return Person(
        half_width=rng.uniform(0.76, 0.90),
        half_height=rng.uniform(0.98, 1.08),
        jaw=rng.uniform(0.05, 0.30),
        eye_x=rng.uniform(0.32, 0.39),
        eye_size=rng.uniform(0.88, 1.12),
        brow_y=rng.uniform(-0.40, -0.34),
        brow_thickness=rng.uniform(0.045, 0.085),
        nose_y=rng.uniform(0.18, 0.26),
        nose_width=rng.uniform(0.12, 0.18),
        mouth_y=rng.uniform(0.50, 0.57),
        mouth_width=rng.uniform(0.27, 0.33),
        lip_thickness=rng.uniform(0.045, 0.085),
        mouth_skew=rng.normal(0.0, 0.012),
        skin=skin,
        hair=hair,
        lips=lips,
        iris=_IRIS[rng.integers(len(_IRIS))],
        clothes=tuple(rng.uniform(20, 230, 3)),
        hair_style=_HAIR_STYLES[rng.choice(len(_HAIR_STYLES), p=(0.4, 0.25, 0.25, 0.1))],
        glasses=bool(rng.random() < glasses_share),
        beard=bool(rng.random() < beard_share),
    )


def random_muscles(rng: np.random.Generator, expression: int, intensity: float) -> Muscles:
    """Returns what a face does to show an expression, in a way of its own.

    At an intensity of 0 it is at rest, at 1 the expression is full.
    """
    strength = rng.uniform(0.75, 1.15, len(_RESTING_SPREAD))
    # People feel the same with closed or open lips: one number for all that shows an open mouth.
    strength[_OPENING] *= rng.uniform(0.35, 1.1)
    rest = rng.normal(0.0, 1.0, len(_RESTING_SPREAD)) * _RESTING_SPREAD
    values = intensity * strength * FULL_EXPRESSIONS[expression] + rest
    values[_NEVER_NEGATIVE] = np.maximum(values[_NEVER_NEGATIVE], 0.0)
    return Muscles(*values.tolist())


def _between_neighbours(rng: np.random.Generator, palette: tuple[Colour, ...]) -> Colour:
    i = rng.integers(len(palette) - 1)
    return mix(palette[i], palette[i + 1], rng.random())
