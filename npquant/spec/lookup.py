"""The correctly rounded entries of the tables, one for each code.

Legend: x real argument, t one in (0, 1]; (lo, hi) an enclosure of the value by rationals, lo <= value <= hi; terms of
the Taylor series of e^|x|, more than 2 |x|. In `table_entry`, x and y are scale and zero point of input and output, q
is the input code and [qmin, qmax] the output interval.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor

from npquant.spec.affine import Affine, dequantize, quantize

Enclosure = tuple[Fraction, Fraction]


def enclose_exp(x: Fraction, terms: int) -> Enclosure:
    """Enclose e^x for x <= 0, as 1 / e^t with t = |x|. ValueError if x > 0, or the terms are not more than 2 t.

    >>> lo, hi = enclose_exp(Fraction(-1), 20)
    >>> lo < Fraction(36787944117, 10**11) + Fraction(1, 10**10) and hi - lo < Fraction(1, 10**15)
    True
    """
    t = -x
    if t < 0 or terms <= 2 * t:
        raise ValueError(f"exp({x}) with {terms} terms: x must be <= 0 and terms more than 2 |x|")
    total, term = Fraction(0), Fraction(1)
    for n in range(1, terms + 1):
        total, term = total + term, term * t / n
    # n = terms > 2 t: each later term is less than half of the one before it, so the rest is at most 2 t^n / n!.
    return 1 / (total + 2 * term), 1 / total


def enclose_sigmoid(x: Fraction, terms: int) -> Enclosure:
    """Enclose 1 / (1 + e^-x): e^x / (1 + e^x) for x <= 0, increasing in e^x; 1 - sigmoid(-x) for x > 0.

    >>> enclose_sigmoid(Fraction(0), 4)[1]
    Fraction(1, 2)
    """
    lo, hi = enclose_exp(-abs(x), terms)
    lo, hi = lo / (1 + lo), hi / (1 + hi)
    return (lo, hi) if x <= 0 else (1 - hi, 1 - lo)


def enclose_tanh(x: Fraction, terms: int) -> Enclosure:
    """Enclose tanh(x) = 2 sigmoid(2 x) - 1; terms for 2 x.

    >>> enclose_tanh(Fraction(0), 4)[1]
    Fraction(0, 1)
    """
    lo, hi = enclose_sigmoid(2 * x, terms)
    return 2 * lo - 1, 2 * hi - 1


def enclose_log1p(t: Fraction, least: Fraction) -> Enclosure:
    """Enclose log(1 + t) = 2 (u + u^3/3 + u^5/5 + ...), u = t / (2 + t), by the terms that are larger than `least`.

    >>> lo, hi = enclose_log1p(Fraction(1), Fraction(1, 10**12))
    >>> lo < Fraction(69314718055994531, 10**17) < hi and hi - lo < Fraction(1, 10**11)
    True
    """
    u = t / (2 + t)
    total, power, n = Fraction(0), u, 1
    while power / n > least:
        total, power, n = total + 2 * power / n, power * u * u, n + 2
    # u <= 1/3: each term is at most 1/9 of the one before it, so all that are left are at most 9/8 of the first.
    return total, total + Fraction(9, 4) * power / n


def enclose_softplus(x: Fraction, terms: int) -> Enclosure:
    """Enclose log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), increasing in e^-|x|.

    >>> enclose_softplus(Fraction(10), 60)[0] > 10
    True
    """
    lo, hi = enclose_exp(-abs(x), terms)
    # Outwards to a grid finer than e^-|x| (terms > 4 |x|), so that the powers of the series stay short.
    grid = 4**terms
    below, above = Fraction(floor(lo * grid), grid), Fraction(ceil(hi * grid), grid)
    least = Fraction(1, grid)
    return max(x, Fraction(0)) + enclose_log1p(below, least)[0], max(x, Fraction(0)) + enclose_log1p(above, least)[1]


def table_entry(
    enclose: Callable[[Fraction, int], Enclosure],
    q: int,
    x: Affine,
    y: Affine,
    qmin: int,
    qmax: int,
) -> int:
    """R12. t[q] = R1(f(R2(q))) with f the exact function. The enclosure is tightened until both of its ends have the
    same code. It ends: f of a rational other than 0 is irrational, so it is never a tie; at 0 sigmoid and tanh are
    rational, and their enclosures exact, and softplus is log 2. To enclose f is `enclose_sigmoid`, `enclose_tanh` or
    `enclose_softplus`.

    >>> table_entry(enclose_sigmoid, 0, (Fraction(1, 16), 0), (Fraction(1, 256), -128), -128, 127)
    0
    """
    real = dequantize(q, *x)
    terms = int(4 * abs(real)) + 16
    while True:
        lo, hi = (quantize(v, y[0], y[1], qmin, qmax) for v in enclose(real, terms))
        if lo == hi:
            return lo
        terms *= 2
