"""Student's t distribution for whole degrees of freedom, by its finite series; what the tests of real errors read.

Legend: t a value, n >= 1 degrees of freedom. Source: Abramowitz and Stegun 1964, equations 26.7.3 and 26.7.4.
"""

from __future__ import annotations

from math import atan, cos, inf, isinf, pi, sin, sqrt
from statistics import NormalDist
from typing import Final

# From here on the normal distribution differs by less than 1e-4 in any probability.
_NORMAL_FROM: Final = 5000


def t_below(t: float, n: int) -> float:
    """P(T <= t), to about 1e-15; the normal distribution's from 5,000 degrees on.

    >>> round(t_below(2.228138852, 10), 6), t_below(0.0, 3)
    (0.975, 0.5)
    """
    if isinf(t):
        return float(t > 0)
    if n >= _NORMAL_FROM:
        return NormalDist().cdf(t)
    angle = atan(t / sqrt(n))
    square = cos(angle) ** 2
    term = total = 0.0
    if n > 1:
        term = total = 1.0 if n % 2 == 0 else cos(angle)
        for i in range(n % 2 + 2, n - 1, 2):
            term *= square * (i - 1) / i
            total += term
    inside = sin(angle) * total if n % 2 == 0 else 2 / pi * (angle + sin(angle) * total)
    return min(1.0, max(0.0, 0.5 + inside / 2))


def t_quantile(share: float, n: int) -> float:
    """Return the t that T stays below with a probability `share`, in (0, 1), by bisection.

    >>> round(t_quantile(0.975, 10), 4), round(t_quantile(0.975, 100_000), 4)
    (2.2281, 1.96)
    """
    if not 0 < share < 1:
        raise ValueError(f"share must lie in (0, 1), got {share}")
    low, high = -1.0, 1.0
    while t_below(low, n) > share:
        low *= 2
    while t_below(high, n) < share:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_below(middle, n) < share else (low, middle)
    return (low + high) / 2 if high < inf else inf
