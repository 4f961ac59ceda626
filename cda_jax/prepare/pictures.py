"""Pictures to ask a network about, as they lie on a disk: one by one, never all in memory."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from cda_jax.errors import InputError
from cda_jax.prepare.dataset import Box
from cda_jax.prepare.readers.class_folders import PICTURE_SUFFIXES
from cda_jax.prepare.readers.csv_manifest import box_of
from cda_jax.prepare.readers.label_files import csv_table

VIDEO_SUFFIXES = ('.mp4', '.avi', '.mov', '.mkv', '.webm', '.m4v', '.mpg', '.mpeg', '.wmv')


class Picture(NamedTuple):
    """A picture that has not been decoded yet, or a frame of a video, which has."""

    path: str  # as it was given; of a frame 'VIDEO#NUMBER'
    pixels: np.ndarray | None = None  # uint8[height, width, 3], RGB; None: in the file
    box: Box | None = None  # around the face; None for the whole picture
    label: str | None = None  # the class, where it is known


def find_pictures(
    sources: Iterable[str | os.PathLike[str] | np.ndarray | Picture], every: int = 1
) -> Iterator[Picture]:
    """Goes through files of pictures, folders, CSV files, videos and arrays of pixels in order.

    Below a folder every file counts that has the ending of a picture; its class is taken to be the
    name of the folder that it lies in. A CSV file has a column `path`, and may have the columns
    `label` and `x0,y0,x1,y1`, empty for the whole picture; others are ignored, and paths are
    relative to its folder. Of a video every n-th frame counts.

    Raises InputError if a source is not there, or is a CSV file or a video that cannot be read.
    """
    for number, source in enumerate(sources):
        if isinstance(source, Picture):
            yield source
        elif isinstance(source, np.ndarray):
            yield Picture(f'array {number}', source)
        elif os.path.isdir(source):
            yield from _below(Path(source))
        elif not os.path.exists(source):
            raise InputError(f'{source}: no such file; expected a picture, folder, CSV or video')
        elif Path(source).suffix.lower() == '.csv':
            yield from _listed(Path(source))
        elif Path(source).suffix.lower() in VIDEO_SUFFIXES:
            yield from _frames(os.fspath(source), every)
        else:
            yield Picture(os.fspath(source))


def _below(folder: Path) -> Iterator[Picture]:
    for place, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if name.lower().endswith(PICTURE_SUFFIXES) and not name.startswith('.'):
                yield Picture(os.path.join(place, name), label=os.path.basename(place))


def _listed(path: Path) -> Iterator[Picture]:
    for number, row in csv_table(path, ['path'])[1]:
        box = box_of(row, f'{path}, line {number}')
        yield Picture(str(path.parent / row['path']), None, box, row.get('label') or None)


def _frames(path: str, every: int) -> Iterator[Picture]:
    video = cv2.VideoCapture(path)
    if not video.isOpened():
        raise InputError(f'{path}: OpenCV cannot read this video')
    number = 0
    while video.grab():
        if number % every == 0:
            is_whole, pixels = video.retrieve()
            if is_whole:
                yield Picture(f'{path}#{number}', cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
        number += 1
    video.release()
    if not number:
        raise InputError(f'{path}: OpenCV cannot read a frame of this video')
