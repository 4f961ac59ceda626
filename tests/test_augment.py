import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cda_jax.augment import augment, centre_crop

PICTURE = np.arange(12 * 12 * 3, dtype=np.uint8).reshape(12, 12, 3)


def crops(number=64, **switches):
    images = np.broadcast_to(PICTURE, (number, 12, 12, 3))
    keys = jax.random.split(jax.random.key(0), number)
    switches = {'random_crop': True, 'random_flip': True} | switches
    return np.array(jax.jit(functools.partial(augment, image_size=8, **switches))(images, keys))


def every_crop(*, flip):
    windows = [PICTURE[y : y + 8, x : x + 8] for y in range(5) for x in range(5)]
    flipped = [window[:, ::-1] for window in windows] if flip else []
    return {window.tobytes() for window in windows + flipped}


def pixels(images):
    return np.rint((images + 1) * 127.5).astype(np.uint8)


@pytest.mark.parametrize('flip', [True, False])
def test_every_crop_and_flip_occurs_and_no_other(flip):
    seen = {image.tobytes() for image in pixels(crops(1000, random_flip=flip))}
    assert seen == every_crop(flip=flip)


def test_without_crops_the_middle_is_taken():
    images = crops(random_crop=False, random_flip=False)
    np.testing.assert_array_equal(images, np.broadcast_to(images[0], images.shape))
    middle = centre_crop(jnp.asarray(PICTURE)[None], image_size=8)
    np.testing.assert_allclose(images[:1], middle, atol=1e-6)
    np.testing.assert_array_equal(pixels(np.array(middle))[0], PICTURE[2:10, 2:10])


def test_a_row_depends_on_its_own_key_only():
    keys = jax.random.split(jax.random.key(1), 6)
    images = np.broadcast_to(PICTURE, (6, 12, 12, 3))
    switches = {'image_size': 8, 'random_crop': True, 'random_flip': True}
    own = jax.jit(functools.partial(augment, **switches))
    apart = [own(images[i : i + 2], keys[i : i + 2]) for i in (0, 2, 4)]
    np.testing.assert_array_equal(own(images, keys), np.concatenate(apart))


def test_pixels_are_scaled_to_minus_1_and_1():
    extremes = jnp.array([[[[0] * 3, [255] * 3]] * 2], jnp.uint8)
    np.testing.assert_allclose(np.unique(centre_crop(extremes, image_size=2)), [-1, 1])
