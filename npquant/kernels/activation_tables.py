"""Tables of sigmoid and tanh as LiteRT's kernels fill them, on arrays.

Legend: q codes, x and y quantization of input and output, d real input, t real output. The float32 exponential and
tanh are those of float64, rounded: correctly but where float64's own error meets a tie of float32, about once in 2^28.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from npquant.arrays import Codes, Float32
from npquant.kernels.floating import fma_float32
from npquant.kernels.qparams import QuantParams
from npquant.kernels.quantize_engines import IGNORED, quantize_divide_half_even
from npquant.kernels.requantize_codes import clamp_activation_codes
from npquant.kernels.rounding import round_half_away


def exp_float32(x: Float32) -> Float32:
    """Evaluate e^x in float32, rounded from float64.

    Parameters
    ----------
    x : ndarray of float32
        Arguments.

    Returns
    -------
    ndarray of float32
        e^x; overflow is infinite.

    Notes
    -----
    R66. A C library's expf may differ in the last place.

    Examples
    --------
    >>> exp_float32(np.zeros(1, np.float32))
    array([1.], dtype=float32)
    """
    with np.errstate(**IGNORED):
        return np.asarray(np.exp(np.asarray(x, np.float64)).astype(np.float32))


def sigmoid_float32(d: Float32) -> Float32:
    """Evaluate 1 / (1 + e^-d) in float32.

    Parameters
    ----------
    d : ndarray of float32
        Real inputs.

    Returns
    -------
    ndarray of float32
        t.

    Notes
    -----
    R67.

    Examples
    --------
    >>> sigmoid_float32(np.array([0, -200], np.float32))
    array([0.5, 0. ], dtype=float32)
    """
    return np.asarray(np.float32(1) / (np.float32(1) + exp_float32(-d)))


def sigmoid_float64(d: Float32) -> Float32:
    """Evaluate e^d / (1 + e^d) in float64, then round to float32.

    Parameters
    ----------
    d : ndarray of float32
        Real inputs.

    Returns
    -------
    ndarray of float32
        t.

    Notes
    -----
    R68. From d = 100 on, e^d / (1 + e^d) is 1 in float64: e^100 stands for what would overflow. Below -100, 0.

    Examples
    --------
    >>> sigmoid_float64(np.array([0, -200], np.float32))
    array([0.5, 0. ], dtype=float32)
    """
    with np.errstate(**IGNORED):
        e = np.exp(np.minimum(np.asarray(d, np.float64), 100.0))
        return np.where(d < -100, 0, e / (1 + e)).astype(np.float32)


# MlasLogisticKernel's odd numerator and even denominator, highest power first.
NUMERATOR = (
    4.37031012579801e-11,
    1.15627324459942e-07,
    6.08574864600143e-05,
    8.51377133304701e-03,
    2.48287947061529e-01,
)
DENOMINATOR = (
    6.10247389755681e-13, 5.76102136993427e-09, 6.29106785017040e-06, 1.70198817374094e-03, 1.16817656904453e-01,
    9.93151921023180e-01,
)  # fmt: skip


def sigmoid_rational_float32(d: Float32) -> Float32:
    """R89. t = clip(f32(f32(f32(P(v^2) v) / Q(v^2)) + 1/2), 0, 1), v = clip(d, -18, 18); P, Q by fused multiply-adds.

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
    """Evaluate tanh(d) in float32, rounded from float64.

    Parameters
    ----------
    d : ndarray of float32
        Real inputs.

    Returns
    -------
    ndarray of float32
        t.

    Notes
    -----
    R69.

    Examples
    --------
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
    """Evaluate a function on codes: the product rounded half away, then the zero point.

    Parameters
    ----------
    function : callable
        R67 or R69.
    q : ndarray of integers
        Codes of x.
    x, y : QuantParams
        Input and output, per-tensor.

    Returns
    -------
    ndarray of y.dtype, shape of q
        Codes of y.

    Notes
    -----
    R70. An engine tabulates all 256 codes first; the values are the same.

    Examples
    --------
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
    """Evaluate a function on codes: the zero point, then one rounding half even.

    Parameters
    ----------
    function : callable
        R68 or R69.
    q : ndarray of integers
        Codes of x.
    x, y : QuantParams
        Input and output, per-tensor.

    Returns
    -------
    ndarray of y.dtype, shape of q
        Codes of y.

    Notes
    -----
    R71.

    Examples
    --------
    >>> x, y = QuantParams(1 / 16, 0, -128, 127), QuantParams(1 / 256, -128, -128, 127)
    >>> table_codes_half_even(sigmoid_float64, np.array([-128, 0, 127], np.int8), x, y)
    array([-128,    0,  127], dtype=int8)
    """
    with np.errstate(**IGNORED):
        v = function(_real(q, x)) * (np.float32(1) / np.float32(y.scale)) + np.float32(y.zero_point)
    codes: Codes = np.clip(np.rint(v), y.qmin, y.qmax).astype(y.dtype)
    return codes


