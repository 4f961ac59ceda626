"""Which examples make up which training batch: arithmetic on row numbers, nothing remembered.

Training goes through one endless sequence of rows, of which batch n is rows n * B to (n + 1) * B.
Each row is worked out by itself. So a run resumes at any step, and neither processes nor threads
can change what a batch holds.
"""

import functools
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

# Products of two numbers up to this one fit into int64.
_MAX_TOTAL = 2**31


class Order:
    """An endless sequence of the examples of several sites, which are numbered site after site.

    Each site has its share of every stretch of rows, and is shuffled anew in each of its own
    epochs. With shares in proportion to the sizes, an epoch shows every example exactly once.
    """

    def __init__(self, seed: int, sizes: Sequence[int], shares: Sequence[float]):
        self._seed = seed
        self._sizes = np.array(sizes)
        self._first = np.cumsum(self._sizes) - self._sizes
        self._weights = whole_weights(shares)
        # Batches that are read ahead may lie in several epochs of a site.
        self._shuffled = functools.lru_cache(maxsize=4 * len(sizes))(self._shuffle)

    def examples(self, rows: np.ndarray) -> np.ndarray:
        """The examples int64[b] in rows int64[b] of the sequence."""
        site, rank = deal(rows, self._weights)
        epoch, place = np.divmod(rank, self._sizes[site])
        examples = np.empty_like(rank)
        for one_site, one_epoch in sorted(set(zip(site.tolist(), epoch.tolist(), strict=True))):
            here = (site == one_site) & (epoch == one_epoch)
            shuffled = self._shuffled(one_site, one_epoch)
            examples[here] = self._first[one_site] + shuffled[place[here]]
        return examples

    def _shuffle(self, site: int, epoch: int) -> np.ndarray:
        # From raw bits, because NumPy may change what its `Generator` makes of them.
        bits = np.random.PCG64(np.random.SeedSequence(self._seed, spawn_key=(site, epoch)))
        return np.argsort(bits.random_raw(int(self._sizes[site])), kind='stable')


def deal(rows: np.ndarray, weights: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Deals the rows of an endless sequence, int64[b], out to sites so that each is evenly spread.

    It gives the site int64[b] of each row, and int64[b], how many earlier rows belong to that site.
    The weights are positive and have a sum of at most 2^31; every stretch of as many rows as their
    sum has exactly `weights[k]` rows of site k. One site after another takes its part w / t of the
    rows that the sites before it have left: of the first i such rows floor(i * w / t), where t is
    the sum of the weights from this site on.
    """
    site, rank = np.empty_like(rows), np.empty_like(rows)
    open_rows, left, total = np.arange(len(rows)), rows, sum(weights)
    for number, weight in enumerate(weights):
        periods, within = np.divmod(left, total)
        taken = within * weight // total
        takes = (within + 1) * weight // total > taken
        taken += periods * weight
        site[open_rows[takes]], rank[open_rows[takes]] = number, taken[takes]
        open_rows, left, total = open_rows[~takes], (left - taken)[~takes], total - weight
    return site, rank


def whole_weights(shares: Sequence[float]) -> list[int]:
    """Whole numbers in the same proportion: exact for the decimals typed, unless too large."""
    fractions = [Fraction(repr(float(share))) for share in shares]
    common = math.lcm(*(fraction.denominator for fraction in fractions))
    numbers = [int(fraction * common) for fraction in fractions]
    divisor = max(math.gcd(*numbers), Fraction(sum(numbers), _MAX_TOTAL))
    return [max(1, number // divisor) for number in numbers]
