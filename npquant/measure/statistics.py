"""Paired test, interval and signal-to-noise ratio: what two accuracies alone do not say.

T1  McNemar's exact p = min(1, 2 * sum over i <= min(b, c) of binomial(b + c, i) / 2**(b + c))
T2  Wilson's interval (p + z²/2R ± z sqrt(p(1-p)/R + z²/4R²)) / (1 + z²/R), with p = successes / R
T3  SQNR = 10 log10(sum r² / sum (r - q)²) dB
T4  paired interval d ± z sqrt(b' + c' - (b' - c')²/R') / R', with b' = b + 1/2, c' = c + 1/2, R' = R + 2,
    d = (b' - c') / R'

Letters: R rows, b and c the rows that only one of two models gets right, z the normal quantile,
r reference values, q what stands for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite, log10, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class McNemar:
    """A paired comparison of two classifiers on the same rows.

    Attributes
    ----------
    b : int
        Rows that a alone gets right.
    c : int
        Rows that b alone gets right.
    p : float
        Exact two-sided p-value T1, in (0, 1] (0 where it underflows float64).
    """

    b: int
    c: int
    p: float


def mcnemar(correct_a: NDArray[np.bool_], correct_b: NDArray[np.bool_]) -> McNemar:
    """Compare two models on the same rows by the rows on which only one is right.

    Parameters
    ----------
    correct_a, correct_b : ndarray of bool, shape (R,)
        Whether each model is right on each row.

    Returns
    -------
    McNemar
        The two counts and T1.

    Raises
    ------
    TypeError
        If an array is not bool.
    ValueError
        If the shapes differ, are not one-dimensional, or R is 0.

    Notes
    -----
    T1, computed in integers and rounded once, to nearest even. Models that never disagree have
    p = 1. Rows on which both are right, or both wrong, say nothing and enter nowhere.
    Source: McNemar, Psychometrika 12 (1947), in the exact binomial form.

    Examples
    --------
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
    n, term, tail = b + c, 1, 0
    for i in range(min(b, c) + 1):
        tail += term
        term = term * (n - i) // (i + 1)  # binomial(n, i + 1): the division is exact
    return McNemar(b, c, min(1.0, 2 * tail / 2**n))


def wilson_interval(successes: int, rows: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Bound a proportion, such as an accuracy, from both sides.

    Parameters
    ----------
    successes : int
        In [0, rows].
    rows : int
        >= 1.
    confidence : float
        In (0, 1).

    Returns
    -------
    tuple of float
        Lower and upper bound, in [0, 1].

    Raises
    ------
    ValueError
        If a value lies outside its interval.

    Notes
    -----
    T2, without continuity correction. No successes give a lower bound of exactly 0, no failures an
    upper bound of exactly 1. Source: Wilson, JASA 22 (1927).

    Examples
    --------
    >>> low, high = wilson_interval(264, 270)
    >>> f"{low:.4f} {high:.4f}"
    '0.9524 0.9898'
    """
    if rows < 1 or not 0 <= successes <= rows:
        raise ValueError(f"0 <= successes <= rows and rows >= 1, got {successes} of {rows}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie in (0, 1), got {confidence}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / rows
    centre = share + z * z / (2 * rows)
    spread = z * sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    scale = 1 + z * z / rows
    # At the ends T2 is 0 and 1 exactly; in floating point it would miss them by an ulp.
    low = 0.0 if successes == 0 else max(0.0, (centre - spread) / scale)
    high = 1.0 if successes == rows else min(1.0, (centre + spread) / scale)
    return low, high


def paired_interval(b: int, c: int, rows: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Bound the difference of two accuracies on the same rows from both sides.

    Parameters
    ----------
    b, c : int
        Rows that the first, and the second, model alone gets right; b + c <= rows.
    rows : int
        R, >= 1.
    confidence : float
        In (0, 1).

    Returns
    -------
    tuple of float
        Lower and upper bound of the first accuracy less the second, as shares in [-1, 1].

    Raises
    ------
    ValueError
        If a value lies outside its interval.

    Notes
    -----
    T4. Half a row is added to each cell of the table, so that models that never disagree on R rows still have an
    interval: they may on the next R. Source: Agresti and Min, Statistics in Medicine 24 (2005).

    Examples
    --------
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


def sqnr_db(reference: NDArray[np.floating[Any]], quantized: NDArray[np.floating[Any]]) -> float:
    """Measure how far above its error a signal stands, in decibels.

    Parameters
    ----------
    reference : ndarray of floats, any shape
        Real values.
    quantized : ndarray of floats, the same shape
        The real values that stand for them.

    Returns
    -------
    float
        T3 in dB; +inf where nothing differs, -inf where the reference is zero and something does.

    Raises
    ------
    ValueError
        If the shapes differ, the arrays are empty, or a value is NaN or inf.

    Notes
    -----
    T3 in float64. Each sum of squares is taken of values divided by their largest, so that no
    square overflows, and halves are subtracted, so that no difference does.

    Examples
    --------
    >>> f"{sqnr_db(np.array([3.0, 4.0]), np.array([3.0, 3.5])):.1f}"
    '20.0'
    """
    if reference.shape != quantized.shape or reference.size == 0:
        raise ValueError(f"shapes must be equal and not empty, got {reference.shape} and {quantized.shape}")
    signal = reference.astype(np.float64).reshape(-1) * 0.5
    stand_in = quantized.astype(np.float64).reshape(-1) * 0.5
    for name, values in (("reference", signal), ("quantized", stand_in)):
        if not np.all(np.isfinite(values)):
            raise ValueError(f"{name} holds NaN or inf; a ratio of such values says nothing")
    noise_level = _level_db(signal - stand_in)
    return _level_db(signal) - noise_level if isfinite(noise_level) else inf


def _level_db(values: NDArray[np.float64]) -> float:
    """Take 10 log10 of the sum of squares; -inf for zeros."""
    largest = float(np.max(np.abs(values)))
    if largest == 0:
        return -inf
    ratio = np.abs(values) / largest
    # Squares below 2**-600 cannot change a sum >= 1; as zeros they cannot underflow either.
    ratio[ratio < 2.0**-300] = 0.0
    return 20 * log10(largest) + 10 * log10(float(np.dot(ratio, ratio)))
