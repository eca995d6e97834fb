"""What the case classes build from: quantizations that an engine takes, operands of a fill, layers whose codes spread.

Legend: profile the engine's record, can what the backend takes, rng a Generator; B, K, N shape; fill the kind of
operand; scale, zero_point, x_scale, w_scale of a
quantization; x_q (B, K) input codes; activation by name; values of a bias, n outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes
from npquant.kernels.qparams import QuantParams
from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities
from npquant.testing.case import Case, Layer, Model, checked
from npquant.testing.solve import INT32_MAX, INT32_MIN, accumulator_at, bias_for, centred_sums, exact_multipliers, tie

INTERVALS: Final = MappingProxyType(
    {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "int4": (-8, 7), "uint4": (0, 15)}
)
FILLS: Final = ("random", "extreme", "lowest", "highest", "small", "sparse")


def code_type(can: Capabilities, rng: np.random.Generator | None = None) -> str:
    """Return a type of input and output codes that the backend takes: the first, or one at random."""
    types = [name for name in can.code_types if name in ("int8", "uint8")] or list(can.code_types)
    return types[0] if rng is None else str(rng.choice(types))


def params(kind: str, scale: Any, zero_point: Any = 0) -> QuantParams:
    """Return the whole interval of a type of codes, at a zero point counted from the type's middle."""
    low, high = INTERVALS[kind]
    middle = (low + high + 1) // 2
    return QuantParams(scale, np.clip(np.asarray(zero_point) + middle, low, high), low, high)


def weight_params(profile: Profile, scale: Any, zero_point: Any = 0) -> QuantParams:
    """Return int8 weights of an engine: from its smallest legal code on."""
    return QuantParams(scale, zero_point, profile.weight_qmin, 127)


def fill(kind: str, shape: Sequence[int], bounds: QuantParams, rng: np.random.Generator) -> Codes:
    """Return codes of bounds: all random, only the two ends, one end, near the zero point, or mostly the zero point."""
    low, high, zero = bounds.qmin, bounds.qmax, np.asarray(bounds.zero_point)
    if kind == "extreme":
        codes = np.where(rng.random(shape) < 0.5, low, high)
    elif kind in ("lowest", "highest"):
        codes = np.full(shape, low if kind == "lowest" else high)
    elif kind == "small":
        codes = np.clip(zero + rng.integers(-2, 3, shape), low, high)
    elif kind == "sparse":
        codes = np.where(rng.random(shape) < 0.8, zero, rng.integers(low, high + 1, shape))
    else:
        codes = rng.integers(low, high + 1, shape)
    return np.asarray(codes, bounds.dtype)


def spreading_scale(x_scale: Any, w_scale: Any, depth: int, spread: float = 60.0) -> np.float32:
    """Return an output scale under which sums of random products of depth K fill the codes, and leave them at times."""
    typical = 74.0 * 74.0 * np.sqrt(max(depth, 1))
    return np.float32(float(x_scale) * float(np.max(w_scale)) * typical / spread)


def as_case(layer: Layer, x_q: Codes, profile: Profile, *tags: str) -> Case:
    """Return a valid case of one layer; where accumulators may not leave int32, the bias is kept small enough."""
    if profile.accumulator == "exact" and layer.bias is not None and x_q.size:
        sums = centred_sums(layer, x_q)
        low, high = INT32_MIN - sums.min(axis=0, initial=0), INT32_MAX - sums.max(axis=0, initial=0)
        layer = replace(layer, bias=np.clip(layer.bias, low, high).astype(np.int32))
    return Case(Model((layer,), profile.name), x_q, tags=tags)


def on_the_ties(
    profile: Profile,
    params_of: tuple[QuantParams, QuantParams, QuantParams],
    codes: Sequence[int],
    beside: Sequence[int],
    shape: tuple[int, int],
    rng: np.random.Generator,
    activation: str = "none",
) -> Case:
    """Return a layer of random operands whose first row lands, in each output, on the tie above a code or beside it.

    params_of: x, w, y. shape: (B, K). codes: one an output. beside: accumulators from the tie, taken in turn.
    """
    x, w, y = params_of
    rows, depth = shape
    n = len(codes)
    layer = Layer(fill("random", (depth, n), w, rng), np.zeros(n, np.int32), x, w, y, activation)
    x_q = fill("random", (rows, depth), x, rng)
    wanted = [
        accumulator_at(tie(int(code), int(y.zero_point)), factor, beside[i % len(beside)])
        for i, (code, factor) in enumerate(zip(codes, exact_multipliers(layer), strict=True))
    ]
    bias, _ = bias_for(wanted, centred_sums(layer, x_q)[0])
    return as_case(replace(layer, bias=bias), x_q, profile)


def varied(case: Case, profile: Profile, can: Capabilities, rng: np.random.Generator) -> Case:
    """Return a case of one layer with channels, an activation, no bias, more rows, other layouts, each at times.

    Kernels choose a path by several such things at once: what is right of each alone may be wrong of two together.
    """
    layer = case.model.layers[0]
    k, n = layer.w_q.shape
    if can.per_channel and not (layer.w.per_channel or np.any(layer.w.zero_point)) and rng.random() < 0.3:
        scales = np.asarray(float(layer.w.scale) * rng.uniform(0.25, 1, n), np.float32)
        layer = replace(layer, w=replace(layer.w, scale=scales, zero_point=np.zeros(n, np.int32)))
    if rng.random() < 0.4:
        layer = replace(layer, activation=str(rng.choice(can.activations)))
    if rng.random() < 0.3:
        layer = replace(layer, bias=None)
    more = fill("random", (int(rng.integers(0, 9)), k), checked(layer.x), rng)
    layouts = [str(rng.choice(can.layouts)) if rng.random() < 0.25 else "c" for _ in range(2)]
    whole = as_case(layer, np.concatenate([case.x_q, more]), profile, *case.tags)
    return replace(whole, x_layout=layouts[0], w_layout=layouts[1])


def zero_point_pairs(can: Capabilities) -> tuple[tuple[int, int], ...]:
    """Return (zx, zy) pairs from the middle of the codes: none, odd and even, both ends."""
    if not can.input_zero_point:
        return ((0, 0),)
    return ((0, 0), (3, -5), (-128, 127), (127, -128), (1, 1), (0, -128))


def dyadic(exponent: int) -> np.float32:
    """Return 2^exponent as float32."""
    return np.float32(2.0**exponent)


def bias_of(values: Any, n: int) -> NDArray[np.int32]:
    """Return an int32 bias (N,) of one value or of N."""
    return np.ascontiguousarray(np.broadcast_to(np.asarray(values, np.int32), (n,)))
