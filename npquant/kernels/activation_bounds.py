"""Code bounds of fused activations, as engines compute them: the same real bound, rounded by three rules.

Legend: activation a clamp, one of `CLAMPS`, v its real bounds; y per-tensor output quantization: sy and zy, output
interval [qmin, qmax]. Results are the interval that the activation leaves open. Every function raises ValueError if the
activation is not a clamp.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from npquant.kernels.affine import quantize
from npquant.kernels.conversion import round_add_half_then_truncate
from npquant.kernels.qparams import QuantParams
from npquant.kernels.rounding import round_half_away, round_half_even

# Real bounds of the activations that are clamps: what R11 quantizes.
CLAMPS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "identity": (-np.inf, np.inf),
        "relu": (0.0, np.inf),
        "clipped_relu": (0.0, 1.0),
        "relu6": (0.0, 6.0),
        "relu_n1_to_1": (-1.0, 1.0),
    }
)


def clamp_bounds(activation: str) -> tuple[float, float]:
    """Return v = (low, high), infinite where there is no bound."""
    if activation not in CLAMPS:
        raise ValueError(f"{activation!r} is not a clamp; known: {', '.join(CLAMPS)}")
    return CLAMPS[activation]


def bounds_half_away(activation: str, y: QuantParams) -> tuple[int, int]:
    """R34. saturate(zy + round_half_away(f32(v / sy)), qmin, qmax): TFLite's.

    Source: LiteRT ``tflite/kernels/kernel_util.cc``, CalculateActivationRangeQuantizedImpl.

    >>> bounds_half_away("relu6", QuantParams(0.1, -128, -128, 127))
    (-128, -68)
    """
    v = np.array(clamp_bounds(activation), np.float32) / np.float32(y.scale)
    low, high = np.clip(round_half_away(v).astype(np.float64) + int(y.zero_point), y.qmin, y.qmax)
    return int(low), int(high)


def bounds_half_even_zero_point_first(activation: str, y: QuantParams) -> tuple[int, int]:
    """R35. round_half_even(clip(f32(f32(v / sy) + zy), qmin, qmax)): XNNPACK's.

    Source: XNNPACK ``src/operators/fully-connected-nc.c``.

    >>> bounds_half_even_zero_point_first("relu6", QuantParams(0.1, -128, -128, 127))
    (-128, -68)
    """
    v = np.array(clamp_bounds(activation), np.float32) / np.float32(y.scale) + np.float32(y.zero_point)
    low, high = round_half_even(np.clip(v, y.qmin, y.qmax))
    return int(low), int(high)


def clamp_codes(activation: str, y: QuantParams) -> tuple[int, int]:
    """R11. [R1(low), R1(high)] of v; an infinite bound saturates to qmin or qmax.

    >>> clamp_codes("clipped_relu", QuantParams(0.01, -28, -128, 127))
    (-28, 72)
    """
    bounds = clamp_bounds(activation)
    if bounds == (-np.inf, np.inf):  # every layer without an activation asks
        return y.qmin, y.qmax
    low, high = quantize(np.array(bounds), y)
    return int(low), int(high)


def bounds_per_unit(activation: str, y: QuantParams) -> tuple[int, int]:
    """R134. saturate(R131(f32(v f32(1 / sy))), qmin, qmax): the codes of bounds that clip the real value.

    Without a bound -127 and 127. Source: Tencent/ncnn ``src/layer/x86/x86_activation.h``, revision a4d2ea1.

    >>> bounds_per_unit("relu6", QuantParams(4.0, 0, -127, 127))
    (0, 2)
    """
    # Beyond 127 steps a bound is none: below 2^31 it has the code 127.
    steps = np.array(clamp_bounds(activation), np.float32) * (np.float32(1) / np.float32(y.scale))
    low, high = np.clip(round_add_half_then_truncate(np.clip(steps, -127, 127)), y.qmin, y.qmax)
    return int(low), int(high)
