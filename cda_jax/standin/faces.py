"""Who is on a picture and what the face does: the parameters a face is drawn from."""

from typing import NamedTuple

import numpy as np

Colour = tuple[float, float, float]


class Muscles(NamedTuple):
    """What a face does. 0 is at rest; 1 is a strong movement, negative the opposite one.

    Attributes:
        mouth_curve: Corners of the mouth up (positive) or down.
        mouth_width: Mouth stretched (positive) or rounded.
        brow_raise: Brows up (positive) or down.
        brow_angle: Inner ends of the brows down (positive) or up.
        eye_open: Eyes wide (positive) or narrowed.
        mouth_open: Distance of the lips. This and all that follow are never negative.
        teeth: Share of the open mouth that shows teeth.
        lip_raise: Upper lip drawn up towards the nose.
        lip_press: Lips pressed together and thin.
        brow_knit: Brows drawn together, with furrows between them.
        cheek_raise: Cheeks and lower lids up.
        nose_wrinkle: Wrinkles on the bridge of the nose, nostrils up.
    """

    mouth_curve: float
    mouth_width: float
    brow_raise: float
    brow_angle: float
    eye_open: float
    mouth_open: float
    teeth: float
    lip_raise: float
    lip_press: float
    brow_knit: float
    cheek_raise: float
    nose_wrinkle: float


ONE_SIDED = slice(Muscles._fields.index('mouth_open'), None)
OPENING = [Muscles._fields.index('mouth_open'), Muscles._fields.index('teeth')]

# A row an expression, in the order of EXPRESSIONS; columns as in Muscles.
PROTOTYPES = np.array(
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
# Standard deviation of one face at rest from another, in the units of Muscles.
RESTING_SPREAD = np.array([0.12, 0.15, 0.12, 0.13, 0.14, 0.02, 0.0, 0.03, 0.15, 0.05, 0.06, 0.03])

SKIN = ((250, 220, 196), (240, 200, 170), (224, 178, 140), (198, 146, 108), (150, 102, 74),
        (110, 74, 54))  # fmt: skip
HAIR = ((28, 22, 20), (52, 36, 28), (94, 62, 38), (150, 104, 58), (206, 168, 104), (150, 62, 34),
        (168, 166, 164))  # fmt: skip
IRIS = ((70, 46, 30), (96, 66, 40), (84, 120, 150), (90, 120, 84))
HAIR_STYLES = ('short', 'long', 'fringe', 'bald')


class Person(NamedTuple):
    """What stays the same whatever the face does. Lengths are in units of a typical half face.

    Attributes:
        half_width: Half the width of the head.
        half_height: Half the height of the head.
        jaw: How much the head narrows to the chin; 0 is an ellipse.
        eye_x: Distance of an eye's centre from the middle.
        eye_size: Factor on the size of the eyes.
        brow_y: Height of the brows at rest; y points down.
        brow_thickness: Thickness of a brow.
        nose_y: Height of the tip of the nose.
        nose_width: Half the width of the nose.
        mouth_y: Height of the mouth.
        mouth_width: Half the width of the mouth at rest.
        lip_thickness: Thickness of a lip at rest.
        mouth_skew: How much higher the right corner of the mouth is.
        skin: RGB, 0..255, as are all colours.
        hair: Colour of hair and brows.
        lips: Colour of the lips.
        iris: Colour of the eyes.
        clothes: Colour of the clothes.
        hair_style: One of HAIR_STYLES.
        glasses: Whether the person wears glasses.
        beard: Whether the person has a beard.
    """

    half_width: float
    half_height: float
    jaw: float
    eye_x: float
    eye_size: float
    brow_y: float
    brow_thickness: float
    nose_y: float
    nose_width: float
    mouth_y: float
    mouth_width: float
    lip_thickness: float
    mouth_skew: float
    skin: Colour
    hair: Colour
    lips: Colour
    iris: Colour
    clothes: Colour
    hair_style: str
    glasses: bool
    beard: bool


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Returns the colour `share` of the way from a to b; share is clipped to 0..1."""
    share = min(max(share, 0.0), 1.0)
    return tuple((1 - share) * x + share * y for x, y in zip(a, b, strict=True))


def draw_person(
    rng: np.random.Generator, glasses_share: float = 0.1, beard_share: float = 0.1
) -> Person:
    """Draws a person at random.

    Args:
        rng: Source of randomness.
        glasses_share: Probability of glasses.
        beard_share: Probability of a beard.

    Returns:
        The person.
    """
    skin = _between(rng, SKIN)
    hair = _between(rng, HAIR)
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
        iris=IRIS[rng.integers(len(IRIS))],
        clothes=tuple(rng.uniform(20, 230, 3)),
        hair_style=HAIR_STYLES[rng.choice(len(HAIR_STYLES), p=(0.4, 0.25, 0.25, 0.1))],
        glasses=bool(rng.random() < glasses_share),
        beard=bool(rng.random() < beard_share),
    )


def draw_muscles(rng: np.random.Generator, expression: int, intensity: float) -> Muscles:
    """Draws what a face does to show an expression.

    Args:
        rng: Source of randomness.
        expression: Index into EXPRESSIONS.
        intensity: 0 is a face at rest, 1 the full expression.

    Returns:
        The prototype at this intensity, with the person's own way of showing it and own resting
        face.
    """
    strength = rng.uniform(0.75, 1.15, len(RESTING_SPREAD))
    # The same feeling comes with closed or open lips: one draw for all that shows an open mouth.
    strength[OPENING] *= rng.uniform(0.35, 1.1)
    rest = rng.normal(0.0, 1.0, len(RESTING_SPREAD)) * RESTING_SPREAD
    values = intensity * strength * PROTOTYPES[expression] + rest
    values[ONE_SIDED] = np.maximum(values[ONE_SIDED], 0.0)
    return Muscles(*values.tolist())


def _between(rng, palette):
    """A colour at random between two neighbours of a palette."""
    i = rng.integers(len(palette) - 1)
    return mix(palette[i], palette[i + 1], rng.random())
