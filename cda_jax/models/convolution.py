"""Convolution and max-pooling, in the form that is fastest for their shape and machine.

Both give ceil(side / stride) pixels a side, by one of two paddings, which differ where the stride
is 2. 'same' is XLA's 'SAME': no more than is needed, the odd pixel behind. 'symmetric' is that of
PyTorch's networks: half a window on both sides.
"""

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike
from jaxtyping import Array, Float


class Conv(nn.Module):
    """Convolution without a bias; `kernel` is as that of `flax.linen.Conv`, of an odd size.

    Attributes:
        padding: 'same' or 'symmetric'.
        dtype: Of the computation; the kernel is float32.
    """

    features: int
    kernel_size: int
    stride: int = 1
    padding: str = 'same'
    dtype: DTypeLike = jnp.float32
    kernel_init: Callable = nn.initializers.he_normal()

    @nn.compact
    def __call__(self, x: Float[Array, 'B H W C']) -> Float[Array, 'B h w D']:
        """The convolution at 1 / stride of the size."""
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel = self.param('kernel', self.kernel_init, shape)
        return convolve(x.astype(self.dtype), kernel.astype(self.dtype), self.stride, self.padding)


def convolve(
    x: Float[Array, 'B H W C'], kernel: Float[Array, 'k k C D'], stride: int, padding: str = 'same'
) -> Float[Array, 'B h w D']:
    """Convolution with padding 'same' or 'symmetric'.

    On a CPU it takes another form where XLA's own is slow: that of a matrix product for a 1x1
    kernel, that of a product of the whole picture with a matrix made of the kernel for an output
    smaller than the kernel, and four pixels at once, as channels of one, for a large kernel with
    few channels. docs/benchmarks.md has the figures.
    """
    size, channels = kernel.shape[0], kernel.shape[-1]
    pads = 'SAME' if padding == 'same' else [(size // 2, size // 2)] * 2
    if jax.default_backend() != 'cpu':
        return _plain(x, kernel, stride, pads)
    height, width = (-(-side // stride) for side in x.shape[1:3])
    if padding == 'same':
        pads = lax.padtype_to_pads(x.shape[1:3], (size, size), (stride, stride), 'SAME')
    if size == 1:
        y = x[:, ::stride, ::stride].reshape(-1, x.shape[-1]) @ kernel[0, 0]
    elif min(height, width) < size:
        rows, columns = (
            [place * stride - before for place in range(places)]
            for places, (before, _) in zip((height, width), pads, strict=True)
        )
        matrix = _placed(kernel, x.shape[1:3], rows, columns)
        y = x.reshape(x.shape[0], -1) @ matrix.reshape(-1, height * width * channels)
    elif size > 3 and channels <= 16 and height % 2 == width % 2 == 0:
        window = size + stride
        four = _placed(kernel, (window, window), (0, stride), (0, stride))
        y = _plain(x, four.reshape(window, window, -1, 4 * channels), 2 * stride, pads)
        y = y.reshape(-1, height // 2, width // 2, 2, 2, channels).swapaxes(2, 3)
    else:
        return _plain(x, kernel, stride, pads)
    return y.reshape(-1, height, width, channels)


def _plain(
    x: Float[Array, 'B H W C'],
    kernel: Float[Array, 'k k C D'],
    stride: int,
    padding: str | Sequence[tuple[int, int]],
) -> Float[Array, 'B h w D']:
    layout = ('NHWC', 'HWIO', 'NHWC')
    return lax.conv_general_dilated(x, kernel, (stride, stride), padding, dimension_numbers=layout)


def _placed(
    kernel: Float[Array, 'k k C D'],
    window: tuple[int, int],
    rows: Sequence[int],
    columns: Sequence[int],
) -> Float[Array, 'H W C places D']:
    """The kernel with its corner at each place in a window, cut at the window's borders."""

    def pad(place, side):
        return place, side - len(kernel) - place, 0

    zero, whole = jnp.zeros((), kernel.dtype), (0, 0, 0)
    placed = [
        lax.pad(kernel, zero, [pad(row, window[0]), pad(column, window[1]), whole, whole])
        for row in rows
        for column in columns
    ]
    return jnp.stack(placed, axis=3)


def max_pool(x: Float[Array, 'B H W C'], padding: str = 'same') -> Float[Array, 'B h w C']:
    """The largest of every 3x3 pixels, at half the size, with padding 'same' or 'symmetric'.

    The gradient goes to the first of equals, as with XLA's own pooling, whose gradient takes ten
    times as long on a CPU.
    """
    if jax.default_backend() != 'cpu':
        return nn.max_pool(x, (3, 3), (2, 2), 'SAME' if padding == 'same' else ((1, 1), (1, 1)))
    lowest = jnp.array(-jnp.inf, x.dtype)
    for axis in (2, 1):
        # Pairs of neighbours: slices with a stride would be slower. Odd sides have one pixel of
        # padding before them; all have it behind. Even ones that are to have it before them get
        # one more behind, and a place too many.
        side, odd_side = x.shape[axis], x.shape[axis] % 2
        surplus = int(padding == 'symmetric' and not odd_side)
        ends = odd_side or surplus, surplus, 0
        if any(ends):
            x = lax.pad(x, lowest, [ends if i == axis else (0, 0, 0) for i in range(4)])
        places = x.shape[axis] // 2
        pairs = x.reshape(*x.shape[:axis], places, 2, *x.shape[axis + 1 :])
        first, second = (lax.index_in_dim(pairs, i, axis + 1, keepdims=False) for i in (0, 1))
        third = lax.pad(first, lowest, [(-(i == axis), int(i == axis), 0) for i in range(4)])
        x = jnp.where(first >= second, first, second)
        x = lax.slice_in_dim(jnp.where(x >= third, x, third), 0, -(-side // 2), axis=axis)
    return x
