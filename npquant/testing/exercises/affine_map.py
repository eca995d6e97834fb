"""Exercises of the first chapter: the affine map.

Legend: x real values as floats that binary fractions write exactly; scale, zero_point as in `QuantParams`."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from hypothesis import strategies as st

from npquant.spec.affine import quantize
from npquant.testing.exercises.mark import Exercise

_SCALES: Final = st.sampled_from((0.5, 1.0, 0.25, 2.0))
_REALS: Final = st.integers(-2000, 2000).map(lambda n: n / 8)


def _quantize(x: float, scale: float, zero_point: int) -> int:
    """R1 on exact numbers: what `quantize` must give."""
    return quantize(Fraction(x), Fraction(scale), zero_point, -128, 127)


EXERCISES: Final = (
    Exercise(
        "quantize",
        "quantize(x, scale, zero_point): the int8 code of one real value, by R1",
        st.tuples(_REALS, _SCALES, st.integers(-128, 127)),
        _quantize,
        ((0.375, 0.5, 0),),
    ),
)
