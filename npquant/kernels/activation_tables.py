"""Tables of sigmoid and tanh as LiteRT's kernels fill them, on arrays.

Legend: q codes of x, in any integer type; x and y quantization of input and output, per-tensor; d float32 real input,
t float32 real output. Output codes have y.dtype and the shape of q. The float32 exponential and tanh are those of
float64, rounded: correctly but where float64's own error meets a tie of float32, about once in 2^28. An engine
tabulates all 256 codes first; the values are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from npquant.arrays import Codes, Float32
from npquant.kernels.qparams import QuantParams
from npquant.kernels.quantize_engines import IGNORED
from npquant.kernels.requantize_codes import clamp_activation_codes
from npquant.kernels.rounding import round_half_away, round_half_even


def exp_float32(x: Float32) -> Float32:
    """R66. e^x in float32 for float32 x, rounded from float64; overflow is infinite.

    A C library's expf may differ in the last place.

    >>> exp_float32(np.zeros(1, np.float32))
    array([1.], dtype=float32)
    """
    with np.errstate(**IGNORED):
        return np.asarray(np.exp(np.asarray(x, np.float64)).astype(np.float32))


def sigmoid_float32(d: Float32) -> Float32:
    """R67. t = 1 / (1 + e^-d), each operation in float32.

    >>> sigmoid_float32(np.array([0, -200], np.float32))
    array([0.5, 0. ], dtype=float32)
    """
    return np.asarray(np.float32(1) / (np.float32(1) + exp_float32(-d)))


def sigmoid_float64(d: Float32) -> Float32:
    """R68. t = e^d / (1 + e^d) in float64, then rounded to float32; 0 below -100.

    >>> sigmoid_float64(np.array([0, -200], np.float32))
    array([0.5, 0. ], dtype=float32)
    """
    with np.errstate(**IGNORED):
        # From d = 100 on, e^d / (1 + e^d) is 1 in float64: e^100 stands for what would overflow.
        e = np.exp(np.minimum(np.asarray(d, np.float64), 100.0))
        return np.where(d < -100, 0, e / (1 + e)).astype(np.float32)


def tanh_float32(d: Float32) -> Float32:
    """R69. t = tanh(d) in float32, rounded from float64.

    >>> tanh_float32(np.array([0, -100], np.float32))
    array([ 0., -1.], dtype=float32)
    """
    with np.errstate(**IGNORED):
        return np.asarray(np.tanh(np.asarray(d, np.float64)).astype(np.float32))


def _real(q: Codes, x: QuantParams) -> Float32:
    """Return f32(sx (q - zx))."""
    with np.errstate(**IGNORED):
        return np.asarray((q.astype(np.int64) - x.zero_point).astype(np.float32) * np.float32(x.scale))


def table_codes_half_away(function: Callable[[Float32], Float32], q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R70. function (R67 or R69) of f32(sx (q - zx)), times f32(1 / sy), rounded half away; then the zero point.

    >>> x, y = QuantParams(1 / 16, 0, -128, 127), QuantParams(1 / 128, 0, -128, 127)
    >>> table_codes_half_away(tanh_float32, np.array([-8, 0, 127], np.int8), x, y)
    array([-59,   0, 127], dtype=int8)
    """
    with np.errstate(**IGNORED):
        rounded = round_half_away(np.asarray(function(_real(q, x)) * (np.float32(1) / np.float32(y.scale))))
        shifted = rounded + np.float32(y.zero_point)
    codes: Codes = np.clip(np.trunc(shifted), y.qmin, y.qmax).astype(y.dtype)
    return codes


def table_codes_half_even(function: Callable[[Float32], Float32], q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R71. function (R68 or R69) of f32(sx (q - zx)), times f32(1 / sy), plus zy; then one rounding half even.

    >>> x, y = QuantParams(1 / 16, 0, -128, 127), QuantParams(1 / 256, -128, -128, 127)
    >>> table_codes_half_even(sigmoid_float64, np.array([-128, 0, 127], np.int8), x, y)
    array([-128,    0,  127], dtype=int8)
    """
    with np.errstate(**IGNORED):
        v = np.asarray(function(_real(q, x)) * (np.float32(1) / np.float32(y.scale)) + np.float32(y.zero_point))
    codes: Codes = np.clip(round_half_even(v), y.qmin, y.qmax).astype(y.dtype)
    return codes


FLOAT32: Mapping[str, Callable[[Float32], Float32]] = MappingProxyType(
    {"sigmoid": sigmoid_float32, "tanh": tanh_float32}
)
FLOAT64: Mapping[str, Callable[[Float32], Float32]] = MappingProxyType(
    {"sigmoid": sigmoid_float64, "tanh": tanh_float32}
)


def activation_codes_half_away(name: str, q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R65 for the clamps, R70 for sigmoid and tanh: a stand-alone activation of LiteRT without its delegate.

    name is "relu", "relu6", "relu_n1_to_1", "sigmoid" or "tanh". ValueError if it is none of them, or if LiteRT's own
    checks refuse the output of a sigmoid, which is 1 / 256 at qmin.

    >>> p = QuantParams(1 / 256, -128, -128, 127)
    >>> activation_codes_half_away("sigmoid", np.array([-128], np.int8), p, p)
    array([0], dtype=int8)
    """
    if name not in FLOAT32:
        return clamp_activation_codes(name, q, x, y)
    if name == "sigmoid" and (y.scale != 2.0**-8 or y.zero_point != y.qmin):
        raise ValueError(f"LiteRT's LOGISTIC wants an output scale of 1 / 256 at zero point {y.qmin}, not {y}")
    return table_codes_half_away(FLOAT32[name], q, x, y)


def activation_codes_half_even(name: str, q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R65 for the clamps (XNNPACK's own agree with it), R71 for sigmoid and tanh: LiteRT with XNNPACK.

    name is one of those of `activation_codes_half_away`; ValueError if it is not.

    >>> p = QuantParams(1 / 256, -128, -128, 127)
    >>> activation_codes_half_even("sigmoid", np.array([-128], np.int8), p, p)
    array([0], dtype=int8)
    """
    if name not in FLOAT64:
        return clamp_activation_codes(name, q, x, y)
    return table_codes_half_even(FLOAT64[name], q, x, y)
