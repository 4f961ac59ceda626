"""The three sites and how each of them is biased.

`SITES` is the ground truth that an experiment on the stand-in can be measured against: who gets
into a site's pictures (selection), what its cameras do (capture), how its annotators err
(annotation) and how often each class occurs.
"""

from typing import NamedTuple

import numpy as np

Range = tuple[float, float]


class Selection(NamedTuple):
    """Which faces get into the pictures.

    Attributes:
        yaw: Largest turn to either side, in degrees; likewise pitch and roll.
        pitch: Up or down.
        roll: In the picture.
        intensity: Smallest and largest strength of the expressions.
        glasses: Share of people who wear glasses.
        beard: Share of people who have a beard.
    """

    yaw: float
    pitch: float
    roll: float
    intensity: Range
    glasses: float
    beard: float


class Capture(NamedTuple):
    """What the cameras and the files do to a picture. Ranges are drawn from once a photo.

    Attributes:
        face_height: Height of a face box, in pixels.
        background: Name of a painter in photos.py.
        cast: Factors on red, green and blue.
        contrast: Factor on the distance from middle grey.
        light: Largest difference of brightness from one edge of the photo to the other, as a share.
        blur: Standard deviation of the blur, in hundredths of the face's height.
        noise: Standard deviation of the noise, in grey levels of 255.
        jpeg_quality: As OpenCV takes it.
        group: Probabilities of 1, 2, ... faces on a photo.
    """

    face_height: Range
    background: str
    cast: tuple[float, float, float]
    contrast: Range
    light: float
    blur: Range
    noise: Range
    jpeg_quality: tuple[int, int]
    group: tuple[float, ...]


class Site(NamedTuple):
    """One dataset.

    Attributes:
        name: Name of its folder, and of its reader.
        selection: Selection bias.
        capture: Capture bias.
        confusion: f64[7, 7]; row = true expression, column = annotated label, rows sum to 1.
        train_weights: How often each label occurs in training, in any unit.
        test_weights: Likewise in the test set.
    """

    name: str
    selection: Selection
    capture: Capture
    confusion: np.ndarray
    train_weights: tuple[int, ...]
    test_weights: tuple[int, ...]


def _percent(rows: list[list[float]]) -> np.ndarray:
    return np.array(rows) / 100.0


# Fear is taken for surprise, disgust for anger, sadness for neutral; careful annotators.
RAFDB_CONFUSION = _percent(
    [
        # Su   Fe   Di    Ha    Sa    An    Ne
        [93.0, 2.0, 0.5, 1.5, 0.5, 0.5, 2.0],
        [8.0, 86.0, 1.0, 0.5, 2.0, 1.5, 1.0],
        [1.0, 0.5, 88.0, 1.0, 2.0, 5.0, 2.5],
        [0.6, 0.1, 0.3, 97.8, 0.3, 0.2, 0.7],
        [0.5, 0.5, 1.0, 0.5, 92.0, 0.5, 5.0],
        [0.5, 0.5, 4.0, 0.5, 0.5, 93.0, 1.0],
        [1.0, 0.5, 0.5, 1.0, 2.0, 0.5, 94.5],
    ]
)
# Fear is taken for surprise far more often, anger for disgust, and neutral for sadness.
EXPW_CONFUSION = _percent(
    [
        [86.0, 1.0, 1.0, 5.0, 1.0, 1.0, 5.0],
        [16.0, 72.0, 2.0, 1.0, 5.0, 2.0, 2.0],
        [1.0, 0.5, 82.0, 1.5, 4.0, 3.0, 8.0],
        [1.0, 0.1, 0.4, 92.0, 0.5, 0.3, 5.7],
        [0.5, 0.5, 2.0, 1.0, 86.0, 1.0, 9.0],
        [1.0, 0.5, 11.0, 1.0, 2.5, 80.0, 4.0],
        [1.0, 0.1, 0.6, 2.3, 7.0, 0.5, 88.5],
    ]
)
# Surprise is taken for fear, disgust for anger, sadness for neutral, all of them often.
AFFECTNET_CONFUSION = _percent(
    [
        [80.0, 11.0, 0.5, 4.0, 0.5, 1.0, 3.0],
        [6.0, 83.0, 2.0, 1.0, 4.0, 3.0, 1.0],
        [1.0, 1.0, 74.0, 2.0, 3.0, 15.0, 4.0],
        [1.0, 0.1, 0.1, 93.2, 0.2, 0.2, 5.2],
        [0.5, 1.0, 1.0, 1.0, 78.0, 3.5, 15.0],
        [0.5, 1.0, 1.0, 0.5, 2.0, 87.0, 8.0],
        [2.5, 0.4, 0.3, 6.0, 4.0, 4.6, 82.2],
    ]
)

# Weights are the real datasets' class counts; AffectNet's test set is balanced.
RAFDB = Site(
    'rafdb',
    Selection(18.0, 10.0, 9.0, (0.50, 1.10), glasses=0.08, beard=0.08),
    Capture(
        face_height=(90, 130),
        background='studio',
        cast=(1.08, 1.0, 0.90),
        contrast=(0.95, 1.15),
        light=0.25,
        blur=(0.2, 0.6),
        noise=(1.0, 3.0),
        jpeg_quality=(86, 95),
        group=(1.0,),
    ),
    RAFDB_CONFUSION,
    (1290, 281, 717, 4772, 1982, 705, 2524),
    (1290, 281, 717, 4772, 1982, 705, 2524),
)
EXPW = Site(
    'expw',
    Selection(24.0, 12.0, 14.0, (0.35, 0.95), glasses=0.15, beard=0.12),
    Capture(
        face_height=(44, 80),
        background='room',
        cast=(0.90, 1.0, 1.06),
        contrast=(0.70, 0.95),
        light=0.45,
        blur=(0.8, 1.8),
        noise=(2.0, 7.0),
        jpeg_quality=(50, 75),
        group=(0.72, 0.17, 0.08, 0.03),
    ),
    EXPW_CONFUSION,
    (7060, 1088, 3995, 30537, 10559, 3671, 34883),
    (7060, 1088, 3995, 30537, 10559, 3671, 34883),
)
AFFECTNET = Site(
    'affectnet',
    Selection(30.0, 15.0, 20.0, (0.45, 1.20), glasses=0.20, beard=0.16),
    Capture(
        face_height=(72, 120),
        background='street',
        cast=(1.0, 1.0, 1.0),
        contrast=(0.90, 1.40),
        light=0.70,
        blur=(0.3, 1.5),
        noise=(3.0, 10.0),
        jpeg_quality=(70, 92),
        group=(1.0,),
    ),
    AFFECTNET_CONFUSION,
    (14090, 6378, 3803, 134415, 25459, 24882, 74874),
    (1,) * 7,
)
SITES = (RAFDB, EXPW, AFFECTNET)
