"""Exercise of the third chapter: from an accumulator to an output code.

Legend: acc int32 accumulator; multiplier, shift M = multiplier 2^(shift - 31), as in `FixedMultiplier`; zero_point of
the output."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from npquant.spec.linear import output_code
from npquant.testing.exercises.mark import Exercise

_MULTIPLIERS: Final = st.sampled_from((2**30, 3 * 2**29, 2**31 - 1, 1431655766))


def _requantize(acc: int, multiplier: int, shift: int, zero_point: int) -> int:
    """R10 for int8."""
    return output_code(acc, multiplier, shift, zero_point, -128, 127)


EXERCISES: Final = (
    Exercise(
        "requantize",
        "requantize(acc, multiplier, shift, zero_point): the int8 code of an accumulator, by R6 and R10",
        st.tuples(st.integers(-2000, 2000), _MULTIPLIERS, st.integers(-6, 0), st.integers(-128, 127)),
        _requantize,
        ((1, 2**30, 0, 0),),
    ),
)
