"""Ground truth for the statistics: other formulas, exact fractions and SciPy."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import comb, inf, log10, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from npquant.measure.statistics import McNemar, mcnemar, mean_interval, paired_interval, sqnr_db

Flags = NDArray[np.bool_]
EPS = float(np.finfo(np.float64).eps)


def rows(b: int, c: int, both: int) -> tuple[Flags, Flags]:
    """Rows of which a alone gets b right, b alone c, both the rest."""
    a_right = np.repeat([True, False, True], [b, c, both])
    b_right = np.repeat([False, True, True], [b, c, both])
    return a_right, b_right


def assert_exact_p(b: int, c: int, test: Callable[[Flags, Flags], McNemar]) -> None:
    """T1 from the two-sided definition: the weight of all outcomes that are no likelier."""
    n = b + c
    unlikely = sum(comb(n, i) for i in range(n + 1) if comb(n, i) <= comb(n, b))
    result = test(*rows(b, c, 3))
    assert (result.b, result.c) == (b, c)
    assert result.p == float(Fraction(unlikely, 2**n))


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_two_sided_binomial(b: int, c: int) -> None:
    """p is the exact fraction, rounded once."""
    assert_exact_p(b, c, mcnemar)


def one_sided(a: Flags, b: Flags) -> McNemar:
    """Wrong: half the p."""
    result = mcnemar(a, b)
    return McNemar(result.b, result.c, result.p / 2)


def swapped(a: Flags, b: Flags) -> McNemar:
    """Wrong: the counts change places."""
    return mcnemar(b, a)


@pytest.mark.parametrize("wrong", [one_sided, swapped])
def test_mcnemar_law_kills_wrong_tests(wrong: Callable[[Flags, Flags], McNemar]) -> None:
    """The law rejects a one-sided p and swapped counts."""
    with pytest.raises(AssertionError):
        assert_exact_p(7, 2, wrong)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (12, 3), (480, 520), (0, 900), (700, 0)])
def test_mcnemar_agrees_with_scipy(b: int, c: int) -> None:
    """SciPy's binomial test gives the same p, to what its float64 sum of n terms can lose."""
    from scipy.stats import binomtest

    p = mcnemar(*rows(b, c, 1)).p
    reference = 1.0 if b + c == 0 else float(binomtest(b, b + c, 0.5).pvalue)
    # SciPy's terms come from log-gammas of size n log n, each wrong by a few ulps, exponentiated.
    n = max(b + c, 2)
    assert abs(p - reference) <= 8 * n * log10(n) * EPS * max(p, reference)


def test_mcnemar_survives_ten_thousand_disagreements() -> None:
    """Large counts neither overflow nor take long; a p below float64 becomes 0."""
    assert mcnemar(*rows(10_000, 0, 1)).p == 0.0
    assert mcnemar(*rows(5_000, 5_000, 1)).p == 1.0


def test_mcnemar_names_bad_input() -> None:
    """Other dtypes and shapes are named."""
    good = np.array([True])
    with pytest.raises(TypeError, match=r"correct_b must be bool, got int64; pass predicted == y"):
        mcnemar(good, np.array([1]))
    with pytest.raises(ValueError, match="same R >= 1 rows"):
        mcnemar(good, np.array([True, False]))
    with pytest.raises(ValueError, match="same R >= 1 rows"):
        mcnemar(good[:0], good[:0])


Signal = NDArray[np.float64]
integers = arrays(np.float64, st.integers(1, 30), elements=st.integers(-(2**20), 2**20))


def assert_sqnr(r: Signal, q: Signal, measure: Callable[[Any, Any], float]) -> None:
    """T3 from exact integer sums."""
    power = sum(int(v) ** 2 for v in r)
    noise = sum(int(a - b) ** 2 for a, b in zip(r, q, strict=True))
    got = measure(r, q)
    if noise == 0 or power == 0:
        assert got == (inf if noise == 0 else -inf)
        return
    # Two levels in dB, each 20 log10(max) + 10 log10(sum): four logarithms of at most 140 dB, and a sum of R squares.
    assert abs(got - 10 * log10(Fraction(power, noise))) <= (4 * 140 + 10 * (r.size + 4)) * EPS


