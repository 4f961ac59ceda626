"""Mixup: each picture is blended with another, and its label and site alike."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key


def mix(
    batch: dict[str, Array],
    keys: Key[Array, ' B'],
    batch_key: Key[Array, ''],
    *,
    alpha: float,
    within: str,
    num_classes: int,
    num_sites: int,
    axis_name: str,
) -> dict[str, Array]:
    """The batch after mixup.

        x <- lambda x + (1 - lambda) x',    y and z alike,    lambda ~ Beta(alpha, alpha)

    x' is the picture of the row's partner as `draw_partners` finds it. Every row draws a lambda of
    its own.

    Source: Zhang et al. (2018), equation 1, https://arxiv.org/abs/1710.09412

    Args:
        batch: This device's rows as `objective` takes them.
        batch_key: For the partners, the same on every device.
        within: 'batch', or 'site' for partners of the row's own site alone.

    Returns:
        `image` is mixed. So are `soft_label` float[B, C], which is the one-hot label before where
        the batch has none, and `soft_site` float[B, K]. All else is the row's own.
    """
    group = batch['site'] if within == 'site' else jnp.zeros_like(batch['site'])
    clean = {
        'image': batch['image'],
        'soft_label': batch.get('soft_label', jax.nn.one_hot(batch['label'], num_classes)),
        'soft_site': jax.nn.one_hot(batch['site'], num_sites),
    }
    whole = jax.lax.all_gather((clean, group, batch['mask']), axis_name, tiled=True)
    rows = jax.lax.axis_index(axis_name) * len(group) + jnp.arange(len(group))
    partners = draw_partners(batch_key, *whole[1:], rows)
    shares = jax.vmap(lambda key: jax.random.beta(key, alpha, alpha))(keys)

    def blend(own, of_all):
        share = shares.reshape(-1, *[1] * (own.ndim - 1))
        return share * own + (1 - share) * of_all[partners]

    return batch | jax.tree.map(blend, clean, whole[0])


def draw_partners(
    key: Key[Array, ''], group: Int[Array, ' N'], mask: Bool[Array, ' N'], rows: Int[Array, ' B']
) -> Int[Array, ' B']:
    """The partners of some rows: the next one on a circle on which all N rows stand at random.

    It is the next one of the row's own group and of those in the mask. A row outside, or without
    another one, is its own partner.
    """
    place = jax.random.permutation(key, len(mask))
    ahead = (place - place[rows, None] - 1) % len(mask)  # itself comes last
    fits = mask & mask[rows, None] & (group == group[rows, None])
    fits |= jnp.arange(len(mask)) == rows[:, None]
    return jnp.argmin(jnp.where(fits, ahead, len(mask)), axis=1)
