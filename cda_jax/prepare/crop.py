"""Encoded pictures to RGB pixels, and pixels to square face crops."""

import io
import math
import warnings

import cv2
import numpy as np
from PIL import Image, ImageOps

from cda_jax.prepare.dataset import Box

# Pillow knows more formats, but some of its readers start other programs.
_FORMATS = ('BMP', 'GIF', 'JPEG', 'PNG', 'PPM', 'TIFF', 'WEBP')

# JPEG's own limit. Between the two axes, the memory that a crop takes grows with the side.
_MAX_SIDE = 65_535


def decode(data: bytes, *, upright: bool = False) -> np.ndarray:
    """Decodes BMP, GIF, JPEG, PNG, PNM, TIFF or WebP to RGB, uint8[height, width, 3].

    Transparency is dropped, 16-bit grey is cut to its upper 8 bits, and only the first frame of an
    animation counts. Pictures above Pillow's limit of about 89 megapixels or with a side above
    65,535 are refused before they take any memory. A ValueError gives a short reason where `data`
    does not hold a complete picture.

    With `upright`, the picture is turned as its EXIF orientation asks. Face boxes refer to the
    pixels as they are stored, so pictures with boxes must not be turned.
    """
    if not data:
        raise ValueError('empty file')
    with warnings.catch_warnings():
        # Damaged or odd metadata does not matter; only the limit on the size does.
        warnings.simplefilter('ignore')
        warnings.simplefilter('error', Image.DecompressionBombWarning)
        try:
            picture = Image.open(io.BytesIO(data), formats=_FORMATS)
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise ValueError(f'more than {Image.MAX_IMAGE_PIXELS // 10**6} megapixels') from error
        except Exception as error:  # Pillow's parsers raise almost anything on damaged files.
            raise ValueError('not a picture in a known format') from error
        if max(picture.size) > _MAX_SIDE:
            raise ValueError(f'a side of more than {_MAX_SIDE:,} pixels')
        if picture.mode in ('F', 'I'):
            raise ValueError(f'32-bit pixels (mode {picture.mode}) have no known range')
        try:
            picture.load()
            picture = ImageOps.exif_transpose(picture) if upright else picture
            if picture.mode.startswith('I;16'):
                picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
            return np.array(picture.convert('RGB'))
        except Exception as error:  # as above
            raise ValueError(f'damaged picture ({error})') from error


def margin_of(face_size: int) -> int:
    """The rim on each side of a face: 6 pixels for a face of 100, so that the crop has 112."""
    return round(0.06 * face_size)


def face_size_of(image_size: int) -> int:
    """The side of the face in a crop of this side, by `margin_of`."""
    sizes = range(image_size, 0, -1)
    return next(size for size in sizes if size + 2 * margin_of(size) <= image_size)


def crop_face(image: np.ndarray, box: Box | None, *, face_size: int, margin: int) -> np.ndarray:
    """Cuts a face box (None: the whole image) and a rim out of uint8[height, width, 3].

    The box is clipped to the image first, and a ValueError says if nothing is left; the centre
    `face_size` x `face_size` pixels of the result are then exactly the clipped box, and the rim of
    `margin` pixels on each side has the same scale. Beyond the image, its edge pixels are repeated.
    A box that is not square is squeezed. The result is uint8[s + 2 m, s + 2 m, 3], s being
    `face_size` and m `margin`.

    Coordinates are never rounded. Where an axis shrinks, an output pixel is the mean of the area it
    covers, fractions of pixels included; where it grows, the interpolation is linear. Both are the
    mean over a window, which is at least one source pixel wide.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box if box is not None else (0, 0, width, height)
    x0, x1, y0, y1 = max(x0, 0), min(x1, width), max(y0, 0), min(y1, height)
    if not (x0 < x1 and y0 < y1):  # This way round, NaN is refused as well.
        raise ValueError('box outside the image')
    left, right = _windows(x0, x1, face_size, margin)
    top, bottom = _windows(y0, y1, face_size, margin)
    origin = math.floor(left[0]), math.floor(top[0])
    region = _repeat_edges(image, *origin, math.ceil(right[-1]), math.ceil(bottom[-1]))
    rows = _mean_over_windows(region, top - origin[1], bottom - origin[1])
    columns = _mean_over_windows(cv2.transpose(rows), left - origin[0], right - origin[0])
    return np.rint(cv2.transpose(columns)).astype(np.uint8)


def _windows(low: float, high: float, face_size: int, margin: int) -> tuple[np.ndarray, np.ndarray]:
    """Start and end, in source pixels, of the mean in each output pixel along one axis."""
    step = (high - low) / face_size
    centres = low + step * (np.arange(-margin, face_size + margin) + 0.5)
    half = max(step, 1) / 2
    return centres - half, centres + half


def _repeat_edges(image: np.ndarray, x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    height, width = image.shape[:2]
    inside = image[max(y0, 0) : y1, max(x0, 0) : x1]
    outside = max(-y0, 0), max(y1 - height, 0), max(-x0, 0), max(x1 - width, 0)
    return cv2.copyMakeBorder(inside, *outside, cv2.BORDER_REPLICATE)


def _mean_over_windows(image: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """float32[len(starts), width, 3]: means over rows; the first and last count in part."""
    rows = np.ascontiguousarray(image).reshape(len(image), -1)
    first, last = np.floor(starts).astype(int), np.ceil(stops).astype(int)
    means = np.empty((len(starts), rows.shape[1]), np.float32)
    for index, (start, stop) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        cv2.reduce(rows[start:stop], 0, cv2.REDUCE_SUM, means[index : index + 1], cv2.CV_32F)
    means -= np.float32(starts - first)[:, None] * rows[first]
    means -= np.float32(last - stops)[:, None] * rows[last - 1]
    means /= np.float32(stops - starts)[:, None]
    return means.reshape(len(starts), *image.shape[1:])
