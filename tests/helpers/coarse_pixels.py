"""A feature extractor that compiles in no time, for tests of what comes after it."""

import flax.linen as nn


class CoarsePixels(nn.Module):
    """A layer with batch norm on pictures of 4 x 4 pixels."""

    feature_size: int = 8
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x, sites=None, *, train):
        batch, side, _, channels = x.shape
        coarse = x.reshape(batch, 4, side // 4, 4, side // 4, channels).mean(axis=(2, 4))
        x = nn.Dense(self.feature_size, name='feature')(coarse.reshape(batch, -1))
        norm = nn.BatchNorm(use_running_average=not train, momentum=0.9, axis_name=self.axis_name)
        return nn.tanh(norm(x))
