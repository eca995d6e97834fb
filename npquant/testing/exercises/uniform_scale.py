"""Exercise of the sixth chapter: the scale that fits.

Legend: w (K,) real weights and scales (S,), all binary fractions, so that floats compute every error exactly; qmin,
qmax ends of the codes' interval."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np
from hypothesis import strategies as st

from npquant.arrays import Float64
from npquant.spec.affine import quantize
from npquant.testing.exercises.mark import Exercise

_WEIGHTS: Final = st.lists(st.integers(-64, 64), min_size=1, max_size=4).map(lambda n: np.array(n) / 8)
_SCALES: Final = st.lists(st.sampled_from((4.0, 2.0, 1.0, 0.5, 0.25)), min_size=1, unique=True).map(np.array)
_ENDS: Final = st.sampled_from(((-2, 1), (-4, 3), (-8, 7)))


def _choose_scale(w: Float64, scales: Float64, qmin: int, qmax: int) -> float:
    """sum_k (w_k - s q_k)^2 at its least, q by R1 with zero point 0: the first such s."""
    return min((float(s) for s in scales), key=lambda s: _error(w, Fraction(s), qmin, qmax))


def _error(w: Float64, s: Fraction, qmin: int, qmax: int) -> Fraction:
    real = [Fraction(float(x)) for x in w]
    return sum(((x - s * quantize(x, s, 0, qmin, qmax)) ** 2 for x in real), Fraction(0))


EXERCISES: Final = (
    Exercise(
        "choose_scale",
        "choose_scale(w, scales, qmin, qmax): the scale with the least squared error of the weights, first of equals",
        st.tuples(_WEIGHTS, _SCALES, _ENDS).map(lambda t: (t[0], t[1], *t[2])),
        _choose_scale,
        ((np.array([1.125]), np.array([2.0, 0.25]), -2, 1),),
    ),
)
