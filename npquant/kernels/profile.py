"""The record that names one engine's arithmetic, and npquant's own.

Legend: acc accumulator, M multiplier (a float, or m and e), sx sw sy scales of input, weights, output, zy zero point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.kernels.affine import quantize
from npquant.kernels.bias import bias_half_even
from npquant.kernels.dynamic import DynamicCodes
from npquant.kernels.qparams import QuantParams
from npquant.kernels.requantize import (
    FixedMultiplier,
    decompose_multiplier,
    real_multiplier,
    requantize_single_rounding,
)
from npquant.kernels.rounding import saturate_to

Int64 = NDArray[np.int64]
Codes = NDArray[np.integer]

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
    """Return the real bounds of an activation which is a clamp.

    Parameters
    ----------
    activation : str
        One of `CLAMPS`.

    Returns
    -------
    tuple of float
        (low, high), infinite where there is no bound.

    Raises
    ------
    ValueError
        If the activation is not a clamp.

    Examples
    --------
    >>> clamp_bounds("relu6")
    (0.0, 6.0)
    """
    if activation not in CLAMPS:
        raise ValueError(f"{activation!r} is not a clamp; known: {', '.join(CLAMPS)}")
    return CLAMPS[activation]


def clamp_codes(activation: str, y: QuantParams) -> tuple[int, int]:
    """Return the output interval that an activation which is a clamp leaves open.

    Parameters
    ----------
    activation : {"identity", "relu", "clipped_relu", "relu6", "relu_n1_to_1"}
        Name.
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
    R11. [R1(low), R1(high)]; an infinite bound saturates to qmin or qmax.

    Examples
    --------
    >>> clamp_codes("clipped_relu", QuantParams(0.01, -28, -128, 127))
    (-28, 72)
    """
    low, high = quantize(np.array(clamp_bounds(activation)), y)
    return int(low), int(high)


@dataclass(frozen=True, slots=True)
class Profile:
    """Name one engine's arithmetic: data, and functions only where a rounding is new.

    Parameters
    ----------
    name : str
        As in `npquant.profiles.names()`.
    engine, version, source : str
        Which engine computes this, in which versions, and the file and revision it was read from.
    equation : str
        The arithmetic in one line.
    make_multiplier : callable
        Offline: (sx, sw, sy) -> multiplier, in whatever form `output_stage` takes.
    output_stage : callable
        Run time: (acc, multiplier, zy, qmin, qmax) -> int64 codes; where the zero point is added, how the result is
        rounded, and what a value beyond int32 becomes.
    add_bias : callable or None
        None: the bias is int32 and belongs to the accumulator. Otherwise (acc, float32 bias, multiplier) -> what
        `output_stage` takes in place of acc.
    quantize_bias : callable
        Where the bias is int32: (real bias, sx, sw) -> codes.
    accumulator : {"exact", "wrap", "pair16"}
        Beyond int32: an OverflowError, or two's complement; or pairs of products that saturate to int16 on the way.
    weight_qmin : int
        Smallest weight code that the engine's specification allows, -128 or -127.
    weight_zero_point : {"honoured", "per_tensor", "uint8", "zero"}
        Always honoured; ignored where the weights are per-channel; 0 unless the weights are uint8; must be 0.
    zero_points : bool
        False where input and output have none.
    code_types : tuple of str
        Types of input and output codes that the engine takes.
    max_multiplier : float
        The engine refuses sx sw / sy from here on.
    activation_bounds : callable
        (name, y) -> (qmin, qmax) of a fused activation.
    quantize_codes, dequantize_codes : callable or None
        The engine's own (x, params) -> codes and (codes, params) -> float32; None where it has no such operator.
    activation_codes : callable or None
        Stand-alone activations: (name, codes, x, y) -> codes.
    softmax_codes : callable or None
        (codes, x, y, beta) -> codes, over the last axis.
    requantize_codes : callable or None
        (codes, x, y) -> codes of another scale, zero point or type.
    dynamic_quantize : callable or None
        (x) -> codes, scale and zero point from the tensor's own range.
    conversion : str
        What the engine's float-to-integer conversion makes of overflow and NaN, in words.

    Examples
    --------
    >>> NPQUANT.name
    'npquant'
    """

    name: str
    engine: str
    version: str
    source: str
    equation: str
    make_multiplier: Callable[[Any, Any, Any], Any]
    output_stage: Callable[[Any, Any, Any, int, int], Int64]
    add_bias: Callable[[Int64, ArrayLike, Any], Any] | None = None
    quantize_bias: Callable[[ArrayLike, Any, Any], Int64] = bias_half_even
    accumulator: Literal["exact", "wrap", "pair16"] = "wrap"
    weight_qmin: int = -128
    weight_zero_point: Literal["honoured", "per_tensor", "uint8", "zero"] = "honoured"
    zero_points: bool = True
    code_types: tuple[str, ...] = ("int8", "uint8")
    max_multiplier: float = 2.0**30
    activation_bounds: Callable[[str, QuantParams], tuple[int, int]] = clamp_codes
    quantize_codes: Callable[[ArrayLike, QuantParams], Codes] | None = None
    dequantize_codes: Callable[[Codes, QuantParams], NDArray[np.float32]] | None = None
    activation_codes: Callable[[str, Codes, QuantParams, QuantParams], Codes] | None = None
    softmax_codes: Callable[[Codes, QuantParams, QuantParams, float], Codes] | None = None
    requantize_codes: Callable[[Codes, QuantParams, QuantParams], Codes] | None = None
    dynamic_quantize: Callable[[ArrayLike], DynamicCodes] | None = None
    conversion: str = "integer arithmetic: nothing to convert"


def fixed_multiplier(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> FixedMultiplier:
    """Make the multiplier of npquant's own arithmetic.

    Parameters
    ----------
    sx, sw, sy : float32 or array of float32 of shape (N,)
        Scales.

    Returns
    -------
    FixedMultiplier
        R5 of R4.

    Examples
    --------
    >>> fixed_multiplier(0.5, 0.5, 0.5).real
    0.5
    """
    return decompose_multiplier(real_multiplier(sx, sw, sy))


def stage_single_rounding(acc: Int64, fixed: FixedMultiplier, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """Requantize with one rounding, add the zero point, saturate.

    Parameters
    ----------
    acc : ndarray of int64
        Accumulators, int32 values.
    fixed : FixedMultiplier
        m and e.
    zy, qmin, qmax : int
        Output zero point and interval.

    Returns
    -------
    ndarray of int64
        Output codes.

    Notes
    -----
    R10. y_q = saturate(R6(acc) + zy, qmin, qmax).

    Examples
    --------
    >>> stage_single_rounding(np.array([-73]), FixedMultiplier(2**30, 0), 0, -128, 127)
    array([-36])
    """
    return saturate_to(requantize_single_rounding(acc, fixed) + np.asarray(zy, np.int64), qmin, qmax)


NPQUANT = Profile(
    name="npquant",
    engine="npquant",
    version="0.1",
    source="npquant/spec/requantize.py",
    equation="y_q = clamp(round_half_up(acc m 2^(e-31)) + zy, qmin, qmax)",
    make_multiplier=fixed_multiplier,
    output_stage=stage_single_rounding,
    accumulator="exact",
)
