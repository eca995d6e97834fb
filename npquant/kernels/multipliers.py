"""The real multiplier sx sw / sy as engines compute it: the same quotient, rounded in different places.

Legend: sx, sw, sy float32 scales of input, weights and output; sw is () or (N,). M_B is `requantize.real_multiplier`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float32 = NDArray[np.float32]


def multiplier_float32_product(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> NDArray[np.float64]:
    """Multiply the scales in float32, then divide in float64.

    Parameters
    ----------
    sx, sw, sy : float32 or array of float32 of shape (N,)
        Scales.

    Returns
    -------
    ndarray of float64, shape () or (N,)
        M_A.

    Notes
    -----
    R16. M_A = f64(f32(sx sw) / sy). Source: LiteRT ``tflite/kernels/kernel_util.cc``, GetQuantizedConvolutionMultipler.

    Examples
    --------
    >>> multiplier_float32_product(0.5, 0.25, 1.0)
    array(0.125)
    """
    product = np.asarray(np.asarray(sx, np.float32) * np.asarray(sw, np.float32))
    return np.asarray(product.astype(np.float64) / np.asarray(np.asarray(sy, np.float32), np.float64))


def multiplier_float32(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> Float32:
    """Multiply and divide the scales in float32.

    Parameters
    ----------
    sx, sw, sy : float32 or array of float32 of shape (N,)
        Scales.

    Returns
    -------
    ndarray of float32, shape () or (N,)
        M_C.

    Notes
    -----
    R17. M_C = f32(f32(sx sw) / sy). Source: microsoft/onnxruntime ``quantize_linear_matmul.cc``; XNNPACK
    ``src/operators/fully-connected-nc.c``; onnx/onnx ``onnx/reference/ops/op_qlinear_matmul.py``.

    Examples
    --------
    >>> multiplier_float32(0.5, 0.25, 1.0)
    array(0.125, dtype=float32)
    """
    product = np.asarray(sx, np.float32) * np.asarray(sw, np.float32)
    return np.asarray(product / np.asarray(sy, np.float32))


def multiplier_float32_reciprocal(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> Float32:
    """Multiply the scales and the reciprocal of the output scale in float32.

    Parameters
    ----------
    sx, sw, sy : float32 or array of float32 of shape (N,)
        Scales.

    Returns
    -------
    ndarray of float32, shape () or (N,)
        M_D.

    Notes
    -----
    R18. M_D = f32(f32(sx sw) f32(1 / sy)). Source: pytorch ``aten/src/ATen/native/quantized/cpu/qlinear.cpp``.

    Examples
    --------
    >>> multiplier_float32_reciprocal(0.5, 0.25, 1.0)
    array(0.125, dtype=float32)
    """
    product = np.asarray(sx, np.float32) * np.asarray(sw, np.float32)
    return np.asarray(product * (np.float32(1) / np.asarray(sy, np.float32)))
