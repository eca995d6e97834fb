"""Code bounds of fused activations, as engines compute them: the same real bound, rounded by three rules.

Legend: v real bound of the activation, sy and zy output scale and zero point, [qmin, qmax] output interval.
"""

from __future__ import annotations

import numpy as np

from npquant.kernels.profile import clamp_bounds
from npquant.kernels.qparams import QuantParams
from npquant.kernels.rounding import round_half_away


def bounds_half_away(activation: str, y: QuantParams) -> tuple[int, int]:
    """Quantize an activation's bounds as TFLite does.

    Parameters
    ----------
    activation : str
        A clamp, as in `npquant.kernels.profile.CLAMPS`.
    y : QuantParams
        Per-tensor output quantization.

    Returns
    -------
    tuple of int
        Narrowed (qmin, qmax).

    Raises
    ------
    ValueError
        If the activation is not a clamp.

    Notes
    -----
    R34. saturate(zy + round_half_away(f32(v / sy)), qmin, qmax). Source: LiteRT ``tflite/kernels/kernel_util.cc``,
    CalculateActivationRangeQuantizedImpl.

    Examples
    --------
    >>> bounds_half_away("relu6", QuantParams(0.1, -128, -128, 127))
    (-128, -68)
    """
    v = np.array(clamp_bounds(activation), np.float32) / np.float32(y.scale)
    low, high = np.clip(round_half_away(v).astype(np.float64) + int(y.zero_point), y.qmin, y.qmax)
    return int(low), int(high)


def bounds_half_even_zero_point_first(activation: str, y: QuantParams) -> tuple[int, int]:
    """Quantize an activation's bounds as XNNPACK does.

    Parameters
    ----------
    activation : str
        A clamp, as in `npquant.kernels.profile.CLAMPS`.
    y : QuantParams
        Per-tensor output quantization.

    Returns
    -------
    tuple of int
        Narrowed (qmin, qmax).

    Raises
    ------
    ValueError
        If the activation is not a clamp.

    Notes
    -----
    R35. round_half_even(clip(f32(f32(v / sy) + zy), qmin, qmax)). Source: XNNPACK
    ``src/operators/fully-connected-nc.c``.

    Examples
    --------
    >>> bounds_half_even_zero_point_first("relu6", QuantParams(0.1, -128, -128, 127))
    (-128, -68)
    """
    v = np.array(clamp_bounds(activation), np.float32) / np.float32(y.scale) + np.float32(y.zero_point)
    low, high = np.rint(np.clip(v, y.qmin, y.qmax))
    return int(low), int(high)
