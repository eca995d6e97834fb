"""The fast form of a network under any profile but npquant's own: exact float32 products, then its own output stage.

Legend: x_q (B, K) input codes of 8 bits, w (K, N) centred weights as float32, acc (B, N) int64 accumulators; layer an
IntegerLayer, profile the arithmetic that it is prepared for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from npquant.arrays import Codes, Float32, Int64
from npquant.integer.accumulator import largest_partial_sum
from npquant.integer.layer import IntegerLayer
from npquant.kernels.exact import sums_are_exact
from npquant.profiles.record import Profile
from npquant.profiles.refusals import refuse_sums, refuse_unsupported


@dataclass(frozen=True, slots=True, eq=False)
class ProfileLayer:
    """Hold what a layer needs at run time under a profile."""

    w: Float32  # (K, N)
    bias: Int64  # (N,)
    multiplier: Any  # what the profile made of the scales
    low: int  # output interval, narrowed by a fused activation
    high: int
    table: Codes | None  # the output code of each code of the target, for tables (R12)
    layer: IntegerLayer  # where they come from


def prepare_for_profile(layer: IntegerLayer, profile: Profile) -> ProfileLayer | None:
    """Convert a layer's weights once; None where `run_layer_plain` must do it.

    That is where the engine refuses the layer or takes no int8 codes, adds its bias in float, saturates pairs of
    products, or a sum of products may leave float32's integers; and where codes have 16 bits.

    >>> from npquant.kernels.qparams import QuantParams
    >>> from npquant.profiles import get
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "relu")
    >>> run_for_profile((prepare_for_profile(layer, get("ort")),), np.array([[4, 4]], np.int8), get("ort"))
    array([[64]], dtype=int8)
    >>> prepare_for_profile(layer, get("fbgemm")) is None
    True
    """
    if "int8" not in profile.code_types or profile.takes_real_bias or profile.accumulator == "pair16":
        return None
    target = None if layer.y is None else layer.target
    if any(params is not None and params.dtype.itemsize > 1 for params in (layer.x, target)):
        return None
    try:
        refuse_sums(profile, layer.x, layer.w)
        if target is not None:
            refuse_unsupported(profile, layer.x, layer.w, target)
    except ValueError:
        return None
    # C6 through C7: the ends of the full sum bound every partial sum, in whatever order BLAS adds.
    if not sums_are_exact(largest_partial_sum(layer)):
        return None
    weights, bias = layer.centred_weights.astype(np.float32), layer.bias.astype(np.int64)
    if target is None:
        return ProfileLayer(weights, bias, None, 0, 0, None, layer)
    bounds = profile.activation_bounds(layer.clamp, target)
    multiplier = profile.make_multiplier(layer.x.scale, layer.w.scale, target.scale)
    return ProfileLayer(weights, bias, multiplier, *bounds, layer.code_table, layer)


def run_for_profile(layers: tuple[ProfileLayer, ...], x_q: Codes, profile: Profile) -> Codes:
    """Take codes (B, K) through prepared layers to codes (B, N): `run_layer_plain` after another, bit for bit.

    The accumulators, where the last layer has no output quantization.

    >>> from npquant.kernels.qparams import QuantParams
    >>> from npquant.profiles import get
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[-5]], np.int8), np.array([0], np.int32), p, p, p, "identity")
    >>> part = prepare_for_profile(layer, get("litert_ref_2025"))
    >>> run_for_profile((part,), np.array([[1]], np.int8), get("litert_ref_2025"))
    array([[-3]], dtype=int8)
    """
    codes = x_q
    for part in layers:
        # |x_q - zx| <= 255: exact in float32.
        centred = codes.astype(np.float32) - np.float32(part.layer.x.zero_point)
        acc = (centred @ part.w).astype(np.int64)
        acc += part.bias
        if part.layer.y is None:
            return acc.astype(part.layer.bias.dtype)  # in range by C7
        target = part.layer.target
        steps = profile.output_stage(acc, part.multiplier, target.zero_point, part.low, part.high)
        codes = steps.astype(target.dtype) if part.table is None else part.table[steps - target.qmin]
    return codes
