"""Batch norm by site: each picture is normalised by the statistics of its own site."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

MOMENTUM, EPSILON = 0.9, 1e-5


def site_shares(sites: Int[Array, ' B'] | None, rows: int, num_sites: int) -> Float[Array, 'B K']:
    """The weight of each site's statistics for each row: 1 for its own; even where it has none.

    Args:
        sites: Below 0 for a picture of none of the K sites; None if all are.
    """
    sites = jnp.full(rows, -1) if sites is None else sites
    return jnp.where(sites[:, None] < 0, 1 / num_sites, jax.nn.one_hot(sites, num_sites))


class SiteBatchNorm(nn.Module):
    """Batch norm whose mean and variance are those of the row's site, in batch and running ones.

    A site that is absent from the batch keeps its running statistics. In evaluation, a picture of
    another site is normalised by the mean of the sites' running statistics.

    Source: Li et al. (2016), https://arxiv.org/abs/1603.04779, with scale and bias in common; Chang
    et al. (2019), https://arxiv.org/abs/1906.03950, with scale and bias for each site.

    Attributes:
        own_scale: Whether each site has its own scale and bias.
        dtype: Of the result; parameters and statistics are float32.
        axis_name: Mapped axis over which the batch is spread.
    """

    own_scale: bool
    use_running_average: bool
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, x: Float[Array, 'B H W C'], shares: Float[Array, 'B K']
    ) -> Float[Array, 'B H W C']:
        """The rows, normalised; `shares` are those of `site_shares`."""
        shape = shares.shape[-1], x.shape[-1]
        own = shape if self.own_scale else shape[1:]
        scale = self.param('scale', nn.initializers.ones, own)
        bias = self.param('bias', nn.initializers.zeros, own)
        mean = self.variable('batch_stats', 'mean', jnp.zeros, shape)
        variance = self.variable('batch_stats', 'var', jnp.ones, shape)
        statistics = mean.value, variance.value
        if not self.use_running_average and not self.is_initializing():
            statistics, is_there = self._of_batch(x, shares)
            for kept, new in zip((mean, variance), statistics, strict=True):
                moved = MOMENTUM * kept.value + (1 - MOMENTUM) * new
                kept.value = jnp.where(is_there, moved, kept.value)

        def of_rows(of_sites):
            return jnp.matmul(shares, of_sites, precision='highest')[:, None, None]

        if self.own_scale:
            scale, bias = of_rows(scale), of_rows(bias)
        mean, variance = map(of_rows, statistics)
        return ((x - mean) * (jax.lax.rsqrt(variance + EPSILON) * scale) + bias).astype(self.dtype)

    def _of_batch(self, x, shares):
        """Mean and variance by site, float32[2, K, C], and which sites are there, bool[K, 1]."""
        x = x.astype(jnp.float32)
        moments = jnp.stack([x.mean(axis=(1, 2)), jnp.square(x).mean(axis=(1, 2))])
        sums = jnp.einsum('bk,mbc->mkc', shares, moments, precision='highest')
        counts = shares.sum(axis=0)[:, None]
        if self.axis_name:
            sums, counts = jax.lax.psum((sums, counts), self.axis_name)
        mean, square = sums / jnp.maximum(counts, 1)
        return (mean, jnp.maximum(square - jnp.square(mean), 0)), counts > 0