Interval = Callable[[int, int, int], tuple[float, float]]


def law_paired_interval_covers(interval: Interval, lost: float, won: float, rows: int) -> None:
    """T2. Over all outcomes of R rows the 95 % interval holds the true difference in 93 % of cases at least."""
    covered = 0.0
    for b in range(rows + 1):
        of_b = comb(rows, b) * lost**b
        for c in range(rows + 1 - b):
            low, high = interval(b, c, rows)
            if low <= lost - won <= high:
                covered += of_b * comb(rows - b, c) * won**c * (1 - lost - won) ** (rows - b - c)
    assert covered >= 0.93


COVERED = [(0.01, 0.01, 60), (0.05, 0.01, 60), (0.1, 0.02, 60), (0.02, 0.0, 90), (0.2, 0.1, 40)]


@pytest.mark.parametrize(("lost", "won", "r"), COVERED)
def test_paired_interval_covers(lost: float, won: float, r: int) -> None:
    """The exact coverage, by enumeration."""
    law_paired_interval_covers(paired_interval, lost, won, r)


def test_paired_interval_law_kills_the_interval_without_half_rows() -> None:
    """Wald's own interval is empty where the networks never disagree, and covers too little."""

    def wald(b: int, c: int, r: int) -> tuple[float, float]:
        spread = 1.96 * sqrt(b + c - (b - c) ** 2 / r) / r
        return (b - c) / r - spread, (b - c) / r + spread

    with pytest.raises(AssertionError):
        law_paired_interval_covers(wald, 0.02, 0.0, 90)


@given(st.integers(1, 400), st.data())
def test_paired_interval_mirrors_and_narrows(r: int, data: st.DataObject) -> None:
    """Exchanged networks have the negated interval; four times the rows, alike, half of it or little more."""
    b = data.draw(st.integers(0, r))
    c = data.draw(st.integers(0, r - b))
    low, high = paired_interval(b, c, r)
    assert -1 <= low < high <= 1
    np.testing.assert_allclose(paired_interval(c, b, r), (-high, -low), atol=4 * EPS)
    assert np.ptp(paired_interval(4 * b, 4 * c, 4 * r)) < np.ptp((low, high))


@pytest.mark.parametrize(
    ("b", "c", "r", "confidence"), [(1, 1, 0, 0.9), (-1, 0, 9, 0.9), (5, 5, 9, 0.9), (1, 1, 9, 1.0)]
)
def test_paired_interval_names_bad_input(b: int, c: int, r: int, confidence: float) -> None:
    """Counts that do not fit, and no confidence, are errors."""
    with pytest.raises(ValueError, match="got"):
        paired_interval(b, c, r, confidence=confidence)


@given(st.data())
def test_sqnr_db_is_the_ratio_of_exact_sums(data: st.DataObject) -> None:
    """On integers, T3 agrees with exact arithmetic within its rounding."""
    r = data.draw(integers)
    q = r - data.draw(arrays(np.float64, r.shape, elements=st.integers(-3, 3)))
    assert_sqnr(r, q, sqnr_db)


def amplitude(r: Signal, q: Signal) -> float:
    """Wrong: 10 log of amplitudes."""
    return sqnr_db(r, q) / 2


def of_quantized(r: Signal, q: Signal) -> float:
    """Wrong: the signal taken from the quantized values."""
    return sqnr_db(q, 2 * q - r)


@pytest.mark.parametrize("wrong", [amplitude, of_quantized])
def test_sqnr_law_kills_wrong_ratios(wrong: Callable[[Any, Any], float]) -> None:
    """The law rejects an amplitude ratio and the wrong reference."""
    with pytest.raises(AssertionError):
        assert_sqnr(np.array([3.0, 4.0]), np.array([3.0, 3.0]), wrong)


