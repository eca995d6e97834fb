"""From codes to codes of another scale on arrays: LiteRT's requantize and stand-alone ReLU, by resolver.

Legend: q codes of x in any integer type; x and y quantization before and after (scales sx, sy, zero points zx, zy),
per-tensor; m, e as in R5; n number of elements, whose positions count in C order. Results are codes of y, of y.dtype
and the shape of q. Every function raises ValueError if sx / sy is 2^30 or more.
"""

from __future__ import annotations

import numpy as np

from npquant.arrays import Codes, Int64
from npquant.kernels.activation_bounds import bounds_half_away
from npquant.kernels.multiplier import decompose_multiplier
from npquant.kernels.output_stages import Requantize, integer_stage, wrapping_stage
from npquant.kernels.qparams import QuantParams
from npquant.kernels.requantize import requantize_double_rounding, requantize_double_rounding_up
from npquant.kernels.rounding import round_half_even, saturate_to, shift_right_half_up


def _steps(q: Codes, x: QuantParams) -> Int64:
    # Two int32 values at most: within 2^32; R8 wraps what leaves int32, as only int32 codes can.
    return q.astype(np.int64) - np.asarray(x.zero_point, np.int64)


def _rescaled(steps: Int64, x: QuantParams, y: QuantParams, requantize: Requantize) -> Codes:
    """Return saturate(wrap32(requantize(steps) + zy)) for the float64 ratio of the scales."""
    fixed = decompose_multiplier(np.float64(x.scale) / np.float64(y.scale))
    # Steps of 8 bits, shifted left, end 2^23 below 2^31 or wrap: the sum with zy wraps for int32 codes alone.
    return wrapping_stage(requantize)(steps, fixed, y.zero_point, y.qmin, y.qmax).astype(y.dtype)


def requantize_codes_double_rounding(q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R62. saturate(wrap32(R8(q - zx) + zy)) with the float64 ratio sx / sy: two roundings, the second half away.

    Source: LiteRT ``reference/requantize.h``.

    >>> one, four = QuantParams(1.0, 0, -128, 127), QuantParams(4.0, 0, -128, 127)
    >>> requantize_codes_double_rounding(np.array([-6, 6], np.int8), one, four)
    array([-2,  2], dtype=int8)
    """
    return _rescaled(_steps(q, x), x, y, requantize_double_rounding)


def requantize_codes_vectors_of_16(q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R63 for the first 16 floor(n / 16) elements, half up; R62 for the rest, half away, and for all but 8-bit pairs.

    Source: LiteRT ``optimized/optimized_ops.h``, Requantize.

    >>> one, four = QuantParams(1.0, 0, -128, 127), QuantParams(4.0, 0, -128, 127)
    >>> requantize_codes_vectors_of_16(np.full(17, -6, np.int8), one, four)[[0, 16]]
    array([-1, -2], dtype=int8)
    """
    if not _both_8_bits(x, y):
        return requantize_codes_double_rounding(q, x, y)
    steps = _steps(q, x).ravel()
    whole = steps.size // 16 * 16
    body = _rescaled(steps[:whole], x, y, requantize_double_rounding_up)
    tail = _rescaled(steps[whole:], x, y, requantize_double_rounding)
    return np.concatenate([body, tail]).reshape(q.shape)


def _both_8_bits(x: QuantParams, y: QuantParams) -> bool:
    return x.dtype.itemsize == y.dtype.itemsize == 1


def requantize_codes_8_bit_multiplier(q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R64 where the types are equal, of 8 bits, and f32(sx / sy) lies in [2^-8, 2^7]: by a multiple of 1 / 256.

    Otherwise XNNPACK does not take the operator, and `requantize_codes_vectors_of_16` answers. Source: XNNPACK
    ``src/qs8-vcvt``; LiteRT ``tflite/delegates/xnnpack/xnnpack_delegate.cc``.
    """
    ratio = np.float32(x.scale) / np.float32(y.scale)
    if x.dtype != y.dtype or not _both_8_bits(x, y) or not 2.0**-8 <= ratio <= 2.0**7:
        return requantize_codes_vectors_of_16(q, x, y)
    k = int(round_half_even(np.asarray(np.float32(256) * ratio)))  # 1 .. 2^15
    wide = _steps(q, x) * k + int(y.zero_point) * 256  # below 2^24 for 8-bit codes
    return saturate_to(shift_right_half_up(wide, 8), y.qmin, y.qmax).astype(y.dtype)


def clamp_activation_codes(name: str, q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R65. Rescaled as in R62 but by the float32 ratio, and clamped to R34 of name: "relu", "relu6" or "relu_n1_to_1".

    Source: LiteRT ``tflite/kernels/activations.cc``, QuantizedReluX.

    >>> one, two = QuantParams(1.0, 0, -128, 127), QuantParams(2.0, 0, -128, 127)
    >>> clamp_activation_codes("relu6", np.array([-5, 5, 100], np.int8), one, two)
    array([0, 3, 3], dtype=int8)
    """
    fixed = decompose_multiplier(np.float64(np.float32(x.scale) / np.float32(y.scale)))
    stage = integer_stage(requantize_double_rounding)
    return stage(_steps(q, x), fixed, y.zero_point, *bounds_half_away(name, y)).astype(y.dtype)
