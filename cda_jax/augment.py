"""From uint8 records to network input, on the device: crop, flip, scale."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Key, UInt8


def augment(
    images: UInt8[ArrayLike, 'B S S 3'],
    keys: Key[Array, ' B'],
    *,
    image_size: int,
    random_crop: bool,
    random_flip: bool,
) -> Float[Array, 'B {image_size} {image_size} 3']:
    """What training sees: each picture cropped and mirrored by its own key, and scaled to -1..1.

    `random_crop` draws the crop's corner evenly, else the crop is the centre; `random_flip` mirrors
    left and right with probability 1/2.

    Source: Han et al. (2020), section III-B, https://doi.org/10.1109/ACCESS.2020.3018738
    """

    def augment_one(image, key):
        crop_key, flip_key = jax.random.split(key)
        margin = image.shape[0] - image_size
        corner = jnp.array([margin // 2, margin // 2])
        if random_crop:
            corner = jax.random.randint(crop_key, (2,), 0, margin + 1)
        image = jax.lax.dynamic_slice(image, (*corner, 0), (image_size, image_size, 3))
        if random_flip:
            image = jnp.where(jax.random.bernoulli(flip_key), image[:, ::-1], image)
        return image

    return scale(jax.vmap(augment_one)(images, keys))


def centre_crop(
    images: UInt8[ArrayLike, 'B S S 3'], *, image_size: int
) -> Float[Array, 'B {image_size} {image_size} 3']:
    """What evaluation sees: the middle of each picture, scaled to -1..1."""
    start = (images.shape[1] - image_size) // 2
    stop = start + image_size
    return scale(images[:, start:stop, start:stop])


def scale(images: UInt8[ArrayLike, '*dims']) -> Float[Array, '*dims']:
    """Pixels 0..255 -> -1..1."""
    return jnp.asarray(images, jnp.float32) / 127.5 - 1
