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

    With `class_balance` b, class j of a site has a share in proportion to n_j^(1 - b) of every
    stretch of the site's rows, n_j being its examples there, and each class is shuffled anew in
    each of its own epochs. At 1 all classes come equally often, at 1/2 by square roots.

    Source: Kang et al. (2020), equation 1 with q = 1 - b, https://arxiv.org/abs/1910.09217

    Args:
        labels: int[N], the classes of the examples; needed where `class_balance` is not 0.
    """

    def __init__(
        self,
        seed: int,
        sizes: Sequence[int],
        shares: Sequence[float],
        labels: np.ndarray | None = None,
        class_balance: float = 0.0,
    ):
        self._seed = seed
        self._shares = whole_weights(shares)
        if not class_balance:
            labels = np.zeros(sum(sizes), int)
        by_class = [
            [site[labels[site] == label] for label in np.unique(labels[site])]
            for site in np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
        ]
        # The examples of each class of each site, or of each site, and their shares in the site.
        self._strata = [examples for classes in by_class for examples in classes]
        self._shares_in_site = [
            whole_weights([len(examples) ** (1 - class_balance) for examples in classes])
            for classes in by_class
        ]
        self._sizes = np.array([len(examples) for examples in self._strata])
        # Batches that are read ahead may lie in several epochs of a stratum.
        self._shuffled = functools.lru_cache(maxsize=4 * len(self._sizes))(self._shuffle)

    def examples(self, rows: np.ndarray) -> np.ndarray:
        """The examples int64[b] in rows int64[b] of the sequence."""
        site, rank = deal(rows, self._shares)
        stratum, first = np.empty_like(site), 0
        for number, shares in enumerate(self._shares_in_site):
            here = site == number
            within, rank[here] = deal(rank[here], shares)
            stratum[here] = first + within
            first += len(shares)
        epoch, place = np.divmod(rank, self._sizes[stratum])
        examples = np.empty_like(rank)
        for which in sorted(set(zip(stratum.tolist(), epoch.tolist(), strict=True))):
            here = (stratum == which[0]) & (epoch == which[1])
            examples[here] = self._shuffled(*which)[place[here]]
        return examples

    def _shuffle(self, stratum: int, epoch: int) -> np.ndarray:
        # From raw bits, because NumPy may change what its `Generator` makes of them.
        bits = np.random.PCG64(np.random.SeedSequence(self._seed, spawn_key=(stratum, epoch)))
        order = np.argsort(bits.random_raw(int(self._sizes[stratum])), kind='stable')
        return self._strata[stratum][order]


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
