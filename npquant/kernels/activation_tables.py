"""Tables of sigmoid and tanh as LiteRT's and ONNX Runtime's kernels fill them, on arrays.

Legend: q codes of x, in any integer type; x and y quantization of input and output, per-tensor; d float32 real input,
t float32 real output, function what makes t of d. Output codes have y.dtype and the shape of q. The float32 exponential
and tanh are those of float64, rounded: correctly but where float64's own error meets a tie of float32, about once in
2^28. An engine tabulates all 256 codes first; the values are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from npquant.arrays import Codes, Float32
from npquant.kernels.floating import IGNORED, fma_float32
from npquant.kernels.qparams import QuantParams
from npquant.kernels.quantize_engines import dequantize_float32, quantize_divide_half_even
from npquant.kernels.requantize_codes import clamp_activation_codes
from npquant.kernels.rounding import round_half_away, round_half_even


def exp_float32(x: Float32) -> Float32:
    """R66. e^x in float32 for float32 x, rounded from float64; overflow is infinite.

    A C library's expf may differ in the last place.
    """
    with np.errstate(**IGNORED):
        return np.asarray(np.exp(np.asarray(x, np.float64)).astype(np.float32))


def sigmoid_float32(d: Float32) -> Float32:
    """R67. t = 1 / (1 + e^-d), each operation in float32."""
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


# MlasLogisticKernel's odd numerator and even denominator, highest power first.
NUMERATOR = (
    4.37031012579801e-11, 1.15627324459942e-07, 6.08574864600143e-05, 8.51377133304701e-03, 2.48287947061529e-01,
)  # fmt: skip
DENOMINATOR = (
    6.10247389755681e-13, 5.76102136993427e-09, 6.29106785017040e-06, 1.70198817374094e-03, 1.16817656904453e-01,
    9.93151921023180e-01,
)  # fmt: skip


def sigmoid_rational_float32(d: Float32) -> Float32:
    """R89. t = clip(f32(f32(f32(P(v^2) v) / Q(v^2)) + 1/2), 0, 1), v = clip(d, -18, 18), P and Q by fma_float32.

    Source: microsoft/onnxruntime ``core/mlas/lib/logistic.cpp``, MlasLogisticKernel (coefficients), and its FMA3 kernel
    ``core/mlas/lib/x86_64/LogisticKernelFma3.S``; runs of onnxruntime 1.32.0 on x86 with FMA. Infinite d clip.

    >>> sigmoid_rational_float32(np.array([0, -np.inf], np.float32)) < 1e-7
    array([False,  True])
    """
    v = np.clip(d, np.float32(-18), np.float32(18))
    square = v * v
    p, q = (np.full(v.shape, c[0], np.float32) for c in (NUMERATOR, DENOMINATOR))
    for c in NUMERATOR[1:]:
        p = fma_float32(p, square, np.float32(c))
    for c in DENOMINATOR[1:]:
        q = fma_float32(q, square, np.float32(c))
    return np.asarray(np.clip(p * v / q + np.float32(0.5), np.float32(0), np.float32(1)))


def tanh_float32(d: Float32) -> Float32:
    """R69. t = tanh(d) in float32, rounded from float64."""
    with np.errstate(**IGNORED):
        return np.asarray(np.tanh(np.asarray(d, np.float64)).astype(np.float32))


def table_codes_half_away(function: Callable[[Float32], Float32], q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R70. t (R67 or R69) of d = f32(sx (q - zx)), times f32(1 / sy), rounded half away; then the zero point.

    >>> x, y = QuantParams(1 / 16, 0, -128, 127), QuantParams(1 / 128, 0, -128, 127)
    >>> table_codes_half_away(tanh_float32, np.array([-8, 0, 127], np.int8), x, y)
    array([-59,   0, 127], dtype=int8)
    """
    with np.errstate(**IGNORED):
        rounded = round_half_away(
            np.asarray(function(dequantize_float32(q, x)) * (np.float32(1) / np.float32(y.scale)))
        )
        shifted = rounded + np.float32(y.zero_point)
    codes: Codes = np.clip(np.trunc(shifted), y.qmin, y.qmax).astype(y.dtype)
    return codes


def table_codes_half_even(function: Callable[[Float32], Float32], q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R71. t (R68 or R69) of d = f32(sx (q - zx)), times f32(1 / sy), plus zy; then one rounding half even.

    >>> x, y = QuantParams(1 / 16, 0, -128, 127), QuantParams(1 / 256, -128, -128, 127)
    >>> table_codes_half_even(sigmoid_float64, np.array([-128, 0, 127], np.int8), x, y)
    array([-128,    0,  127], dtype=int8)
    """
    with np.errstate(**IGNORED):
        v = np.asarray(
            function(dequantize_float32(q, x)) * (np.float32(1) / np.float32(y.scale)) + np.float32(y.zero_point)
        )
    codes: Codes = np.clip(round_half_even(v), y.qmin, y.qmax).astype(y.dtype)
    return codes


def table_codes_divided(function: Callable[[Float32], Float32], q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R90. saturate(round_half_even(f32(t / sy)) + zy), t of d = f32(sx (q - zx)): R54 of a table's real outputs.

    function is R89, or any of R67 to R69.
    Source: microsoft/onnxruntime ``contrib_ops/cpu/quantization/quant_lookup_table``, QlinearBuildLookupTable.
    """
    return quantize_divide_half_even(function(dequantize_float32(q, x)), y)


FLOAT32: Mapping[str, Callable[[Float32], Float32]] = MappingProxyType(
    {"sigmoid": sigmoid_float32, "tanh": tanh_float32}
)
FLOAT64: Mapping[str, Callable[[Float32], Float32]] = MappingProxyType(
    {"sigmoid": sigmoid_float64, "tanh": tanh_float32}
)


def activation_codes_half_away(name: str, q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R65 for the clamps, R70 for sigmoid and tanh: a stand-alone activation of LiteRT without its delegate.

    name is "relu", "relu6", "relu_n1_to_1", "sigmoid" or "tanh". ValueError if it is none of them, or if a sigmoid's
    output scale is not 1 / 256, which LiteRT refuses; its zero point is any.
    """
    if name not in FLOAT32:
        return clamp_activation_codes(name, q, x, y)
    if name == "sigmoid" and y.scale != 2.0**-8:
        raise ValueError(f"LiteRT's LOGISTIC wants an output scale of 1 / 256, not {y}")
    return table_codes_half_away(FLOAT32[name], q, x, y)


def activation_codes_half_even(name: str, q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R65 for the clamps (XNNPACK's own agree with it), R71 for sigmoid and tanh: LiteRT with XNNPACK.

    name is one of those of `activation_codes_half_away`; ValueError if it is not.
    """
    if name not in FLOAT64:
        return clamp_activation_codes(name, q, x, y)
    return table_codes_half_even(FLOAT64[name], q, x, y)


def activation_codes_divided(name: str, q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R90 of R89: ONNX Runtime's only stand-alone activation on codes, com.microsoft QLinearSigmoid.

    ValueError if the name is another than "sigmoid".
    """
    if name != "sigmoid":
        raise ValueError(
            f"ONNX Runtime has no {name!r} on codes; it has QLinearSigmoid, and clamps fuse into their layer"
        )
    return table_codes_divided(sigmoid_rational_float32, q, x, y)
