"""Exercise of the second chapter: a shift that rounds.

Legend: x any integer; shift bits to the right, at least 1."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from hypothesis import strategies as st

from npquant.spec.rounding import round_half_away
from npquant.testing.exercises.mark import Exercise

# A little above a power of two, where float64 holds every 16th integer at best.
_BETWEEN: Final = st.builds(lambda e, r: 2**e + r, st.integers(56, 61), st.integers(8, 4095))
_PRODUCTS: Final = st.integers(-64, 64) | st.integers(-(2**62), 2**62) | _BETWEEN


def _half_away(x: int, shift: int) -> int:
    """Return x / 2^shift to nearest, ties away from zero."""
    return round_half_away(Fraction(x, 2**shift))


EXERCISES: Final = (
    Exercise(
        "half_away",
        "half_away(x, shift): x / 2^shift to the nearest integer, ties away from zero",
        st.tuples(_PRODUCTS, st.integers(1, 3) | st.integers(1, 62)),
        _half_away,
        ((-1, 1), (2**54 + 1, 1)),
    ),
)