@given(integers, st.integers(-900, 900))
def test_sqnr_db_ignores_the_unit(r: Signal, exponent: int) -> None:
    """Both signals times 2**e: the same figure, even where squares would overflow or underflow."""
    q = r + 1
    base = sqnr_db(r, q)
    scaled = sqnr_db(np.ldexp(r, exponent), np.ldexp(q, exponent))
    # The two levels of up to 20 log10(2**921) = 5545 dB cancel.
    assert scaled == base or abs(scaled - base) <= 4 * 5545 * EPS


def test_sqnr_db_ends_and_bad_input() -> None:
    """Equal signals: +inf, two zeros included. Zero reference: -inf. NaN, inf, empty, shapes: named."""
    zero, one = np.zeros(2), np.ones(2)
    assert sqnr_db(one, one) == inf and sqnr_db(zero, zero) == inf and sqnr_db(zero, one) == -inf
    big = np.array([np.finfo(np.float64).max])
    assert abs(sqnr_db(big, -big) + 20 * log10(2)) <= 4 * 6200 * EPS
    for name, r, q in (("reference", one * np.inf, one), ("quantized", one, one * np.nan)):
        with pytest.raises(ValueError, match=f"{name} holds NaN or inf"):
            sqnr_db(r, q)
    for shape in ((0,), (3,)):
        with pytest.raises(ValueError, match="shapes must be equal and not empty"):
            sqnr_db(np.zeros(shape), np.zeros(0))


OfAMean = Callable[[list[float]], tuple[float, float, float]]


def assert_interval_of_a_mean(values: list[float], interval: OfAMean) -> None:
    """T4 against SciPy's own distribution: mean and ends, to what sums of n terms can lose."""
    from scipy.stats import t

    n, mean, s = len(values), float(np.mean(values)), float(np.std(values, ddof=1))
    found = interval(values)
    low, high = t.interval(0.95, n - 1, mean, s / sqrt(n)) if s else (mean, mean)
    # Cancellation in s: n terms of the size of the values, each wrong by an ulp or two; t(1) is 12.7.
    slack = 64 * n * EPS * (max(map(abs, values)) + abs(high - low))
    assert np.allclose(found, (mean, low, high), rtol=0, atol=slack)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12))
def test_mean_interval_is_students(values: list[float]) -> None:
    """Mean and ends are those of Student's distribution."""
    assert_interval_of_a_mean(values, mean_interval)


def normal(values: list[float]) -> tuple[float, float, float]:
    """Wrong: the normal quantile, as if the spread were known."""
    half = 1.959964 * float(np.std(values, ddof=1)) / sqrt(len(values))
    return float(np.mean(values)), float(np.mean(values)) - half, float(np.mean(values)) + half


def of_the_rows(values: list[float]) -> tuple[float, float, float]:
    """Wrong: s² over n instead of n - 1."""
    mean, low, high = mean_interval(values)
    shrunk = sqrt((len(values) - 1) / len(values))
    return mean, mean - (mean - low) * shrunk, mean + (high - mean) * shrunk


@pytest.mark.parametrize("wrong", [normal, of_the_rows])
def test_mean_interval_law_kills_wrong_intervals(wrong: OfAMean) -> None:
    """The law rejects the normal quantile, and a variance over n."""
    with pytest.raises(AssertionError):
        assert_interval_of_a_mean([1.0, 2.0, 4.0, 8.0], wrong)


def test_mean_interval_of_one_value_knows_nothing() -> None:
    """One value has no spread: its interval is everything; of no value there is no mean."""
    assert mean_interval([3.0]) == (3.0, -inf, inf)
    assert mean_interval([0.1, 0.1, 0.1]) == (0.1, 0.1, 0.1)
    with pytest.raises(ValueError, match="a mean needs a value"):
        mean_interval([])
