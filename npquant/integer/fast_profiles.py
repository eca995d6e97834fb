"""The fast form of a network under any profile but npquant's own: exact float32 products, then its own output stage.

Legend: x_q (B, K) int8 input codes, w (K, N) centred weights as float32, acc (B, N) int64 accumulators; layer an
IntegerLayer, profile the arithmetic that it is prepared for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from npquant.arrays import Float32, Int8, Int64
from npquant.integer.accumulator import largest_partial_sum
from npquant.integer.layer import IntegerLayer
from npquant.kernels.exact import sums_are_exact
from npquant.kernels.lookup import activation_table, apply_table
from npquant.profiles.record import Profile
from npquant.profiles.refusals import refuse_unsupported


@dataclass(frozen=True, slots=True, eq=False)
class ProfileLayer:
    """Hold what a layer needs at run time under a profile."""

    w: Float32  # (K, N)
    bias: Int64  # (N,)
    multiplier: Any  # what the profile made of the scales
    low: int  # output interval, narrowed by a fused activation
    high: int
    table: Int8 | None  # (256,), for sigmoid, tanh and softplus (R12)
    layer: IntegerLayer  # where they come from


def prepare_for_profile(layer: IntegerLayer, profile: Profile) -> ProfileLayer | None:
    """Convert a layer's weights once; None where `run_layer_plain` must do it.

    That is where the engine refuses the layer, takes no int8 codes, adds its bias in float, saturates pairs of
    products, or a sum of products may leave float32's integers.

    >>> from npquant.kernels.qparams import QuantParams
    >>> from npquant.profiles import get
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "relu")
    >>> run_for_profile((prepare_for_profile(layer, get("ort")),), np.array([[4, 4]], np.int8), get("ort"))
    array([[64]], dtype=int8)
    >>> prepare_for_profile(layer, get("fbgemm")) is None
    True
    """
    if "int8" not in profile.code_types or profile.add_bias is not None or profile.accumulator == "pair16":
        return None
    try:
        refuse_unsupported(profile, layer.x, layer.w, layer.target)
    except ValueError:
        return None
    # C6 through C7: the ends of the full sum bound every partial sum, in whatever order BLAS adds.
    if not sums_are_exact(largest_partial_sum(layer)):
        return None
    target = layer.target
    clamp = "identity" if layer.pre is not None else layer.activation
    bounds = profile.activation_bounds(clamp, target)
    multiplier = profile.make_multiplier(layer.x.scale, layer.w.scale, target.scale)
    table = None if layer.pre is None else activation_table(layer.activation, layer.pre, layer.y)
    weights, bias = layer.centred_weights.astype(np.float32), layer.bias.astype(np.int64)
    return ProfileLayer(weights, bias, multiplier, *bounds, table, layer)


def run_for_profile(layers: tuple[ProfileLayer, ...], x_q: Int8, profile: Profile) -> Int8:
    """Take codes (B, K) through prepared layers to codes (B, N): `run_layer_plain` after another, bit for bit.

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
        zy = part.layer.target.zero_point
        codes = profile.output_stage(acc, part.multiplier, zy, part.low, part.high).astype(np.int8)
        if part.table is not None:
            codes = apply_table(codes, part.table)
    return codes
