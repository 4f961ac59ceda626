import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cda_jax.augment import augment, centre_crop

PICTURE = np.arange(12 * 12 * 3, dtype=np.uint8).reshape(12, 12, 3)


def crops(keys, **switches):
    images = np.broadcast_to(PICTURE, (len(keys), 12, 12, 3))
    switches = {'random_crop': True, 'random_flip': True} | switches
    return np.array(jax.jit(functools.partial(augment, image_size=8, **switches))(images, keys))


def draw_keys(number):
    return jax.random.split(jax.random.key(0), number)


def pixels(images):
    return np.rint((np.array(images) + 1) * 127.5).astype(np.uint8)


@pytest.mark.parametrize('flip', [True, False])
def test_every_crop_and_flip_occurs_and_no_other(flip):
    expected = [PICTURE[y : y + 8, x : x + 8] for y in range(5) for x in range(5)]
    if flip:
        expected += [window[:, ::-1] for window in expected]
    seen = {image.tobytes() for image in pixels(crops(draw_keys(1000), random_flip=flip))}
    assert seen == {window.tobytes() for window in expected}


def test_without_crops_the_middle_is_taken():
    images = crops(draw_keys(64), random_crop=False, random_flip=False)
    middle = centre_crop(jnp.asarray(PICTURE)[None], image_size=8)
    np.testing.assert_allclose(images, np.broadcast_to(middle, images.shape), atol=1e-6)
    np.testing.assert_array_equal(pixels(middle)[0], PICTURE[2:10, 2:10])


def test_a_row_depends_on_its_own_key_only():
    keys = draw_keys(6)
    apart = [crops(keys[i : i + 2]) for i in (0, 2, 4)]
    np.testing.assert_array_equal(crops(keys), np.concatenate(apart))


def test_pixels_are_scaled_to_minus_1_and_1():
    extremes = jnp.array([[[[0] * 3, [255] * 3]] * 2], jnp.uint8)
    np.testing.assert_allclose(np.unique(centre_crop(extremes, image_size=2)), [-1, 1])