def table_codes_divided(function: Callable[[Float32], Float32], q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R90. saturate(round_half_even(f32(t / sy)) + zy), t of d = f32(sx (q - zx)): R54 of a table's real outputs.

    function is R89, or any of R67 to R69. Source: microsoft/onnxruntime
    ``contrib_ops/cpu/quantization/quant_lookup_table``, QlinearBuildLookupTable.

    >>> x, y = QuantParams(1 / 16, 0, -128, 127), QuantParams(1 / 256, -128, -128, 127)
    >>> table_codes_divided(sigmoid_rational_float32, np.array([-128, 0, 127], np.int8), x, y)
    array([-128,    0,  127], dtype=int8)
    """
    return quantize_divide_half_even(function(_real(q, x)), y)


FLOAT32: Mapping[str, Callable[[Float32], Float32]] = MappingProxyType(
    {"sigmoid": sigmoid_float32, "tanh": tanh_float32}
)
FLOAT64: Mapping[str, Callable[[Float32], Float32]] = MappingProxyType(
    {"sigmoid": sigmoid_float64, "tanh": tanh_float32}
)


def activation_codes_half_away(name: str, q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """Apply a stand-alone activation as LiteRT does without its delegate.

    Parameters
    ----------
    name : {"relu", "relu6", "relu_n1_to_1", "sigmoid", "tanh"}
        Activation.
    q : ndarray of integers
        Codes of x.
    x, y : QuantParams
        Input and output, per-tensor.

    Returns
    -------
    ndarray of y.dtype, shape of q
        Codes of y.

    Raises
    ------
    ValueError
        If the name is unknown, or a sigmoid's output scale is not 1 / 256, which LiteRT refuses.

    Notes
    -----
    R65 for the clamps, R70 for the rest. A sigmoid's output scale is 1 / 256; its zero point is any.

    Examples
    --------
    >>> p = QuantParams(1 / 256, -128, -128, 127)
    >>> activation_codes_half_away("sigmoid", np.array([-128], np.int8), p, p)
    array([0], dtype=int8)
    """
    if name not in FLOAT32:
        return clamp_activation_codes(name, q, x, y)
    if name == "sigmoid" and y.scale != 2.0**-8:
        raise ValueError(f"LiteRT's LOGISTIC wants an output scale of 1 / 256, not {y}")
    return table_codes_half_away(FLOAT32[name], q, x, y)


def activation_codes_half_even(name: str, q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """Apply a stand-alone activation as LiteRT does with XNNPACK.

    Parameters
    ----------
    name : {"relu", "relu6", "relu_n1_to_1", "sigmoid", "tanh"}
        Activation.
    q : ndarray of integers
        Codes of x.
    x, y : QuantParams
        Input and output, per-tensor.

    Returns
    -------
    ndarray of y.dtype, shape of q
        Codes of y.

    Raises
    ------
    ValueError
        If the name is unknown.

    Notes
    -----
    R65 for the clamps (XNNPACK's own agree with it), R71 for the rest.

    Examples
    --------
    >>> p = QuantParams(1 / 256, -128, -128, 127)
    >>> activation_codes_half_even("sigmoid", np.array([-128], np.int8), p, p)
    array([0], dtype=int8)
    """
    if name not in FLOAT64:
        return clamp_activation_codes(name, q, x, y)
    return table_codes_half_even(FLOAT64[name], q, x, y)


def activation_codes_divided(name: str, q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """Apply ONNX Runtime's only stand-alone activation on codes, com.microsoft QLinearSigmoid: R90 of R89.

    ValueError if the name is another.

    >>> p = QuantParams(1 / 256, -128, -128, 127)
    >>> activation_codes_divided("sigmoid", np.array([-128], np.int8), p, p)
    array([0], dtype=int8)
    """
    if name != "sigmoid":
        raise ValueError(
            f"ONNX Runtime has no {name!r} on codes; it has QLinearSigmoid, and clamps fuse into their layer"
        )
    return table_codes_divided(sigmoid_rational_float32, q, x, y)
