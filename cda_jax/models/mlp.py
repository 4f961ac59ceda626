"""The label extractor g, the emotion classifiers e and the dataset classifier d.

Table 3 of Han et al. (2020), https://doi.org/10.1109/ACCESS.2020.3018738, writes them as 1x1
convolutions on a 1x1 map; those are dense layers. All compute in float32: they are a small share of
the work, and their outputs enter the losses.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key


class Perceptron(nn.Module):
    """Multi-layer perceptron with LeakyReLU, the form of g, e and d alike.

    Attributes:
        outputs: How many numbers it gives for a row.
        widths: Of the hidden layers.
        dropout: Share of the hidden units that is dropped where there are keys.
        first_layer: The first hidden layer's number in the draws of dropout. Layers of the same
            number drop the same units under the same keys, so perceptrons must not share numbers.
    """

    outputs: int
    widths: Sequence[int]
    negative_slope: float = 0.2
    dropout: float = 0.0
    first_layer: int = 0

    @nn.compact
    def __call__(
        self, x: Float[Array, 'B D'], dropout_keys: Key[Array, ' B'] | None = None
    ) -> Float[Array, 'B C']:
        """The scores, or logits, of every class; without keys nothing is dropped."""
        for index, width in enumerate(self.widths):
            x = nn.Dense(width, name=f'dense{index + 1}')(x)
            if self.dropout and dropout_keys is not None:
                layer = self.first_layer + index
                x = drop_units(x, dropout_keys, layer=layer, rate=self.dropout)
            x = nn.leaky_relu(x, self.negative_slope)
        return nn.Dense(self.outputs, name='logits')(x)


def drop_units(
    x: Float[Array, 'B D'], keys: Key[Array, ' B'], *, layer: int, rate: float
) -> Float[Array, 'B D']:
    """Dropout that keeps the mean.

    Each row draws by its own key, so that what it drops depends neither on its neighbours nor on
    the number of devices.
    """
    words = jax.random.key_data(keys)
    units = jnp.arange(x.shape[1], dtype=jnp.uint32) + jnp.uint32(layer << 20)
    bits = _mix(_mix(units ^ words[:, :1]) ^ words[:, 1:])
    return jnp.where(bits >= jnp.uint32(rate * 2**32), x / (1 - rate), 0)


def _mix(bits: Array) -> Array:
    """Every bit of uint32 decides about every other, at a fourteenth of the cost of threefry.

    Source: the mixing of Wellons (2018), "Prospecting for hash functions",
    https://nullprogram.com/blog/2018/07/31/
    """
    bits = (bits ^ bits >> 16) * jnp.uint32(0x7FEB352D)
    bits = (bits ^ bits >> 15) * jnp.uint32(0x846CA68B)
    return bits ^ bits >> 16
