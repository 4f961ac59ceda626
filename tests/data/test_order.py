"""Properties of the sequence of training examples, for any sites, shares, classes and rows."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cda_jax.data.order import Order, deal, whole_weights

few = settings(max_examples=50, deadline=None, derandomize=True)
# The classes of the examples of every site.
some_labels = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=30), min_size=1, max_size=5)
some_balance = st.sampled_from([0.0, 0.5, 0.7, 1.0])


def test_by_hand():
    # Of 2 : 1 : 1, the first site takes every other row, the others one each of every two left.
    site, rank = deal(np.arange(8), [2, 1, 1])
    assert site.tolist() == [2, 0, 1, 0, 2, 0, 1, 0]
    assert rank.tolist() == [0, 0, 0, 1, 1, 2, 1, 3]


def test_shares_are_taken_as_they_are_typed():
    assert whole_weights([0.1, 0.2, 0.7]) == [1, 2, 7]
    assert whole_weights([160.0, 200.0, 240.0]) == [4, 5, 6]
    assert whole_weights([1 / 3, 1.0]) == [536870911, 1610612736]  # there, as far as 2^31 allows
    assert whole_weights([5e-324, 1.0]) == [1, 2**31 - 1]


@few
@given(shares=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=6))
def test_weights_of_any_shares_keep_their_proportion(shares):
    weights = whole_weights(shares)
    assert sum(weights) <= 2**31 + len(weights)
    for weight, share in zip(weights, shares, strict=True):
        assert abs(weight / sum(weights) - share / sum(shares)) < 1e-8


@few
@given(
    weights=st.lists(st.integers(1, 300) | st.integers(1, 10**6), min_size=1, max_size=6),
    start=st.integers(0, 10**15),
    length=st.integers(1, 3000),
)
def test_every_stretch_has_each_site_in_proportion(weights, start, length):
    site, rank = deal(np.arange(start, start + length), weights)
    for number, weight in enumerate(weights):
        share = length * Fraction(weight, sum(weights))
        assert abs((site == number).sum() - share) < len(weights)
        assert (np.diff(rank[site == number]) == 1).all()
    if sum(weights) < 2000:  # exactly, where it is as long as their sum
        site, _ = deal(np.arange(start, start + sum(weights)), weights)
        assert np.bincount(site, minlength=len(weights)).tolist() == weights


@few
@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6), seed=st.integers(0, 2**70))
def test_an_epoch_has_every_example_exactly_once(sizes, seed):
    order, length = Order(seed, sizes, sizes), sum(sizes)
    for epoch in (0, 1, 7):
        rows = np.arange(epoch * length, (epoch + 1) * length)
        assert sorted(order.examples(rows)) == list(range(length))


def make_order(labels, class_balance, seed=3):
    """An order of sites with shares 1, 2 and so on; the site and class of every example."""
    sizes, shares = [len(site) for site in labels], range(1, len(labels) + 1)
    site, label = np.repeat(np.arange(len(labels)), sizes), np.concatenate(labels)
    return Order(seed, sizes, shares, label, class_balance), site, label


@pytest.mark.parametrize(
    ('class_balance', 'expected'), [(0.0, [16, 4, 1]), (0.5, [12, 6, 3]), (1.0, [7, 7, 7])]
)
def test_classes_by_hand(class_balance, expected):
    # One site has 16, 4 and 1 examples of three classes: 4 : 2 : 1 by square roots.
    order, _, label = make_order([[0] * 16 + [1] * 4 + [2]], class_balance)
    assert np.bincount(label[order.examples(np.arange(21))]).tolist() == expected


@few
@given(labels=some_labels, class_balance=st.sampled_from([0.5, 0.7, 1.0]))
def test_every_stretch_of_a_site_has_its_classes_in_proportion(labels, class_balance):
    order, site, label = make_order(labels, class_balance)
    examples = order.examples(np.arange(1000))
    # The sites' shares do not feel it.
    unbalanced = make_order(labels, 0.0)[0].examples(np.arange(1000))
    np.testing.assert_array_equal(site[examples], site[unbalanced])
    for number in range(len(labels)):
        own = label[examples[site[examples] == number]]
        counts = np.bincount(labels[number]).astype(float)
        shares = np.where(counts > 0, counts ** (1 - class_balance), 0)
        for stop in range(0, len(own), 37):
            drawn = np.bincount(own[:stop], minlength=len(counts))
            assert (np.abs(drawn - stop * shares / shares.sum()) < len(counts) + 1e-6).all()


@few
@given(labels=some_labels, class_balance=some_balance)
def test_all_examples_are_shown_before_one_is_repeated(labels, class_balance):
    """Those of a site, or of a class of a site where classes are balanced."""
    order, site, label = make_order(labels, class_balance)
    examples = order.examples(np.arange(900))
    strata = site + (label / 10 if class_balance else 0)
    for stratum in set(strata.tolist()):
        all_of_it = np.flatnonzero(strata == stratum)
        drawn = examples[strata[examples] == stratum]
        for start in range(0, len(drawn) - len(all_of_it) + 1, len(all_of_it)):
            assert sorted(drawn[start : start + len(all_of_it)]) == all_of_it.tolist()


@few
@given(
    labels=some_labels,
    class_balance=some_balance,
    cuts=st.lists(st.integers(0, 400), max_size=5),
    seed=st.integers(0, 9),
)
def test_rows_are_the_same_however_they_are_asked_for(labels, class_balance, cuts, seed):
    """By one process or several, from the start or from a step on, in any order."""
    order, *_ = make_order(labels, class_balance, seed)
    whole = order.examples(np.arange(400))
    for rows in reversed(np.split(np.arange(400), sorted(cuts))):
        for asked in (order, make_order(labels, class_balance, seed)[0]):
            np.testing.assert_array_equal(asked.examples(rows), whole[rows])


def test_seeds_epochs_and_sites_are_shuffled_differently():
    order = Order(0, [50, 50], [1, 1])
    rows = order.examples(np.arange(200))
    shuffles = [rows[rows < 50][:50], rows[rows < 50][50:], rows[rows >= 50][:50] - 50]
    shuffles.append(Order(1, [50, 50], [1, 1]).examples(np.arange(100))[:50])
    assert len({shuffle.tobytes() for shuffle in shuffles}) == 4


@pytest.mark.parametrize(
    ('class_balance', 'known'),
    [
        (0.0, [6, 2, 7, 0, 4, 5, 3, 1, 5, 3, 7, 4, 0, 6, 2, 1]),
        (1.0, [7, 4, 5, 2, 4, 6, 0, 4, 5, 3, 7, 4, 1, 5, 4, 3]),
    ],
)
def test_a_known_order_stays_what_it_is(class_balance, known):
    """A run that was interrupted goes on with it, perhaps with another version of NumPy."""
    order = Order(0, [5, 3], [5, 3], np.array([0, 0, 0, 0, 1, 1, 2, 2]), class_balance)
    assert order.examples(np.arange(16)).tolist() == known
