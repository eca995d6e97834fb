"""The record of one engine's dynamically quantized layer: real inputs, integer products, real outputs.

Legend: x (B, K) real inputs; made their codes, scale and zero point; acc (B, N) accumulators, sw scales of the weights,
b real bias or None; K contracted depth, N outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float32, Int64
from npquant.kernels.dynamic import DynamicCodes


@dataclass(frozen=True, slots=True)
class DynamicRule:
    """Name one arithmetic from real inputs to real outputs, as data.

    >>> from npquant.profiles import get
    >>> {name: get(name).dynamic.granularity for name in ("ruy_x86", "xnnpack_fp32", "fbgemm", "ort")}
    {'ruy_x86': 'row', 'xnnpack_fp32': 'row', 'fbgemm': 'batch', 'ort': 'batch'}
    """

    granularity: Literal["row", "batch"]  # whose range decides a scale: each row's own, or that of the whole input
    range_in: str  # the formats in which scale and zero point are computed
    codes: str  # interval and rounding of the inputs' codes, in words
    outputs: str  # the epilogue in one line
    fused: bool  # whether product and bias are rounded once
    quantize: Callable[[ArrayLike], DynamicCodes]  # of x
    output: Callable[[Int64, DynamicCodes, ArrayLike, ArrayLike | None], Float32]  # of (acc, made, sw, b)
    # (x_q, w_q, zx, zw) -> acc, where the sums are not those of the profile's accumulator
    sums: Callable[[NDArray[Any], NDArray[Any], Any], Int64] | None = None
    weight_types: tuple[str, ...] = ("int8",)
    weight_zero_points: bool = False
    activations: tuple[str, ...] = ("none", "relu")  # that the layer fuses: clamps of the float output
    steps_apart: bool = False  # whether DynamicQuantizeLinear and MatMulInteger are operators of their own
    variants: tuple[tuple[str, DynamicRule], ...] = ()  # by the name of the switch that the engine has for them
    # For weights in [-8, 7], an INT4 tensor's, in shapes that a kernel of their own takes; in others this same rule
    narrow: DynamicRule | None = None
    narrow_shapes: Callable[[int, int], bool] | None = None  # of (K, N)
    even_narrow_depth: bool = False  # whether such weights must have an even K
