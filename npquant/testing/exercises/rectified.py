"""Exercise of the seventh chapter: the rectified step.

Legend: a a real code; x (R,) the inputs of one weight on R rows; r (R,) the errors carried so far, with the code at a;
s the scale, a power of two; q an integer code. All are multiples of small powers of two, so that sums are exact.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import Final

from hypothesis import strategies as st

from npquant.testing.exercises.mark import Exercise

_QUARTERS: Final = st.integers(-12, 12).map(lambda n: n / 4)
_SCALES: Final = st.sampled_from((1.0, 0.5, 2.0))
_WHOLE: Final = st.integers(-4, 4)


@st.composite
def _carried(draw: st.DrawFn) -> tuple[float, list[int], list[int], float]:
    count = draw(st.integers(1, 3))
    row = st.lists(_WHOLE, min_size=count, max_size=count)
    # An input that is 0 on every row carries no error, and leaves nothing to decide.
    return draw(_QUARTERS), draw(row.filter(any)), draw(row), draw(_SCALES)


def _rectified_step(a: float, x: list[int], r: list[int], s: float) -> int:
    """E12: of floor(a) and ceil(a) the code that leaves least of the error; the even one where both leave the same."""

    def left(q: int) -> Fraction:
        moved = Fraction(s) * (q - Fraction(a))
        return sum(((error - moved * value) ** 2 for value, error in zip(x, r, strict=True)), Fraction(0))

    return min((floor(a), ceil(a)), key=lambda q: (left(q), q % 2))


EXERCISES: Final = (
    Exercise(
        "rectified_step",
        "rectified_step(a, x, r, s): of floor(a) and ceil(a) the code that leaves least of the errors r, by E12",
        _carried(),
        _rectified_step,
    ),
)
