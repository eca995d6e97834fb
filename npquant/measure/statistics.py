"""Paired test, interval and signal-to-noise ratio: what two accuracies alone do not say.

T1  McNemar's exact p = min(1, 2 * sum over i <= min(b, c) of binomial(b + c, i) / 2**(b + c))
T2  paired interval d ± z sqrt(b' + c' - (b' - c')²/R') / R', with b' = b + 1/2, c' = c + 1/2, R' = R + 2,
    d = (b' - c') / R'
T3  SQNR = 10 log10(sum r² / sum (r - q)²) dB
T4  interval of a mean: v̄ ± t(n - 1) s / sqrt(n), s² = sum (v - v̄)² / (n - 1)

Legend: rows R >= 1; b and c the rows that the first, and the second, of two models alone gets right (>= 0,
b + c <= R); z the normal quantile; r reference values, q (quantized) what stands for them; v n values of mean v̄, t(f)
the quantile of Student's distribution of f degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, inf, isfinite, log10, sqrt
from statistics import NormalDist

import numpy as np

from npquant.arrays import Float64, Mask, Real


@dataclass(frozen=True, slots=True)
class McNemar:
    """A paired comparison of two classifiers on the same rows."""

    b: int
    c: int
    p: float  # T1, in (0, 1], or 0 where it underflows float64


def mcnemar(correct_a: Mask, correct_b: Mask) -> McNemar:
    """T1 of two models; `correct_a` and `correct_b` (R,) say whether each is right on each row.

    Rows on which both are right, or both wrong, say nothing and enter nowhere. TypeError if an array is not bool,
    ValueError if the shapes differ, are not one-dimensional, or R is 0.
    Source: McNemar, Psychometrika 12 (1947), in the exact binomial form.

    >>> a = np.array([True, True, True, False])
    >>> mcnemar(a, np.array([False, False, False, True]))
    McNemar(b=3, c=1, p=0.625)
    """
    for name, correct in (("correct_a", correct_a), ("correct_b", correct_b)):
        if correct.dtype != np.bool_:
            raise TypeError(f"{name} must be bool, got {correct.dtype}; pass predicted == y")
    if correct_a.shape != correct_b.shape or correct_a.ndim != 1 or correct_a.size == 0:
        raise ValueError(f"both models need the same R >= 1 rows, got {correct_a.shape} and {correct_b.shape}")
    b = int(np.count_nonzero(correct_a & ~correct_b))
    c = int(np.count_nonzero(~correct_a & correct_b))
    return McNemar(b, c, exact_p(b, c))


def exact_p(b: int, c: int) -> float:
    """T1, in integers, rounded once, to nearest even; 1 for models that never disagree.

    >>> exact_p(3, 1), exact_p(0, 0)
    (0.625, 1.0)
    """
    n, term, tail = b + c, 1, 0
    for i in range(min(b, c) + 1):
        tail += term
        term = term * (n - i) // (i + 1)  # binomial(n, i + 1): the division is exact
    p: float = 2 * tail / 2**n
    return min(1.0, p)


def paired_interval(b: int, c: int, rows: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """T2. Bound the first accuracy less the second from both sides, as shares in [-1, 1]; `confidence` in (0, 1).

    Half a row is added to each cell of the table, so that models that never disagree on R rows still have an interval:
    they may on the next R. ValueError if a value lies outside its interval.
    Source: Agresti and Min, Statistics in Medicine 24 (2005).

    >>> low, high = paired_interval(3, 1, 270)
    >>> f"{100 * low:.2f} {100 * high:.2f}"
    '-0.87 2.34'
    """
    if rows < 1 or b < 0 or c < 0 or b + c > rows:
        raise ValueError(f"0 <= b, c and b + c <= rows and rows >= 1, got {b}, {c} of {rows}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie in (0, 1), got {confidence}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    total, difference = rows + 2, b - c
    spread = z * sqrt(b + c + 1 - difference * difference / total) / total
    return max(-1.0, difference / total - spread), min(1.0, difference / total + spread)


def mean_interval(values: Sequence[float], *, confidence: float = 0.95) -> tuple[float, float, float]:
    """T4. The mean of `values` and its ends, at a `confidence` in (0, 1); of one value the ends are -inf and inf.

    No width where all values are alike. ValueError without values.

    >>> [round(end, 3) for end in mean_interval([1.0, 2.0, 3.0])]
    [2.0, -0.484, 4.484]
    """
    n = len(values)
    if n == 0:
        raise ValueError("a mean needs a value")
    if n > 1 and min(values) == max(values):
        return values[0], values[0], values[0]
    mean = fsum(values) / n
    if n == 1:
        return mean, -inf, inf
    spread = sqrt(fsum((value - mean) ** 2 for value in values) / (n - 1))
    half = half_width(spread / sqrt(n), n - 1, confidence)
    return mean, mean - half, mean + half


def half_width(standard_error: float, freedom: int, confidence: float = 0.95) -> float:
    """T4. t(f) times a `standard_error` of so many degrees of `freedom`, at a `confidence`.

    >>> round(half_width(1.0, 9), 3)
    2.262
    """
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + confidence / 2)) * standard_error


def sqnr_db(reference: Real, quantized: Real) -> float:
    """T3. 10 log10(sum r² / sum (r - q)²) dB in float64, of real values of any one shape.

    +inf where nothing differs, -inf where the reference is zero and something does. ValueError if the shapes differ,
    the arrays are empty, or a value is NaN or inf.

    >>> f"{sqnr_db(np.array([3.0, 4.0]), np.array([3.0, 3.5])):.1f}"
    '20.0'
    """
    if reference.shape != quantized.shape or reference.size == 0:
        raise ValueError(f"shapes must be equal and not empty, got {reference.shape} and {quantized.shape}")
    # Halves, so that no difference of two float64 overflows; the ratio does not see the factor.
    signal = reference.astype(np.float64).reshape(-1) * 0.5
    stand_in = quantized.astype(np.float64).reshape(-1) * 0.5
    for name, values in (("reference", signal), ("quantized", stand_in)):
        if not np.all(np.isfinite(values)):
            raise ValueError(f"{name} holds NaN or inf; a ratio of such values says nothing")
    noise_level = _level_db(signal - stand_in)
    return _level_db(signal) - noise_level if isfinite(noise_level) else inf


def _level_db(values: Float64) -> float:
    """Take 10 log10 of the sum of squares, of values over their largest: no square overflows; -inf for zeros."""
    largest = float(np.max(np.abs(values)))
    if largest == 0:
        return -inf
    ratio = np.abs(values) / largest
    # Squares below 2**-600 cannot change a sum >= 1; as zeros they cannot underflow either.
    ratio[ratio < 2.0**-300] = 0.0
    return 20 * log10(largest) + 10 * log10(float(np.dot(ratio, ratio)))
