import numpy as np
import pytest
from helpers.files import encode
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from cda_jax.prepare.crop import crop_face, decode, margin_of
from cda_jax.prepare.dataset import Box


def gradient(height, width):
    """A smooth picture that no flip, turn or change of channels leaves as it is."""
    y, x = np.mgrid[:height, :width]
    channels = 255 * x / width, 255 * y / height, 60 + 0 * x
    return np.stack(channels, -1).astype(np.uint8)


def overlap_crop(image, box, face_size, margin):
    """The crop by its definition: overlaps of every output with every source pixel."""

    def weights(low, high, length):
        low, high = max(low, 0), min(high, length)
        step = (high - low) / face_size
        result = np.zeros((face_size + 2 * margin, length))
        for out in range(len(result)):
            centre = low + step * (out - margin + 0.5)
            start, stop = centre - max(step, 1) / 2, centre + max(step, 1) / 2
            for source in range(int(np.floor(start)), int(np.ceil(stop))):
                overlap = min(stop, source + 1) - max(start, source)
                result[out, min(max(source, 0), length - 1)] += overlap / (stop - start)
        return result

    rows = weights(box.y0, box.y1, image.shape[0])
    columns = weights(box.x0, box.x1, image.shape[1])
    return np.einsum('oi,pj,ijc->opc', rows, columns, image.astype(float))


def test_margin_makes_the_box_twelve_percent_larger():
    assert [margin_of(size) for size in (100, 48, 50)] == [6, 3, 3]


def test_whole_picture_gets_a_rim_of_its_edge_pixels():
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    crop = crop_face(image, None, face_size=40, margin=2)
    np.testing.assert_array_equal(crop, np.pad(image, ((2, 2), (2, 2), (0, 0)), 'edge'))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    edges=st.tuples(*[st.floats(-8, 48)] * 4),
    face_size=st.integers(1, 24),
    margin=st.integers(0, 4),
)
def test_equals_the_definition_for_any_box(edges, face_size, margin):
    image = np.random.default_rng(1).integers(0, 256, (35, 43, 3), dtype=np.uint8)
    (x0, x1), (y0, y1) = sorted(edges[:2]), sorted(edges[2:])
    # Boxes without area have their own test.
    assume(min(x1, 43) - max(x0, 0) >= 1e-3 and min(y1, 35) - max(y0, 0) >= 1e-3)
    box = Box(x0, y0, x1, y1)
    crop = crop_face(image, box, face_size=face_size, margin=margin)
    assert np.abs(crop - overlap_crop(image, box, face_size, margin)).max() <= 0.51


@pytest.mark.parametrize(
    'box',
    [
        Box(100, 0, 120, 20),
        Box(-20, 0, 0, 20),
        Box(5, 60, 20, 80),
        Box(5, 5, 5, 20),
        Box(20, 5, 10, 20),
        Box(float('nan'), 5, 10, 20),
    ],
)
def test_box_without_a_part_of_the_picture_is_refused(box):
    with pytest.raises(ValueError, match='box outside the image'):
        crop_face(np.zeros((50, 100, 3), np.uint8), box, face_size=10, margin=1)


@pytest.mark.parametrize('mode', ['RGB', 'CMYK'])
def test_orientation_applies_only_where_asked_for(mode):
    pixels = gradient(32, 48)
    exif = Image.Exif()
    exif[0x0112] = 6  # The stored picture is to be turned clockwise by a quarter.
    data = encode(Image.fromarray(pixels).convert(mode), 'JPEG', quality=98, exif=exif)
    np.testing.assert_array_equal(decode(data + b'appended by some camera'), decode(data))
    for upright, expected in ((False, pixels), (True, np.rot90(pixels, -1))):
        image = decode(data, upright=upright)
        assert image.shape == expected.shape
        assert np.abs(image.astype(int) - expected).mean() < 6


@pytest.mark.parametrize('file_format', ['JPEG', 'PNG', 'BMP', 'GIF'])
@pytest.mark.parametrize('share', [0.5, 0.95])
def test_truncated_picture_is_refused(file_format, share):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), file_format)
    with pytest.raises(ValueError, match='damaged picture'):
        decode(data[: int(share * len(data))])


def test_pixels_without_a_known_range_are_refused():
    data = encode(Image.fromarray(np.ones((4, 4), np.float32)), 'TIFF')
    with pytest.raises(ValueError, match='32-bit pixels'):
        decode(data)
