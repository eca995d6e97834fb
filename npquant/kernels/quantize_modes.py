"""Array quantizers whose rounding mode is an operand: QONNX, Brevitas and StableHLO.

Legend: x real values, taken as float32; params per-tensor, or per-channel along the last axis: s scale, z zero point,
[qmin, qmax]; mode a rounding of arrays, as `npquant.kernels.rounding` names them. Codes have params.dtype.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Codes, Float32, Real
from npquant.kernels.floating import IGNORED, to_float32
from npquant.kernels.qparams import QuantParams

Mode = Callable[[Real], Real]


def divided_zero_point_first(x: ArrayLike, params: QuantParams) -> Float32:
    """Return f32(f32(x / s) + z), the value that R140 clips and rounds; NaN and infinities pass through."""
    with np.errstate(**IGNORED):
        return np.asarray(to_float32(x) / params.scale + np.asarray(params.zero_point, np.float32))


def quantize_divide_zero_point_first(x: ArrayLike, params: QuantParams, mode: Mode) -> Codes:
    """R140. q = mode(clip(f32(f32(x / s) + z), qmin, qmax)). ValueError if x contains NaN.

    QONNX hands NaN on, and no code holds it; of StableHLO's, compiled by IREE, the processor's conversion makes what it
    likes. Source: fastmachinelearning/qonnx ``custom_op/general/intquant.py``, int_quant (1.0.0); openxla/stablehlo
    ``stablehlo/transforms/StablehloLegalizeQuantToMath.cpp``.

    >>> from npquant.kernels.rounding import round_ceil, round_half_even
    >>> [quantize_divide_zero_point_first([-1.25], QuantParams(0.5, 1, -128, 127), m)
    ...  for m in (round_half_even, round_ceil)]
    [array([-2], dtype=int8), array([-1], dtype=int8)]
    """
    v = divided_zero_point_first(x, params)
    if np.isnan(v).any():
        raise ValueError("x contains NaN, for which this engine has no code")
    # Codes of 16 bits and less: both ends are float32 numbers, and so is every integer between them.
    return np.asarray(mode(np.clip(v, params.qmin, params.qmax)).astype(params.dtype))
