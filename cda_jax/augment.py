"""From uint8 records to network input, on the device: crop, flip, scale."""

import jax
import jax.numpy as jnp


def augment(
    images: jax.Array, keys: jax.Array, *, image_size: int, random_crop: bool, random_flip: bool
) -> jax.Array:
    """Random crop and horizontal flip, each row by its own key, and scaling.

    Source: Han et al. (2020), section III-B.

    Args:
        images: uint8[B, S, S, 3].
        keys: key[B].
        image_size: Side of the crop in pixels, at most S.
        random_crop: Draw the crop's corner evenly; else the crop is the centre.
        random_flip: Mirror left and right with probability 1/2.

    Returns:
        float32[B, image_size, image_size, 3], -1 to 1.
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


def centre_crop(images: jax.Array, *, image_size: int) -> jax.Array:
    """The middle of each picture, scaled: what evaluation sees.

    Args:
        images: uint8[B, S, S, 3].
        image_size: Side of the crop in pixels, at most S.

    Returns:
        float32[B, image_size, image_size, 3], -1 to 1.
    """
    start = (images.shape[1] - image_size) // 2
    stop = start + image_size
    return scale(images[:, start:stop, start:stop])


def scale(images: jax.Array) -> jax.Array:
    """uint8 pixels 0..255 -> float32 -1..1."""
    return images.astype(jnp.float32) / 127.5 - 1
