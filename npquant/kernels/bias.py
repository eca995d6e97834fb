"""Bias codes from real biases, by engine: the same quotient b / (sx sw), rounded in different places.

Legend: b real bias (N,), sx and sw float32 scales of input and weights, b_q int32 bias codes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Int64
from npquant.kernels.rounding import round_half_away, saturate_to


def bias_half_even(b: ArrayLike, sx: ArrayLike, sw: ArrayLike) -> Int64:
    """Quantize a bias with one division in float64.

    Parameters
    ----------
    b : array of float, shape (N,)
        Bias, real.
    sx, sw : float32 or array of float32 of shape (N,)
        Scales.

    Returns
    -------
    ndarray of int64, shape (N,)
        int32 values.

    Notes
    -----
    R39. b_q = saturate(round_half_even(f64(b / (sx sw))), -2^31, 2^31 - 1): the product of two float32
    numbers is exact.

    Examples
    --------
    >>> bias_half_even([0.625], 0.5, 0.5)
    array([2])
    """
    scale = np.asarray(np.asarray(sx, np.float32), np.float64) * np.asarray(np.asarray(sw, np.float32), np.float64)
    with np.errstate(over="ignore"):
        v = np.rint(np.asarray(b, np.float64) / scale)
    return np.clip(v, -(2.0**31), 2.0**31 - 1).astype(np.int64)


def bias_reciprocal_half_even(b: ArrayLike, sx: ArrayLike, sw: ArrayLike) -> Int64:
    """Quantize a bias as QNNPACK does: times a float32 reciprocal, half even.

    Parameters
    ----------
    b : array of float, shape (N,)
        Bias, real; taken as float32.
    sx, sw : float32 or array of float32 of shape (N,)
        Scales.

    Returns
    -------
    ndarray of int64, shape (N,)
        int32 values.

    Notes
    -----
    R45. b_q = saturate(round_half_even(f32(b f32(1 / f32(sx sw)))), -2^31, 2^31 - 1). Source: pytorch
    ``aten/src/ATen/native/quantized/cpu/qlinear.cpp``, QNNPACK path.

    Examples
    --------
    >>> bias_reciprocal_half_even([0.625], 0.5, 0.5)
    array([2])
    """
    v = np.rint(_times_reciprocal(b, sx, sw)).astype(np.float64)
    return np.clip(v, -(2.0**31), 2.0**31 - 1).astype(np.int64)


def bias_reciprocal_half_away(b: ArrayLike, sx: ArrayLike, sw: ArrayLike) -> Int64:
    """Quantize a bias as TFLite's converter does: times a float32 reciprocal, half away, symmetric range.

    Parameters
    ----------
    b : array of float, shape (N,)
        Bias, real; taken as float32.
    sx, sw : float32 or array of float32 of shape (N,)
        Scales.

    Returns
    -------
    ndarray of int64, shape (N,)
        Values in [-(2^31 - 1), 2^31 - 1].

    Notes
    -----
    R46. b_q = saturate(round_half_away(f32(b f32(1 / f32(sx sw)))), -(2^31 - 1), 2^31 - 1). Source: LiteRT
    ``tflite/tools/optimize/quantization_utils.cc``, SymmetricBiasQuantize.

    Examples
    --------
    >>> bias_reciprocal_half_away([0.625], 0.5, 0.5)
    array([3])
    """
    v = round_half_away(_times_reciprocal(b, sx, sw)).astype(np.float64)
    return saturate_to(np.clip(v, -(2.0**31), 2.0**31).astype(np.int64), -(2**31 - 1), 2**31 - 1)


def _times_reciprocal(b: ArrayLike, sx: ArrayLike, sw: ArrayLike) -> NDArray[np.float32]:
    """Return f32(b f32(1 / f32(sx sw)))."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
        scale = np.asarray(sx, np.float32) * np.asarray(sw, np.float32)
        return np.asarray(np.asarray(b, np.float32) * (np.float32(1) / scale))
