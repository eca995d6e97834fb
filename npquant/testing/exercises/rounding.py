"""Exercise of the second chapter: a shift that rounds.

Legend: x any integer; shift bits to the right, at least 1."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from hypothesis import strategies as st

from npquant.spec.rounding import round_half_away
from npquant.testing.exercises.mark import Exercise


def _half_away(x: int, shift: int) -> int:
    """Return x / 2^shift to nearest, ties away from zero."""
    return round_half_away(Fraction(x, 2**shift))


EXERCISES: Final = (
    Exercise(
        "half_away",
        "half_away(x, shift): x / 2^shift to the nearest integer, ties away from zero",
        st.tuples(st.integers(-(2**62), 2**62) | st.integers(-64, 64), st.integers(1, 62) | st.integers(1, 3)),
        _half_away,
        ((-1, 1), (2**54 + 1, 1)),
    ),
)
