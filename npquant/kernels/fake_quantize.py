"""PyTorch's quantizers that round before the zero point, on arrays: fake quantization, and PT2E's decomposed operator.

Legend: x float32 real values, s scale, z zero point; parameters broadcast along the last axis. torch's other
quantizers, which add the zero point first, are R56 and R57.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Codes, Float32, Float64
from npquant.kernels.qparams import QuantParams
from npquant.kernels.quantize_engines import IGNORED


def _rounded_float32(x: ArrayLike, params: QuantParams) -> Float64:
    """Return round_half_even(f32(x f32(1 / s))) as float64, where adding a zero point of 32 bits is innocent."""
    with np.errstate(**IGNORED):
        return np.asarray(np.rint(np.asarray(x, np.float32) * (np.float32(1) / params.scale)), np.float64)


def _saturated(rounded: Float64, params: QuantParams, nan: float) -> Float64:
    """Add the zero point and clamp; NaN becomes `nan`, unclamped."""
    known = np.where(np.isnan(rounded), 0, rounded) + np.asarray(params.zero_point, np.float64)
    return np.where(np.isnan(rounded), nan, np.clip(known, params.qmin, params.qmax))


def quantize_decomposed(x: ArrayLike, params: QuantParams) -> Codes:
    """Quantize as torch's decomposed operators do with a Python scale, or float32 scales.

    Parameters
    ----------
    x : array of float32
        Real values.
    params : QuantParams
        Per-tensor, or per-channel along the last axis.

    Returns
    -------
    ndarray of params.dtype, shape of x
        Codes; NaN gives code 0.

    Notes
    -----
    R85. Source: pytorch ``torch/ao/quantization/fx/_decomposed.py``, as torch 2.13.0 runs it on x86.

    Examples
    --------
    >>> quantize_decomposed([-1.25, np.nan], QuantParams(0.5, 1, -128, 127))
    array([-1,  0], dtype=int8)
    """
    return np.asarray(_saturated(_rounded_float32(x, params), params, 0).astype(params.dtype))


def quantize_decomposed_float64(x: ArrayLike, params: QuantParams) -> Codes:
    """Quantize as torch's decomposed per-channel operator does with float64 scales.

    Parameters
    ----------
    x : array of float32
        Real values.
    params : QuantParams
        Per-channel along the last axis, or per-tensor.

    Returns
    -------
    ndarray of params.dtype, shape of x
        Codes; NaN gives code 0.

    Notes
    -----
    R86, for scales that float32 holds. Source: pytorch ``torch/ao/quantization/fx/_decomposed.py``.

    Examples
    --------
    >>> quantize_decomposed_float64([-1.25, np.nan], QuantParams(0.5, 1, -128, 127))
    array([-1,  0], dtype=int8)
    """
    with np.errstate(**IGNORED):
        values = np.asarray(np.asarray(x, np.float32), np.float64)
        rounded = np.asarray(np.rint(values * (1.0 / np.asarray(params.scale, np.float64))))
    return np.asarray(_saturated(rounded, params, 0).astype(params.dtype))


def fake_quantize(x: ArrayLike, params: QuantParams) -> Float32:
    """Quantize and dequantize as torch's fake_quantize operators do on x86.

    Parameters
    ----------
    x : array of float32
        Real values.
    params : QuantParams
        Per-tensor, or per-channel along the last axis: torch has a kernel for each.

    Returns
    -------
    ndarray of float32, shape of x
        Real values on the grid of params; NaN gives that of qmin.

    Notes
    -----
    R87. Per channel, quotients of 2^63 or more give qmin: the conversion to int64 has wrapped. Source: pytorch
    ``aten/src/ATen/native/quantized/cpu/kernels/QuantizedOpKernels.cpp``.

    Examples
    --------
    >>> fake_quantize([-1.25, np.nan], QuantParams(0.5, 1, -128, 127))
    array([ -1. , -64.5], dtype=float32)
    """
    rounded = _rounded_float32(x, params)
    q = _saturated(rounded, params, params.qmin)
    if params.per_channel:
        q = np.where(rounded >= 2.0**63, params.qmin, q)
    steps = (q - np.asarray(params.zero_point, np.float64)).astype(np.float32)
    with np.errstate(**IGNORED):
        return np.asarray(steps * params.scale)
