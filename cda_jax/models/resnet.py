"""The feature extractor f: a residual network with pre-activation."""

import functools
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from cda_jax.models.convolution import Conv, max_pool
from cda_jax.models.site_batch_norm import EPSILON, MOMENTUM, SiteBatchNorm, site_shares

# Depth -> blocks in each stage. From 50 on the blocks are bottlenecks of three convolutions, below
# they have two. 18 and up are the networks of He et al. (2016); 6 to 10 are for small machines.
RESNET_DEPTHS = {
    6: (1, 1),
    8: (1, 1, 1),
    10: (1, 1, 1, 1),
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


def is_frozen(path: Sequence[str], freeze: str) -> bool:
    """Whether training leaves a part of the `ResNet`, by its path in it, as it was.

    `freeze` is 'nothing'; 'batch_norm', wherever it is; or the last of the stages that are frozen
    together with the stem, 'stage1' to 'stage4'.
    """
    if freeze == 'batch_norm':
        return any(name.startswith('norm') for name in path)
    in_stage = path[0].startswith('stage') and path[0][: len(freeze)] <= freeze
    return freeze != 'nothing' and (path[0] == 'stem' or in_stage)


class ResidualBlock(nn.Module):
    """Pre-activation residual block of two 3x3 convolutions, or of a bottleneck 1x1, 3x3, 1x1.

    Source: He et al. (2016), "Identity mappings in deep residual networks", figure 4(e),
    https://arxiv.org/abs/1603.05027

    Attributes:
        features: Channels of the 3x3 convolutions; a bottleneck puts out four times as many.
        stride: Of the first 3x3 convolution.
        dtype: Of the computation; parameters are float32.
    """

    features: int
    stride: int
    bottleneck: bool
    norm: Callable[..., nn.Module]
    dtype: DTypeLike
    padding: str

    @nn.compact
    def __call__(
        self, x: Float[Array, 'B H W C'], *shares: Float[Array, 'B K']
    ) -> Float[Array, 'B h w D']:
        """What comes in, plus what the convolutions make of it; `norm` takes the `shares`, too."""
        conv = functools.partial(Conv, padding=self.padding, dtype=self.dtype)
        channels = 4 * self.features if self.bottleneck else self.features

        y = nn.relu(self.norm(name='norm1')(x, *shares))
        if x.shape[-1] != channels or self.stride != 1:
            x = conv(channels, 1, self.stride, name='shortcut')(y)
        if self.bottleneck:
            y = conv(self.features, 1, name='conv1')(y)
            y = nn.relu(self.norm(name='norm2')(y, *shares))
            y = conv(self.features, 3, self.stride, name='conv2')(y)
            y = nn.relu(self.norm(name='norm3')(y, *shares))
            y = conv(channels, 1, name='conv3')(y)
        else:
            y = conv(self.features, 3, self.stride, name='conv1')(y)
            y = nn.relu(self.norm(name='norm2')(y, *shares))
            y = conv(self.features, 3, name='conv2')(y)
        return x + y


class ResNet(nn.Module):
    """Residual network with pre-activation, from pictures to features.

    Source: He et al. (2016), https://arxiv.org/abs/1603.05027; Han et al. (2020), table 3, for the
    last layer, which is linear and gives 1000 features.

    Attributes:
        depth: A key of `RESNET_DEPTHS`.
        width: Channels of the stem; each stage has twice the channels of the one before.
        dtype: Of the computation; parameters, batch statistics and the feature are float32.
        remat: Recompute each block's activations on the way back instead of keeping them.
        axis_name: Mapped axis over which batch norm's statistics are averaged.
        batch_norm: Whether its statistics are those of all rows ('shared'), of the rows of each
            site ('site_statistics'), or also its scale and bias are each site's own ('site').
        num_sites: Needed by batch norm by site.
        padding: 'same' or 'symmetric', as `cda_jax.models.convolution` has them.
        freeze: As of `is_frozen`. Frozen batch norm uses its running statistics in training, too,
            and no gradient goes into frozen stages.
    """

    depth: int = 50
    width: int = 64
    feature_size: int = 1000
    dtype: DTypeLike = jnp.float32
    remat: bool = False
    axis_name: str | None = None
    batch_norm: str = 'shared'
    num_sites: int = 0
    padding: str = 'same'
    freeze: str = 'nothing'

    @nn.compact
    def __call__(
        self, x: Float[Array, 'B S S 3'], sites: Int[Array, ' B'] | None = None, *, train: bool
    ) -> Float[Array, 'B D']:
        """The features of pictures that are scaled to about -1 to 1.

        In training, batch norm uses, and records, the batch's own statistics; by site it needs the
        `sites` as `site_shares` takes them.
        """
        if self.batch_norm == 'shared':
            norm, shares = functools.partial(nn.BatchNorm, momentum=MOMENTUM, epsilon=EPSILON), ()
        else:
            norm = functools.partial(SiteBatchNorm, own_scale=self.batch_norm == 'site')
            shares = (site_shares(sites, len(x), self.num_sites),)

        def norm_of(*path):
            learns = train and not is_frozen((*path, 'norm'), self.freeze)
            return functools.partial(
                norm,
                use_running_average=not learns,
                dtype=self.dtype,
                axis_name=self.axis_name if learns else None,
            )

        block = nn.remat(ResidualBlock) if self.remat else ResidualBlock

        x = Conv(self.width, 7, 2, self.padding, self.dtype, name='stem')(x)
        x = max_pool(x, self.padding)
        for stage, num_blocks in enumerate(RESNET_DEPTHS[self.depth]):
            for index in range(num_blocks):
                name = f'stage{stage + 1}_block{index + 1}'
                x = block(
                    features=self.width * 2**stage,
                    stride=2 if stage > 0 and index == 0 else 1,
                    bottleneck=self.depth >= 50,
                    norm=norm_of(name),
                    dtype=self.dtype,
                    padding=self.padding,
                    name=name,
                )(x, *shares)
                if is_frozen((name,), self.freeze):
                    x = jax.lax.stop_gradient(x)
        x = nn.relu(norm_of()(name='norm')(x, *shares))
        x = x.mean(axis=(1, 2), dtype=jnp.float32)
        return nn.Dense(self.feature_size, name='feature')(x)
