"""The three sites of the stand-in and their biases.

`SITE_STYLES` is the truth against which an experiment on the stand-in can be measured: which faces
get into a site's photos (selection), what its cameras do (capture), how its annotators err
(annotation), and how often each class occurs.
"""

from typing import NamedTuple

import numpy as np

Range = tuple[float, float]


class SiteStyle(NamedTuple):
    """What one site's photos and labels look like; a photo takes one number from each range."""

    name: str  # of its folder and of its reader
    # Selection: which faces get into the photos.
    turn: tuple[float, float, float]  # largest yaw, pitch and roll to either side, in degrees
    intensity: Range  # strength of the expressions
    glasses: float  # share of people who wear them
    beard: float  # share of people who have one
    # Capture: what cameras and files do to a photo.
    face_height: Range  # of a face box, in pixels
    background: str  # a key of photos.BACKGROUNDS
    cast: tuple[float, float, float]  # factors on red, green and blue
    contrast: Range  # factor on the distance from middle grey
    light: float  # largest difference in brightness between two edges, as a share
    blur: Range  # standard deviation in hundredths of the face's height
    noise: Range  # standard deviation in grey levels of 255
    jpeg_quality: tuple[int, int]
    group: tuple[float, ...]  # probabilities of 1, 2, ... faces in a photo
    # Annotation, and how often each class occurs.
    confusion: np.ndarray  # f64[7, 7], true expression x label; rows sum to 1
    train_weights: tuple[int, ...]  # how often each label occurs, in any unit
    test_weights: tuple[int, ...]


def _percent(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows) / 100.0


# The weights are the class counts of the real datasets; AffectNet's test set is balanced.
RAFDB = SiteStyle(
    name='rafdb',
    turn=(18.0, 10.0, 9.0),
    intensity=(0.50, 1.10),
    glasses=0.08,
    beard=0.08,
    face_height=(90, 130),
    background='studio',
    cast=(1.08, 1.0, 0.90),
    contrast=(0.95, 1.15),
    light=0.25,
    blur=(0.2, 0.6),
    noise=(1.0, 3.0),
    jpeg_quality=(86, 95),
    group=(1.0,),
    # Fear is taken for surprise, disgust for anger, sadness for neutral; careful annotators.
    confusion=_percent(
        # Su   Fe   Di    Ha    Sa    An    Ne
        (93.0, 2.0, 0.5, 1.5, 0.5, 0.5, 2.0),
        (8.0, 86.0, 1.0, 0.5, 2.0, 1.5, 1.0),
        (1.0, 0.5, 88.0, 1.0, 2.0, 5.0, 2.5),
        (0.6, 0.1, 0.3, 97.8, 0.3, 0.2, 0.7),
        (0.5, 0.5, 1.0, 0.5, 92.0, 0.5, 5.0),
        (0.5, 0.5, 4.0, 0.5, 0.5, 93.0, 1.0),
        (1.0, 0.5, 0.5, 1.0, 2.0, 0.5, 94.5),
    ),
    train_weights=(1290, 281, 717, 4772, 1982, 705, 2524),
    test_weights=(1290, 281, 717, 4772, 1982, 705, 2524),
)
EXPW = SiteStyle(
    name='expw',
    turn=(24.0, 12.0, 14.0),
    intensity=(0.35, 0.95),
    glasses=0.15,
    beard=0.12,
    face_height=(44, 80),
    background='room',
    cast=(0.90, 1.0, 1.06),
    contrast=(0.70, 0.95),
    light=0.45,
    blur=(0.8, 1.8),
    noise=(2.0, 7.0),
    jpeg_quality=(50, 75),
    group=(0.72, 0.17, 0.08, 0.03),
    # Fear is taken for surprise far more often, anger for disgust, and neutral for sadness.
    confusion=_percent(
        (86.0, 1.0, 1.0, 5.0, 1.0, 1.0, 5.0),
        (16.0, 72.0, 2.0, 1.0, 5.0, 2.0, 2.0),
        (1.0, 0.5, 82.0, 1.5, 4.0, 3.0, 8.0),
        (1.0, 0.1, 0.4, 92.0, 0.5, 0.3, 5.7),
        (0.5, 0.5, 2.0, 1.0, 86.0, 1.0, 9.0),
        (1.0, 0.5, 11.0, 1.0, 2.5, 80.0, 4.0),
        (1.0, 0.1, 0.6, 2.3, 7.0, 0.5, 88.5),
    ),
    train_weights=(7060, 1088, 3995, 30537, 10559, 3671, 34883),
    test_weights=(7060, 1088, 3995, 30537, 10559, 3671, 34883),
)
AFFECTNET = SiteStyle(
    name='affectnet',
    turn=(30.0, 15.0, 20.0),
    intensity=(0.45, 1.20),
    glasses=0.20,
    beard=0.16,
    face_height=(72, 120),
    background='street',
    cast=(1.0, 1.0, 1.0),
    contrast=(0.90, 1.40),
    light=0.70,
    blur=(0.3, 1.5),
    noise=(3.0, 10.0),
    jpeg_quality=(70, 92),
    group=(1.0,),
    # Surprise is taken for fear, disgust for anger, sadness for neutral, all of them often.
    confusion=_percent(
        (80.0, 11.0, 0.5, 4.0, 0.5, 1.0, 3.0),
        (6.0, 83.0, 2.0, 1.0, 4.0, 3.0, 1.0),
        (1.0, 1.0, 74.0, 2.0, 3.0, 15.0, 4.0),
        (1.0, 0.1, 0.1, 93.2, 0.2, 0.2, 5.2),
        (0.5, 1.0, 1.0, 1.0, 78.0, 3.5, 15.0),
        (0.5, 1.0, 1.0, 0.5, 2.0, 87.0, 8.0),
        (2.5, 0.4, 0.3, 6.0, 4.0, 4.6, 82.2),
    ),
    train_weights=(14090, 6378, 3803, 134415, 25459, 24882, 74874),
    test_weights=(1,) * 7,
)
SITE_STYLES = (RAFDB, EXPW, AFFECTNET)
