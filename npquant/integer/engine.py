"""Networks under an engine's profile, with the weights converted once: the fast form of `run_layer_plain`.

Legend: B batch, K contracted depth, N outputs; w (K, N) centred weights as float32, acc accumulators.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.integer.layer import IntegerLayer, accumulator_interval
from npquant.kernels.exact import FLOAT32_EXACT
from npquant.kernels.lookup import activation_table, apply_table
from npquant.profiles.record import Profile
from npquant.profiles.refusals import refuse_unsupported


@dataclass(frozen=True, slots=True, eq=False)
class EngineLayer:
    """Hold what a layer needs at run time under a profile.

    Parameters
    ----------
    w : ndarray of float32, shape (K, N)
        Centred weights.
    bias : ndarray of int64, shape (N,)
        Bias codes.
    multiplier : object
        What the profile made of the scales.
    low, high : int
        Output interval, narrowed by a fused activation.
    table : ndarray of int8 or None
        For sigmoid and tanh.
    layer : IntegerLayer
        Where they come from.

    Examples
    --------
    See `prepare_engine_layer`.
    """

    w: NDArray[np.float32]
    bias: NDArray[np.int64]
    multiplier: Any
    low: int
    high: int
    table: NDArray[np.int8] | None
    layer: IntegerLayer


def prepare_engine_layer(layer: IntegerLayer, profile: Profile) -> EngineLayer | None:
    """Convert a layer's weights once, where float32 products are exact under a profile.

    Parameters
    ----------
    layer : IntegerLayer
        The layer.
    profile : Profile
        The arithmetic.

    Returns
    -------
    EngineLayer or None
        None where the plain form must do it: the engine refuses the layer, takes no int8 codes, adds its bias in float,
        saturates pairs of products, or a sum of products may leave float32's integers.

    Notes
    -----
    C7 bounds every partial sum, in any order, by the ends of the full one; within 2^24 each is an exact float32 number,
    whatever the order in which BLAS adds.

    Examples
    --------
    >>> from npquant.kernels.qparams import QuantParams
    >>> from npquant.profiles import get
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[10], [20]], np.int8), np.array([7], np.int32), p, p, p, "relu")
    >>> run_engine((prepare_engine_layer(layer, get("ort")),), np.array([[4, 4]], np.int8), get("ort"))
    array([[64]], dtype=int8)
    >>> prepare_engine_layer(layer, get("fbgemm")) is None
    True
    """
    if "int8" not in profile.code_types or profile.add_bias is not None or profile.accumulator == "pair16":
        return None
    try:
        refuse_unsupported(profile, layer.x, layer.w, layer.target)
    except ValueError:
        return None
    low, high = accumulator_interval(layer)
    bias = layer.bias.astype(np.int64)
    if max(int((high - bias).max()), int((bias - low).max())) > FLOAT32_EXACT:
        return None
    target = layer.target
    clamp = "identity" if layer.pre is not None else layer.activation
    bounds = profile.activation_bounds(clamp, target)
    multiplier = profile.make_multiplier(layer.x.scale, layer.w.scale, target.scale)
    table = None if layer.pre is None else activation_table(layer.activation, layer.pre, layer.y)
    return EngineLayer(layer.centred_weights.astype(np.float32), bias, multiplier, *bounds, table, layer)


def run_engine(layers: tuple[EngineLayer, ...], x_q: NDArray[np.int8], profile: Profile) -> NDArray[np.int8]:
    """Run prepared layers; equal to `run_layer_plain` after another, bit for bit.

    Parameters
    ----------
    layers : tuple of EngineLayer
        In order.
    x_q : ndarray of int8, shape (B, K)
        Input codes.
    profile : Profile
        The arithmetic that they were prepared for.

    Returns
    -------
    ndarray of int8, shape (B, N)
        Output codes.

    Examples
    --------
    >>> from npquant.kernels.qparams import QuantParams
    >>> from npquant.profiles import get
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer = IntegerLayer(np.array([[-5]], np.int8), np.array([0], np.int32), p, p, p, "identity")
    >>> part = prepare_engine_layer(layer, get("litert_ref_2025"))
    >>> run_engine((part,), np.array([[1]], np.int8), get("litert_ref_2025"))
    array([[-3]], dtype=int8)
    """
    codes = x_q
    for part in layers:
        centred = codes.astype(np.float32) - np.float32(part.layer.x.zero_point)
        acc = (centred @ part.w).astype(np.int64)
        acc += part.bias
        zy = part.layer.target.zero_point
        codes = profile.output_stage(acc, part.multiplier, zy, part.low, part.high).astype(np.int8)
        if part.table is not None:
            codes = apply_table(codes, part.table)
    return codes
