"""Laws of the 70/15/15 split."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.data.split import Split, split_70_15_15

Labels = NDArray[np.int64]
Splitter = Callable[[Labels], Split]


@st.composite
def labels(draw: st.DrawFn, fewest: int = 3) -> Labels:
    """Draw shuffled labels of 1 to 12 classes (some indices may be skipped)."""
    sizes = draw(st.lists(st.integers(fewest, 60), min_size=1, max_size=12))
    classes = draw(st.lists(st.integers(0, 40), min_size=len(sizes), max_size=len(sizes), unique=True))
    return np.random.default_rng(draw(st.integers(0, 99))).permutation(np.repeat(classes, sizes).astype(np.int64))


def seeded(y: Labels) -> Split:
    """The splitter under test."""
    return split_70_15_15(y, rng=7)


def assert_partition(y: Labels, splitter: Splitter) -> None:
    """The sets are disjoint and cover every row, and each holds every class."""
    split = splitter(y)
    sets = (split.train, split.validation, split.test)
    assert np.array_equal(np.sort(np.concatenate(sets)), np.arange(y.size))
    for rows in sets:
        assert rows.dtype == np.int64 and not rows.flags.writeable and np.all(np.diff(rows) > 0)
        assert np.array_equal(np.unique(y[rows]), np.unique(y))


def assert_stratified(y: Labels, splitter: Splitter) -> None:
    """Totals are the largest-remainder shares of R; a class is within one row of its own share."""
    split = splitter(y)
    sets = (split.train, split.validation, split.test)
    shares = [Fraction(y.size * percent, 100) for percent in (70, 15, 15)]
    totals = [int(share) for share in shares]
    for j in sorted(range(3), key=lambda j: totals[j] - shares[j])[: y.size - sum(totals)]:
        totals[j] += 1
    assert [rows.size for rows in sets] == totals
    for label in np.unique(y):
        for rows, percent in zip(sets, (70, 15, 15), strict=True):
            count = int(np.count_nonzero(y[rows] == label))
            assert abs(count - Fraction(int(np.count_nonzero(y == label)) * percent, 100)) <= 1


@given(labels())
def test_split_70_15_15_is_a_partition(y: Labels) -> None:
    """Disjoint, covering, every class in every set."""
    assert_partition(y, seeded)


@given(labels(fewest=7))
def test_split_70_15_15_is_stratified(y: Labels) -> None:
    """Where each class has a share of a row in every set, totals and shares are exact to rounding."""
    assert_stratified(y, seeded)


@given(labels())
def test_split_70_15_15_keeps_small_classes_near_their_shares(y: Labels) -> None:
    """A class is within two rows of its share even where a set must be given its one row."""
    split = seeded(y)
    for rows, percent in zip((split.train, split.validation, split.test), (70, 15, 15), strict=True):
        for label in np.unique(y):
            share = Fraction(int(np.count_nonzero(y == label)) * percent, 100)
            assert abs(int(np.count_nonzero(y[rows] == label)) - share) < 2


def unstratified(y: Labels) -> Split:
    """Wrong: takes rows as they come."""
    first, second = y.size * 70 // 100, y.size * 85 // 100
    return Split(*np.split(np.arange(y.size), [first, second]))


def by_class_only(y: Labels) -> Split:
    """Wrong: rounds each class alone, so that the totals drift."""
    parts: list[list[NDArray[np.int64]]] = [[], [], []]
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        cuts = [int(rows.size * 0.7), int(rows.size * 0.85)]
        for part, chunk in zip(parts, np.split(rows, cuts), strict=True):
            part.append(chunk)
    return Split(*(np.concatenate(part) for part in parts))


def overlapping(y: Labels) -> Split:
    """Wrong: validates on test rows."""
    split = seeded(y)
    return Split(split.train, split.test, split.test)


def test_split_laws_kill_wrong_splitters() -> None:
    """The laws reject no strata, drifting totals and shared rows."""
    y = np.repeat(np.arange(4), 9)
    with pytest.raises(AssertionError):
        assert_partition(y, unstratified)
    with pytest.raises(AssertionError):
        assert_partition(y, overlapping)
    with pytest.raises(AssertionError):
        assert_stratified(y, by_class_only)


@given(labels(), st.integers(0, 2**32))
def test_split_70_15_15_repeats_under_its_seed(y: Labels, seed: int) -> None:
    """An int seed and a generator made from it give the same split, whatever the label type."""
    split = split_70_15_15(y, rng=seed)
    again = split_70_15_15(y.astype(np.int16), rng=np.random.default_rng(seed))
    assert split.sha256 == again.sha256


def test_split_70_15_15_depends_on_the_seed() -> None:
    """Other seeds give other splits."""
    y = np.repeat(np.arange(10), 30)
    assert len({split_70_15_15(y, rng=seed).sha256 for seed in range(20)}) == 20


def test_sha256_is_of_the_canonical_bytes() -> None:
    """The hash is that of sizes and indices as little-endian int64, written out by hand."""
    split = Split(np.array([4, 0], np.int32), np.array([1]), np.array([2, 3]))
    numbers = [2, 1, 2, 0, 4, 1, 2, 3]
    expected = sha256(b"".join(n.to_bytes(8, "little") for n in numbers)).hexdigest()
    assert split.sha256 == expected


def test_sha256_sees_a_row_cross_a_border() -> None:
    """Sets with the same rows in the same order, but other borders, differ."""
    zero, one, two = np.array([0]), np.array([0, 1]), np.array([1, 2])
    assert Split(zero, two, np.array([3])).sha256 != Split(one, np.array([2]), np.array([3])).sha256


@pytest.mark.parametrize(
    ("y", "error", "text"),
    [
        (np.array([0, 0, 0, 1]), ValueError, "class 1 has 1 row,"),
        (np.array([0, 0, 0, 5, 5]), ValueError, "class 5 has 2 rows,"),
        (np.array([], np.int64), ValueError, "R >= 1"),
        (np.zeros((3, 1), np.int64), ValueError, r"\(3, 1\)"),
        (np.array([-1, -1, -1]), ValueError, "start at 0"),
        (np.array(["a", "b", "c"]), TypeError, "<U1"),
        (np.zeros(2), ValueError, "2 rows"),
        (np.zeros((3, 1, 1)), ValueError, r"\(3, 1, 1\)"),
        (np.array([0.5, np.nan, 1.0]), ValueError, "NaN"),
    ],
)
def test_split_70_15_15_names_bad_input(y: Labels, error: type[Exception], text: str) -> None:
    """Bad labels are named."""
    with pytest.raises(error, match=text):
        split_70_15_15(y, rng=0)


@pytest.mark.parametrize("outputs", [None, 1, 3])
@pytest.mark.parametrize("rows", [3, 19, 20, 39, 40, 641])
def test_split_70_15_15_of_real_targets(rows: int, outputs: int | None) -> None:
    """Disjoint, covering, in any unit the same; and of each 20 to 39 neighbours every set has its share."""
    y = np.random.default_rng(rows).normal(size=(rows,) if outputs is None else (rows, outputs))
    split = split_70_15_15(y, rng=0)
    sets = (split.train, split.validation, split.test)
    assert np.array_equal(np.sort(np.concatenate(sets)), np.arange(rows))
    assert split_70_15_15(1e6 + 1e-3 * y, rng=0).sha256 == split.sha256
    if outputs in (None, 1):
        order = np.argsort(y.reshape(-1))
        of_each = rows // max(1, rows // 20)
        for start in range(0, rows - of_each, of_each):
            run = order[start : start + of_each]
            assert len(np.intersect1d(run, split.test)) <= 2 * (of_each * 15 // 100 + 1)


def test_split_70_15_15_of_real_targets_by_quantiles() -> None:
    """Forty rows in order are two runs, and of each three rows test, three validate."""
    split = split_70_15_15(np.arange(40.0), rng=1)
    for part in (split.validation, split.test):
        assert np.bincount(part // 20).tolist() == [3, 3]
