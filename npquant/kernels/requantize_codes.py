"""From codes to codes of another scale on arrays: LiteRT's requantize and stand-alone ReLU, by resolver.

Legend: q codes, x and y quantization before and after (scales sx, sy, zero points zx, zy), m, e as in R5; positions
count in C order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from npquant.arrays import Codes, Int64
from npquant.kernels.activation_bounds import bounds_half_away
from npquant.kernels.multiplier import FixedMultiplier, decompose_multiplier
from npquant.kernels.qparams import QuantParams
from npquant.kernels.requantize import requantize_double_rounding, requantize_double_rounding_up
from npquant.kernels.rounding import saturate_to

Requantize = Callable[[Int64, FixedMultiplier], Int64]


def _steps(q: Codes, x: QuantParams) -> Int64:
    return q.astype(np.int64) - np.asarray(x.zero_point, np.int64)


def _rescaled(steps: Int64, x: QuantParams, y: QuantParams, requantize: Requantize) -> Codes:
    """Return saturate(requantize(steps) + zy) for the float64 ratio of the scales."""
    fixed = decompose_multiplier(np.float64(x.scale) / np.float64(y.scale))
    return saturate_to(requantize(steps, fixed) + np.asarray(y.zero_point, np.int64), y.qmin, y.qmax).astype(y.dtype)


def requantize_codes_double_rounding(q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """Rescale codes with two roundings, the second half away.

    Parameters
    ----------
    q : ndarray of integers
        Codes of x.
    x, y : QuantParams
        Before and after, per-tensor.

    Returns
    -------
    ndarray of y.dtype, shape of q
        Codes of y.

    Raises
    ------
    ValueError
        If sx / sy is 2^30 or more.

    Notes
    -----
    R62. Source: LiteRT ``reference/requantize.h``.

    Examples
    --------
    >>> one, four = QuantParams(1.0, 0, -128, 127), QuantParams(4.0, 0, -128, 127)
    >>> requantize_codes_double_rounding(np.array([-6, 6], np.int8), one, four)
    array([-2,  2], dtype=int8)
    """
    return _rescaled(_steps(q, x), x, y, requantize_double_rounding)


def requantize_codes_vectors_of_16(q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """Rescale codes as LiteRT's optimized kernel does: whole vectors of 16 half up, the rest half away.

    Parameters
    ----------
    q : ndarray of integers
        Codes of x.
    x, y : QuantParams
        Before and after, per-tensor.

    Returns
    -------
    ndarray of y.dtype, shape of q
        Codes of y.

    Raises
    ------
    ValueError
        If sx / sy is 2^30 or more.

    Notes
    -----
    R63 for the first 16 floor(n / 16) elements, R62 for the rest. Source: LiteRT ``optimized/optimized_ops.h``,
    Requantize.

    Examples
    --------
    >>> one, four = QuantParams(1.0, 0, -128, 127), QuantParams(4.0, 0, -128, 127)
    >>> requantize_codes_vectors_of_16(np.full(17, -6, np.int8), one, four)[[0, 16]]
    array([-1, -2], dtype=int8)
    """
    steps = _steps(q, x).ravel()
    whole = steps.size // 16 * 16
    body = _rescaled(steps[:whole], x, y, requantize_double_rounding_up)
    tail = _rescaled(steps[whole:], x, y, requantize_double_rounding)
    return np.concatenate([body, tail]).reshape(q.shape)


def requantize_codes_8_bit_multiplier(q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """Rescale codes as LiteRT does with XNNPACK: by a multiple of 1 / 256 where the delegate takes the operator.

    Parameters
    ----------
    q : ndarray of integers
        Codes of x.
    x, y : QuantParams
        Before and after, per-tensor.

    Returns
    -------
    ndarray of y.dtype, shape of q
        Codes of y.

    Raises
    ------
    ValueError
        If sx / sy is 2^30 or more.

    Notes
    -----
    R64 where the types are equal and f32(sx / sy) lies in [2^-8, 2^7]; otherwise the operator is not delegated, and
    `requantize_codes_vectors_of_16` answers. Source: XNNPACK ``src/qs8-vcvt``; LiteRT
    ``tflite/delegates/xnnpack/xnnpack_delegate.cc``.

    Examples
    --------
    >>> one, near = QuantParams(1.0, 0, -128, 127), QuantParams(1.001, 0, -128, 127)
    >>> requantize_codes_8_bit_multiplier(np.array([127]), one, near)
    array([127], dtype=int8)
    """
    ratio = np.float32(x.scale) / np.float32(y.scale)
    if x.dtype != y.dtype or not 2.0**-8 <= ratio <= 2.0**7:
        return requantize_codes_vectors_of_16(q, x, y)
    k = int(np.rint(np.float32(256) * ratio))
    wide = _steps(q, x) * k + int(y.zero_point) * 256 + 128  # below 2^24
    return saturate_to(wide >> 8, y.qmin, y.qmax).astype(y.dtype)


def clamp_activation_codes(name: str, q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """Rescale and clamp codes, as TFLite's stand-alone ReLUs do.

    Parameters
    ----------
    name : {"relu", "relu6", "relu_n1_to_1"}
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
        If sx / sy is 2^30 or more.

    Notes
    -----
    R65, clamped to R34. Source: LiteRT ``tflite/kernels/activations.cc``, QuantizedReluX.

    Examples
    --------
    >>> one, two = QuantParams(1.0, 0, -128, 127), QuantParams(2.0, 0, -128, 127)
    >>> clamp_activation_codes("relu6", np.array([-5, 5, 100], np.int8), one, two)
    array([0, 3, 3], dtype=int8)
    """
    fixed = decompose_multiplier(np.float64(np.float32(x.scale) / np.float32(y.scale)))
    scaled = requantize_double_rounding(_steps(q, x), fixed) + np.asarray(y.zero_point, np.int64)
    return saturate_to(scaled, *bounds_half_away(name, y)).astype(y.dtype)
