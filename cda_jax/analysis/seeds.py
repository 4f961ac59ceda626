"""Figures that were measured once for every seed of the training."""

import math
import statistics
from typing import NamedTuple

from scipy.special import stdtrit

from cda_jax.analysis.bias.bootstrap import CONFIDENCE


class Measured(NamedTuple):
    """One figure of one method, measured for each seed; methods share the order of the seeds."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return statistics.fmean(self.values)

    @property
    def sd(self) -> float | None:
        """Standard deviation over the seeds, as a sample of all seeds (ddof 1); None for one."""
        return statistics.stdev(map(float, self.values)) if len(self.values) > 1 else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the mean by Student's t; None for one seed. It may pass 0 or 1."""
        if self.sd is None:
            return None
        seeds = len(self.values)
        half = float(stdtrit(seeds - 1, (1 + CONFIDENCE) / 2)) * self.sd / math.sqrt(seeds)
        return self.mean - half, self.mean + half


def difference(a: Measured, b: Measured) -> Measured:
    """The difference a - b of two methods, seed by seed.

    What a seed does to both methods alike cancels, so its interval says more than the intervals of
    the two do side by side.
    """
    return Measured(tuple(float(x) - float(y) for x, y in zip(a.values, b.values, strict=True)))
