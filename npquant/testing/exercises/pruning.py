"""Exercises of the eighth chapter: what the next layer takes over from a neuron that goes.

Legend: v (n, N) and b (N,) weights and bias of the next layer, float64; i, j neurons; c a factor or a constant.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from hypothesis import strategies as st

from npquant.arrays import Float64
from npquant.testing.exercises.mark import Exercise

_WHOLE: Final = st.integers(-9, 9).map(float)
_POSITIVE: Final = st.integers(1, 4).map(float)


@st.composite
def _next_layer(draw: st.DrawFn) -> tuple[Float64, Float64]:
    n, outputs = draw(st.integers(2, 4)), draw(st.integers(1, 3))
    row = st.lists(_WHOLE, min_size=outputs, max_size=outputs)
    return np.array(draw(st.lists(row, min_size=n, max_size=n))), np.array(draw(row))


@st.composite
def _constant(draw: st.DrawFn) -> tuple[Float64, Float64, int, float]:
    v, b = draw(_next_layer())
    return v, b, draw(st.integers(0, len(v) - 1)), draw(_WHOLE)


@st.composite
def _twins(draw: st.DrawFn) -> tuple[Float64, int, int, float]:
    v, _ = draw(_next_layer())
    i, j = draw(st.permutations(range(len(v))))[:2]
    return v, i, j, draw(_POSITIVE)


def _fold_constant(v: Float64, b: Float64, j: int, c: float) -> Float64:
    """S2: b + c v_j."""
    return np.array([bias + c * weight for bias, weight in zip(b, v[j], strict=True)])


def _merge_twins(v: Float64, i: int, j: int, c: float) -> Float64:
    """S3: v_i + c v_j in the place of v_i, and no v_j."""
    return np.array([row + c * v[j] if k == i else row for k, row in enumerate(v) if k != j])


EXERCISES: Final = (
    Exercise(
        "merge_twins",
        "merge_twins(v, i, j, c): the next layer's weights without neuron j, which gave c times what i gives, by S3",
        _twins(),
        _merge_twins,
    ),
    Exercise(
        "fold_constant",
        "fold_constant(v, b, j, c): the bias of the next layer once neuron j is gone, which gave c on every row, by S2",
        _constant(),
        _fold_constant,
    ),
)
