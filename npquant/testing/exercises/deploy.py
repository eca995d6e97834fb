"""Exercise of the chapter on deployment: one layer in plain integers, one row.

Legend: x_q K input codes; w_q K lists of N weight codes; bias N codes of the accumulator; zx, zy zero points of input
and output; multiplier m and right a shift: the factor is m 2^-right.
"""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from npquant.spec.linear import accumulate
from npquant.spec.requantize import requantize_single_rounding
from npquant.spec.rounding import saturate
from npquant.testing.exercises.mark import Exercise

_MULTIPLIERS: Final = st.sampled_from((2**30, 3 * 2**29))
_CODES: Final = st.integers(-128, 127)


def _layer_codes(
    x_q: list[int], w_q: list[list[int]], bias: list[int], zx: int, multiplier: int, right: int, zy: int
) -> list[int]:
    """R9, R6, R10 for each output, int8."""
    sums = (accumulate(x_q, list(column), b, zx, 0) for column, b in zip(zip(*w_q, strict=True), bias, strict=True))
    return [saturate(requantize_single_rounding(acc, multiplier, 31 - right) + zy, -128, 127) for acc in sums]


def _layers(shape: tuple[int, int]) -> st.SearchStrategy[tuple[Any, ...]]:
    depth, outputs = shape
    rows = st.lists(st.lists(_CODES, min_size=outputs, max_size=outputs), min_size=depth, max_size=depth)
    return st.tuples(
        st.lists(_CODES, min_size=depth, max_size=depth),
        rows,
        st.lists(st.integers(-4096, 4096), min_size=outputs, max_size=outputs),
        _CODES,
        _MULTIPLIERS,
        st.integers(31, 40),
        st.integers(-8, 8),
    )


EXERCISES: Final = (
    Exercise(
        "layer_codes",
        "layer_codes(x_q, w_q, bias, zx, multiplier, right, zy): the int8 codes of one row, rounded once, ties up",
        st.tuples(st.integers(1, 3), st.integers(1, 2)).flatmap(_layers),
        _layer_codes,
        (
            ([0], [[1]], [0], -1, 2**30, 31, 0),
            ([0], [[0]], [256], 0, 2**30, 31, 0),
        ),
    ),
)
