"""Real rows to codes without temporary arrays: R1 at the door of both integer networks.

Legend: x (B, K) finite real values, params their quantization, real (B, K) float64 working memory, codes (B, K) int8.
"""

from __future__ import annotations

import numpy as np

from npquant.arrays import Float64, Int8, Real
from npquant.kernels.qparams import QuantParams


def quantize_into(real: Float64, params: QuantParams, codes: Int8) -> None:
    """R1. Fill codes, in [qmin, qmax]; params is per-tensor or has one scale a feature. real is overwritten.

    >>> codes = np.empty((1, 2), np.int8)
    >>> quantize_into(np.array([[1.25, -0.25]]), QuantParams(0.5, 0, -128, 127), codes)
    >>> codes
    array([[2, 0]], dtype=int8)
    """
    scale, zero = (np.asarray(v, np.float64) for v in (params.scale, params.zero_point))
    _round_into(real, scale, zero, params, real, codes)


def quantize_rows(x: Real, params: QuantParams) -> Int8:
    """R1 under one quantization, or under one a row: as of x^T, whose channels are these rows, without turning it over.

    >>> quantize_rows(np.array([[0.0, 127.5]]), QuantParams([0.5], [-128], -128, 127))
    array([[-128,  127]], dtype=int8)
    """
    scale, zero = (np.reshape(v, (-1, 1)).astype(np.float64) for v in (params.scale, params.zero_point))
    codes = np.empty(x.shape, np.int8)
    _round_into(x, scale, zero, params, np.empty(x.shape), codes)
    return codes


def _round_into(x: Real, scale: Float64, zero: Float64, params: QuantParams, real: Float64, codes: Int8) -> None:
    """R1 beside `kernels.affine.quantize`, which allocates five arrays of x's shape: tests hold the two equal."""
    if scale.ndim or scale != 1 or x is not real:
        with np.errstate(over="ignore"):  # a quotient beyond float64 is infinite and saturates
            np.divide(x, scale, out=real, dtype=np.float64)
    np.rint(real, out=real)
    # Before the zero point, where both ends are integers: the clip commutes with the rounding.
    real.clip(params.qmin - zero, params.qmax - zero, out=real)
    np.add(real, zero, out=codes, casting="unsafe")  # an integer inside int8: the cast changes nothing
