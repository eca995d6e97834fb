"""The integer roundings as formulas over 64 bits, for the solver and for Python's integers alike.

Legend: p the product acc m; e the multiplier's shift (positive = left), C4; s a right shift in bits, 0..62.
"""

from __future__ import annotations

from typing import Any

from tests.proofs.solver import choose

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def half_up(p: Any, s: int) -> Any:
    """Return floor(p / 2^s + 1/2)."""
    return (p + (1 << (s - 1))) >> s if s else p


def half_away(p: Any, s: int) -> Any:
    """Return p / 2^s, ties away from zero, as the kernel computes it."""
    return (p + (1 << (s - 1)) - choose(p < 0, 1, 0)) >> s if s else p


def half_away_by_sign(p: Any, s: int) -> Any:
    """Return the same by the definition: half up of the magnitude, with the sign put back."""
    return choose(p >= 0, half_up(p, s), -half_up(-p, s))


def half_even(p: Any, s: int) -> Any:
    """Return p / 2^s, ties to even."""
    return (p + ((1 << (s - 1)) - 1) + ((p >> s) & 1)) >> s


def saturate(p: Any) -> Any:
    """Clamp to int32."""
    return choose(p > INT32_MAX, INT32_MAX, choose(p < INT32_MIN, INT32_MIN, p))


def single(p: Any, e: int) -> Any:
    """R6."""
    return half_up(p, 31 - e)


def high(p: Any, e: int) -> Any:
    """Return h of R8 and R19 where the left shift does not wrap: R7 of acc 2^max(e,0) and m."""
    return saturate(half_up(p << max(e, 0), 31))


def double(p: Any, e: int) -> Any:
    """R8, where the left shift does not wrap."""
    return half_away(high(p, e), max(-e, 0))


def double_up(p: Any, e: int) -> Any:
    """R19, where the left shift does not wrap."""
    return half_up(high(p, e), max(-e, 0))


def floor_then_half_up(p: Any, e: int) -> Any:
    """R20, where the left shift does not wrap."""
    right = max(1, -e)
    return half_up(saturate((p << (e + right)) >> 31), right)


def away(p: Any, e: int) -> Any:
    """R21."""
    return half_away(p, 31 - e)


def tosa_double(p: Any, e: int, negative: Any) -> Any:
    """Return TOSA's DOUBLE_ROUND: one sum whose rounding term goes by the sign of the accumulator, and one shift."""
    shift = 31 - e
    first = choose(negative, -(1 << 30), 1 << 30) if shift > 31 else 0
    return (p + (1 << (shift - 1)) + first) >> shift
