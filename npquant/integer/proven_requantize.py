"""The line that rounds an accumulator in `IntegerMLP.run`, and the proof, made for each layer, that it is R10.

Legend: raw = sum_k x_q (w_q - zw), acc = raw + constant the accumulator; M = m 2^-s the multiplier (R5), s = 31 - e;
zy zero point of the target; scale and offset (N,) float32 or float64; constant (N,) int64; layer the IntegerLayer.

R10 is clip(round_half_up(acc m 2^-s) + zy) in integers. The fast form is clip(floor(raw scale + offset)) with scale
near M and offset near constant M + zy + 1/2: one multiplication, one addition, one floor. Two of these round, so it is
used only where `formula_is_exact` proves it for the weights at hand.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Int64, Real
from npquant.integer.accumulator import accumulator_interval
from npquant.integer.layer import IntegerLayer
from npquant.kernels.multiplier import FixedMultiplier, layer_multiplier
from npquant.kernels.output_stages import stage_single_rounding

# Neurons whose steps are compared at a time: 255 int64 each, so that the arrays stay in the cache.
NEURONS = 256


def requantize_proven(raw: Real, scale: Real, offset: Real, real: Real, out: NDArray[np.float32]) -> None:
    """R10. out = floor(raw scale + offset), before the clip; `formula_is_exact` says where this is the integer rule.

    out may be raw; real is working memory of raw's shape, in the dtype of scale.
    """
    np.copyto(real, raw)
    np.multiply(real, scale, out=real)
    np.add(real, offset, out=real)
    np.floor(real, out=real)
    np.copyto(out, real, casting="same_kind")  # an integer beyond 2^24 may move, and is clipped either way


def formula_is_exact(scale: Real, offset: Real, constant: Int64, layer: IntegerLayer) -> bool:
    """R6, R10. Whether clip(floor(raw scale + offset)), in the dtype of scale, is R10 for every accumulator of a layer.

    Proof. Both sides are monotone in raw: a product with a positive number, a sum and a floor are, each correctly
    rounded. So they agree everywhere if they agree on both sides of each of the at most 255 steps of the code. The code
    is >= c exactly from acc = ceil(((c - zy) 2^s - 2^(s-1)) / m) on (R6), which int64 computes.

    >>> from npquant.kernels.qparams import QuantParams
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "relu")
    >>> formula_is_exact(np.array([0.5]), np.array([4.0]), np.array([7]), layer)
    True
    >>> formula_is_exact(np.array([0.5]), np.array([3.999]), np.array([7]), layer)
    False
    """
    m, s = (np.broadcast_to(part, constant.shape) for part in _multiplier_and_shift(layer))
    # |c - zy| <= 255 < 2^8: with s <= 54 a step stays below 2^62. Above, and for m = 0, int64 requantizes instead.
    if (m == 0).any() or (s > 54).any():
        return False
    ends, codes, zy = np.stack(accumulator_interval(layer)), layer.code_range, int(layer.target.zero_point)
    for n in range(0, len(constant), NEURONS):
        part = slice(n, n + NEURONS)
        fixed = FixedMultiplier(m[part], 31 - s[part])
        if not _steps_agree((scale[part], offset[part]), constant[part], fixed, ends[:, part], codes, zy):
            return False
    return True


def _multiplier_and_shift(layer: IntegerLayer) -> tuple[Int64, Int64]:
    fixed = layer_multiplier(layer.x, layer.w, layer.target)
    return np.asarray(fixed.multiplier, np.int64), 31 - np.asarray(fixed.shift, np.int64)


def _steps_agree(
    formula: tuple[Real, Real], constant: Int64, fixed: FixedMultiplier, ends: Int64, codes: tuple[int, int], zy: int
) -> bool:
    """Compare both sides of each step of the codes, and the ends (2, N) of what the accumulators can reach."""
    (scale, offset), (low, high) = formula, codes
    m, s = np.asarray(fixed.multiplier), 31 - np.asarray(fixed.shift)
    code = np.arange(low + 1, high + 1)[:, np.newaxis]
    step = (code - zy) * np.left_shift(np.int64(1), s) - np.left_shift(np.int64(1), s - 1)
    first = -(-step // m)

    def code_of(acc: Int64) -> Real:
        return np.asarray(np.floor((acc - constant).astype(scale.dtype) * scale + offset))

    at = (first < ends[0]) | (first > ends[1]) | (code_of(first) >= code)
    below = (first - 1 < ends[0]) | (first - 1 > ends[1]) | (code_of(first - 1) < code)
    # A step outside the reachable interval leaves one code on all of it: the two ends decide.
    same = np.array_equal(np.clip(code_of(ends), low, high), stage_single_rounding(ends, fixed, zy, low, high))
    return bool(at.all() and below.all() and same)
