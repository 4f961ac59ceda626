"""Convolution and max-pooling, in the form that is fastest for their shape and machine."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Float


class Conv(nn.Module):
    """Convolution with padding 'SAME' and no bias; `kernel` is as that of `flax.linen.Conv`.

    Attributes:
        dtype: Of the computation; the kernel is float32.
    """

    features: int
    kernel_size: int
    stride: int = 1
    dtype: DTypeLike = jnp.float32
    kernel_init: Callable = nn.initializers.he_normal()

    @nn.compact
    def __call__(self, x: Float[Array, 'B H W C']) -> Float[Array, 'B h w D']:
        """The convolution at 1 / stride of the size."""
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param('kernel', self.kernel_init, shape)
        return convolve(x.astype(self.dtype), kernel.astype(self.dtype), self.stride)


def convolve(
    x: Float[Array, 'B H W C'], kernel: Float[Array, 'k k C D'], stride: int
) -> Float[Array, 'B h w D']:
    """Convolution with padding 'SAME'.

    On a CPU a 1x1 convolution is computed as the matrix product that it is, and one whose output is
    smaller than its kernel, for which XLA falls back to plain loops, as the product of the whole
    picture with a matrix made of the kernel. docs/benchmarks.md has the figures.
    """
    size, channels = kernel.shape[0], kernel.shape[-1]
    height, width = (-(-side // stride) for side in x.shape[1:3])
    if jax.default_backend() == 'cpu' and size == 1:
        x = x[:, ::stride, ::stride]
        y = x.reshape(-1, x.shape[-1]) @ kernel[0, 0]
        return y.reshape(-1, height, width, channels)
    if jax.default_backend() == 'cpu' and min(height, width) < size:
        y = x.reshape(len(x), -1) @ picture_matrix(kernel, x.shape[1:3], stride)
        return y.reshape(-1, height, width, channels)
    return lax.conv_general_dilated(
        x, kernel, (stride, stride), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
    )


def picture_matrix(
    kernel: Float[Array, 'k k C D'], picture: tuple[int, int], stride: int
) -> Float[Array, 'HWC hwD']:
    """The matrix by which a whole picture of this height and width is multiplied."""
    size, _, inputs, outputs = kernel.shape
    pads = lax.padtype_to_pads(picture, (size, size), (stride, stride), 'SAME')
    (up, down), (left, right) = pads
    height, width = picture
    # The kernel at the place of each output pixel, cut at the picture's borders.
    placed = [
        lax.pad(
            kernel,
            jnp.zeros((), kernel.dtype),
            [
                (row * stride - up, height + up - row * stride - size, 0),
                (column * stride - left, width + left - column * stride - size, 0),
                (0, 0, 0),
                (0, 0, 0),
            ],
        )
        for row in range((height + up + down - size) // stride + 1)
        for column in range((width + left + right - size) // stride + 1)
    ]
    return jnp.stack(placed, axis=3).reshape(height * width * inputs, len(placed) * outputs)


def max_pool(x: Float[Array, 'B H W C']) -> Float[Array, 'B h w C']:
    """The largest of every 3x3 pixels, at half the size, with padding 'SAME'.

    The gradient goes to the first of equals, as with XLA's own pooling, whose gradient takes ten
    times as long on a CPU.
    """
    if jax.default_backend() != 'cpu':
        return nn.max_pool(x, (3, 3), (2, 2), 'SAME')
    for axis in (2, 1):
        side = x.shape[axis]
        places = -(-side // 2)
        before = (2 * places + 1 - side) // 2
        padding = [(0, 0, 0)] * 4
        padding[axis] = (before, 2 * places + 2 - side - before, 0)
        padded = lax.pad(x, jnp.array(-jnp.inf, x.dtype), padding)
        # Pairs of neighbours: slices with a stride would be slower.
        pairs = padded.reshape(*x.shape[:axis], places + 1, 2, *x.shape[axis + 1 :])
        even, odd = (lax.index_in_dim(pairs, i, axis + 1, keepdims=False) for i in (0, 1))
        first, second = (lax.slice_in_dim(y, 0, places, axis=axis) for y in (even, odd))
        third = lax.slice_in_dim(even, 1, places + 1, axis=axis)
        x = jnp.where(first >= second, first, second)
        x = jnp.where(x >= third, x, third)
    return x
