"""The exact scalars of a case: every profile's layer and QUANTIZE by the definitions of npquant.spec alone.

A vector is written only where this and the array kernels agree. Legend: layer, x_q (B, K) input codes and profile as in
`Case`; acc int32 accumulators; params a quantization; [low, high] the output codes that are left open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import isinf, isnan
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npquant.profiles.record import Profile
from npquant.spec.linear import dot, dot_pair16
from npquant.spec.rounding import INT32_MAX, INT32_MIN, saturate, wrap
from npquant.testing.case import Layer, checked
from npquant.testing.vectors.rules import CLAMPS, DEFINITIONS, Step

# Beyond int32 for every scale: an infinite product stands where any so large a one does.
HUGE: Final = Fraction(2) ** 100


class KitFailure(Exception):
    """Raised where two definitions of one answer differ: the kit itself fails, and nobody else is to blame."""


class Stages(NamedTuple):
    """A layer's values (B, N) by the definitions: accumulators, values before the clamp, output codes."""

    acc: NDArray[np.int64]
    before: NDArray[np.int64]
    y_q: NDArray[np.int64]


def defined_layer(layer: Layer, x_q: NDArray[Any], profile: Profile) -> Stages:
    """Evaluate one layer, output by output. acc holds the bias where the profile's bias is int32.

    OverflowError where an accumulator, or a float on the way, may not be what it would be."""
    x, w, y = checked(layer.x), checked(layer.w), checked(layer.y)
    definition, n = DEFINITIONS[profile.name], layer.w_q.shape[1]
    low, high = definition.clamp(*CLAMPS[layer.activation], _ratio(y.scale), int(y.zero_point), y.qmin, y.qmax)
    room = open_room(profile, low, high)
    scales = [_ratio(s) for s in np.broadcast_to(np.asarray(w.scale), (n,))]
    ignored = profile.weight_zero_point == "per_tensor" and w.per_channel
    zeros = np.broadcast_to(np.asarray(0 if ignored else w.zero_point), (n,)).tolist()
    codes = [0] * n if layer.bias is None else [int(b) for b in layer.bias]
    columns = [layer.w_q[:, j].tolist() for j in range(n)]
    up = 128 if x_q.dtype == np.int8 else 0
    pairs = profile.accumulator == "pair16" and layer.w_q.dtype == np.int8 and (not up or profile.pairs_int8)
    up *= pairs
    grids = np.zeros((3, len(x_q), n), np.int64)
    for i, row in enumerate(x_q.tolist()):
        steps, raised = [], [q + up for q in row]
        for j in range(n):
            acc = _sum(raised, columns[j], int(x.zero_point) + up, zeros[j], profile.pairs_apart if pairs else None)
            acc = _as_int32(acc + (0 if profile.takes_real_bias else codes[j]), profile)
            steps += [Step(acc, codes[j], _ratio(x.scale), scales[j], _ratio(y.scale), bool(np.ndim(w.scale)),
                           int(y.zero_point), *room, int(x.zero_point), sum(columns[j]), tuple(scales), columns[j],
                           layer.activation, y.dtype.name)]  # fmt: skip
        grids[:, i] = [step.acc for step in steps], *_codes(definition, steps, room, (low, high))
    return Stages(*grids)


def _codes(definition: Any, steps: list[Step], *intervals: tuple[int, int]) -> list[list[int]]:
    """Return the codes of a row of outputs, clamped to each interval."""
    if definition.row is not None:
        row = definition.row(steps) if steps else []
        return [[saturate(code, *ends) for code in row] for ends in intervals]
    return [[definition.code(s._replace(low=ends[0], high=ends[1])) for s in steps] for ends in intervals]


def open_room(profile: Profile, low: int, high: int) -> tuple[int, int]:
    """Return the bounds under which a stage's code is its value before the clamp: those of int32.

    One engine clips its floats from above before it converts them: there the upper bound stays."""
    return INT32_MIN, high if profile.name == "xnnpack_fp32_avx512" else INT32_MAX


def _sum(row: Sequence[int], column: Sequence[int], zx: int, zw: int, apart: Callable[[int], int] | None) -> int:
    products = dot(row, column) if apart is None else dot_pair16(row, column, apart(len(row)))
    return products - zx * sum(column) - zw * sum(row) + len(row) * zx * zw


def _as_int32(acc: int, profile: Profile) -> int:
    if profile.accumulator == "exact" and not INT32_MIN <= acc <= INT32_MAX:
        raise OverflowError(f"the accumulator is {acc}, outside int32")
    return wrap(acc, 32)


def _ratio(scale: Any) -> Fraction:
    return Fraction(float(scale))


def defined_codes(x: NDArray[np.float32], params: Any, profile: Profile) -> NDArray[np.int64]:
    """Evaluate QUANTIZE of x (..., N), element by element in C order; ValueError if the profile has none."""
    definition = DEFINITIONS[profile.name]
    if definition.quantize is None:
        raise ValueError(f"{profile.name} has no QUANTIZE")
    p = checked(params)
    rules = definition.by_position(x.shape)
    scales, zeros = (np.broadcast_to(np.asarray(v), x.shape).ravel().tolist() for v in (p.scale, p.zero_point))
    flat = [
        _quantized(rule, definition.nan, float(v), Fraction(s), z, (p.qmin, p.qmax), p.per_channel)
        for rule, v, s, z in zip(rules, x.ravel().tolist(), scales, zeros, strict=True)
    ]
    return np.array(flat, np.int64).reshape(x.shape)


def _quantized(rule: Any, nan: str, v: float, s: Fraction, z: int, ends: tuple[int, int], each: bool) -> int:
    """Return the code of one float32 value; special values and infinite quotients by the rule for what is beyond
    int32."""
    if nan == "range":
        try:
            rule(Fraction(0), s, z, *ends, each)
        except OverflowError:
            return ends[0]
    if isnan(v):
        named = {"low": ends[0], "range": ends[0], "high": ends[1], "zero_point": z, "torch": 0 if each else ends[1]}
        return named[nan] if nan in named else int(rule(HUGE, Fraction(1), z, *ends, each))
    try:
        if not isinf(v):
            return int(rule(Fraction(v), s, z, *ends, each))
    except OverflowError:
        pass
    return int(rule(HUGE if v > 0 else -HUGE, Fraction(1), z, *ends, each))
