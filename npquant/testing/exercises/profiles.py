"""Exercise of the chapter on profiles: another engine's rule in integers.

Legend: acc an int32 accumulator; multiplier m from 2^30 to 2^31 - 1; right bits behind the high half: the factor is
m 2^-(31 + right).
"""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from npquant.spec.requantize import requantize_double_rounding
from npquant.testing.exercises.mark import Exercise

_MULTIPLIERS: Final = st.sampled_from((2**30, 3 * 2**29, 2061584302))


def _two_roundings(acc: int, multiplier: int, right: int) -> int:
    """R8 without a left shift."""
    return requantize_double_rounding(acc, multiplier, -right)


EXERCISES: Final = (
    Exercise(
        "two_roundings",
        "two_roundings(acc, multiplier, right): the steps of acc m 2^-(31 + right) by R8, as tflite_ref rounds",
        st.tuples(st.integers(-(2**20), 2**20), _MULTIPLIERS, st.integers(1, 6)),
        _two_roundings,
        ((1, 2**30, 1), (-1, 3 * 2**29, 1)),
    ),
)
