"""Which accumulator hurts, and how to reach it: ties, rails and their neighbours, by choice of the bias.

Legend: acc accumulator, M = sx sw / sy real multiplier, exact as a Fraction; k + 1/2 a tie in output steps before the
zero point zy; low and high the bounds of the output codes; sums (N,) of products for one row, without the bias;
layer a Layer, y its output, side 1 for the upper rail and -1 for the lower."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Int64
from npquant.kernels.qparams import QuantParams
from npquant.testing.case import Layer, checked

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def exact_multipliers(layer: Layer) -> list[Fraction]:
    """Return M of each output as an exact ratio of the float32 scales."""
    x, w, y = checked(layer.x), checked(layer.w), checked(layer.y)
    scales = np.broadcast_to(np.asarray(w.scale, np.float64), (layer.w_q.shape[1],))
    return [Fraction(float(x.scale)) * Fraction(float(s)) / Fraction(float(y.scale)) for s in scales]


def accumulator_at(steps: Fraction, multiplier: Fraction, beside: int) -> int:
    """Return the accumulator closest below a number of output steps, moved by `beside`, kept inside int32.

    >>> accumulator_at(Fraction(5, 2), Fraction(1, 4), 0), accumulator_at(Fraction(5, 2), Fraction(1, 3), 1)
    (10, 8)
    """
    return min(max(floor(steps / multiplier) + beside, INT32_MIN), INT32_MAX)


def tie(code: int, zy: int) -> Fraction:
    """Return the tie, in steps before the zero point, just above the output code."""
    return Fraction(code - zy) + Fraction(1, 2)


def centred_sums(layer: Layer, x_q: NDArray[np.integer[Any]]) -> Int64:
    """Return sum_k (x_q - zx)(w_q - zw), int64 (B, N), without the bias."""
    x, w = checked(layer.x), checked(layer.w)
    rows = x_q.astype(np.int64) - np.asarray(x.zero_point, np.int64)
    return np.asarray(rows @ (layer.w_q.astype(np.int64) - np.asarray(w.zero_point, np.int64)))


def bias_for(wanted: NDArray[np.int64] | list[int], sums: Int64) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return the int32 bias that takes sums (N,) to the wanted accumulators, and where that is possible.

    >>> bias_for([7, 2**31 - 1], np.array([5, -1]))
    (array([         2, 2147483647], dtype=int32), array([ True, False]))
    """
    bias = np.asarray(wanted, np.int64) - sums
    inside = (bias >= INT32_MIN) & (bias <= INT32_MAX)
    return np.clip(bias, INT32_MIN, INT32_MAX).astype(np.int32), inside


def rail_steps(y: QuantParams, side: int) -> Fraction:
    """Return the steps, without zero point, at which the output first saturates above (1) or below (-1)."""
    bound = y.qmax if side > 0 else y.qmin
    return Fraction(bound - int(y.zero_point)) + Fraction(side, 2)
