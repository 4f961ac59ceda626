import cv2
import numpy as np
import pytest

from cda_jax.prepare.copies import find_copies, look_at

SIDE = 64


def photographs(count: int, seed: int) -> np.ndarray:
    """Pictures in which, as in photographs, coarse structure is stronger than fine: uint8 RGB."""
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)) * SIDE
    noise = np.fft.fft2(np.random.default_rng(seed).normal(size=(count, SIDE, SIDE)))
    pictures = np.fft.ifft2(noise / np.maximum(frequency, 1) ** 2).real
    pictures *= 45 / pictures.std(axis=(1, 2), keepdims=True)
    return np.repeat(np.clip(pictures + 110, 0, 255).astype(np.uint8)[..., None], 3, axis=3)


def encode(picture: np.ndarray, quality: int) -> np.ndarray:
    data = cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def crop(picture: np.ndarray, left: float, right: float) -> np.ndarray:
    """Takes shares of the sides off at the left and top, and at the right and bottom."""
    start, end = round(left * SIDE), SIDE - round(right * SIDE)
    return cv2.resize(picture[start:end, start:end], (SIDE, SIDE))


CHANGES = {
    'nothing': lambda picture: picture,
    'mirrored': lambda picture: encode(picture[:, ::-1], 95),
    'quality 60': lambda picture: encode(picture, 60),
    'brighter by a tenth': lambda picture: encode(cv2.convertScaleAbs(picture, alpha=1.1), 95),
    '4 % off every side': lambda picture: encode(crop(picture, 0.04, 0.04), 95),
    '3 % off two sides': lambda picture: encode(crop(picture, 0.03, 0), 95),
}


@pytest.fixture(scope='module')
def originals():
    return photographs(120, seed=0)


@pytest.mark.parametrize('change', CHANGES)
def test_changed_copies_are_found_and_nothing_else(originals, change):
    copies = np.stack([CHANGES[change](picture) for picture in originals[::2]])
    found = list(find_copies(look_at(copies), look_at(originals)))
    assert len(found) >= 57
    for copy, original, likeness in found:
        assert original == 2 * copy
        assert 0.985 <= likeness < 1.0001


def test_other_pictures_of_any_kind_are_no_copies(originals):
    even, line = np.full((2, 3, SIDE, SIDE, 3), 80, np.uint8)
    line[:, :, 30:34] = np.array([0, 128, 255]).reshape(3, 1, 1, 1)
    others = np.concatenate([photographs(120, seed=1), even])
    assert not list(find_copies(look_at(originals), look_at(others)))
    assert not list(find_copies(look_at(even), look_at(even)))  # there is nothing to go by
    assert list(find_copies(look_at(line), look_at(line)))


def test_a_limit_of_likeness_is_kept_to(originals):
    copies = np.stack([encode(picture, 30) for picture in originals])
    looks = look_at(copies), look_at(originals)
    values = [likeness for *_, likeness in find_copies(*looks, likeness=0.9)]
    limit = float(np.median(values))
    assert len(list(find_copies(*looks, likeness=limit))) == sum(value >= limit for value in values)
