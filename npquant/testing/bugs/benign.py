"""Rewrites that change nothing: other orders, tiles and types that give the same codes, and must never be accused.

Legend: call one layer's operands under a profile; each function returns its output codes (B, N).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np

from npquant.arrays import Codes, Int64
from npquant.profiles.layer import saturates_pairs
from npquant.profiles.operators import quantize
from npquant.profiles.record import Profile
from npquant.testing.adapters.callable import FunctionBackend
from npquant.testing.backend import Backend, capabilities_of
from npquant.testing.bugs.honest import Call, answer, as_function, as_output, bias_codes, centred_w, centred_x, finish
from npquant.testing.case import Model, checked


def _has_pairs(call: Call) -> bool:
    """Say whether the machine saturates pairs of products, so that their order is part of the arithmetic."""
    return saturates_pairs(call.profile, call.x_q, call.w_q)


def _done(call: Call, acc: Int64) -> Codes:
    return answer(call) if _has_pairs(call) else as_output(call, finish(call, acc))


def plain(call: Call) -> Codes:
    """The honest kernel itself."""
    return answer(call)


def depth_is_tiled(call: Call) -> Codes:
    """K in tiles of 13."""
    x, w = centred_x(call), centred_w(call)
    acc = np.zeros((x.shape[0], w.shape[1]), np.int64)
    for k in range(0, call.depth, 13):
        acc += x[:, k : k + 13] @ w[k : k + 13]
    return _done(call, acc)


def sums_run_backwards(call: Call) -> Codes:
    """K from the end."""
    return _done(call, centred_x(call)[:, ::-1] @ centred_w(call)[::-1])


def zero_points_are_folded(call: Call) -> Codes:
    """Raw codes, and corrections by sums of rows and columns."""
    x, w = call.x_q.astype(np.int64), call.w_q.astype(np.int64)
    corrections = call.depth * call.zx * call.zw - call.zx * w.sum(axis=0) - x.sum(axis=1, keepdims=True) * call.zw
    return _done(call, x @ w + corrections)


def input_is_rebiased(call: Call) -> Codes:
    """Codes and zero point 128 lower or higher, as a kernel of the other sign takes them."""
    shift = 128 if call.x_q.dtype == np.int8 else -128
    x = call.x_q.astype(np.int64) + shift
    return _done(call, (x - (call.zx + shift)) @ centred_w(call))


def sums_are_float64(call: Call) -> Codes:
    """Accumulated in float64: exact below 2^53."""
    acc = centred_x(call).astype(np.float64) @ centred_w(call).astype(np.float64)
    return _done(call, acc.astype(np.int64))


def sums_wrap_on_the_way(call: Call) -> Codes:
    """int32 sums that wrap at every step give what one wrap at the end gives, where the engine wraps."""
    x, w = centred_x(call).astype(np.int32), centred_w(call).astype(np.int32)
    return _done(call, np.asarray(np.matmul(x, w), np.int64)) if call.profile.accumulator == "wrap" else answer(call)


def rows_one_by_one(call: Call) -> Codes:
    """A loop over B."""
    rows = [answer(replace(call, x_q=call.x_q[i : i + 1])) for i in range(len(call.x_q))]
    return np.concatenate(rows) if rows else answer(call)


def outputs_one_by_one(call: Call) -> Codes:
    """A loop over N, each output as a layer of its own, where the engine does not look at all of them at once."""
    if call.w.per_channel or not call.outputs or call.profile.whole_layer is not None:
        return answer(call)
    bias = bias_codes(call).astype(np.int32)
    columns = [answer(replace(call, w_q=call.w_q[:, n : n + 1], bias=bias[n : n + 1])) for n in range(call.outputs)]
    return np.concatenate(columns, axis=1)


def bias_comes_first(call: Call) -> Codes:
    """The accumulator starts as the bias, where the engine's bias is int32."""
    if call.profile.takes_real_bias or _has_pairs(call):
        return answer(call)
    acc = bias_codes(call) + centred_x(call) @ centred_w(call)
    return as_output(call, finish(call, acc, bias=np.zeros(call.outputs, np.int64)))


def depth_is_padded_with_zero_points(call: Call) -> Codes:
    """K up to a multiple of 16, padded with codes that count as 0."""
    x, w = centred_x(call), centred_w(call)
    pad = -call.depth % 16
    return _done(call, np.pad(x, ((0, 0), (0, pad))) @ np.pad(w, ((0, pad), (0, 0))))


def weights_are_packed_transposed(call: Call) -> Codes:
    """(N, K) in memory, and y = (w' x')'."""
    return _done(call, (np.ascontiguousarray(centred_w(call).T) @ centred_x(call).T).T)


def zeros_are_skipped(call: Call) -> Codes:
    """Weights that equal their zero point are not multiplied."""
    x, w = centred_x(call), centred_w(call)
    acc = np.zeros((x.shape[0], w.shape[1]), np.int64)
    for n in range(w.shape[1]):
        used = np.flatnonzero(w[:, n])
        acc[:, n] = x[:, used] @ w[used, n]
    return _done(call, acc)


def answer_is_a_view(call: Call) -> Codes:
    """A fresh buffer that is wider than the answer; the answer is a view of it."""
    codes = answer(call)
    wide = np.zeros((codes.shape[0], codes.shape[1] + 3), codes.dtype)
    wide[:, : codes.shape[1]] = codes
    return wide[:, : codes.shape[1]]


def answer_is_in_fortran_order(call: Call) -> Codes:
    """The right numbers in another memory order."""
    return np.asfortranarray(answer(call))


REWRITES: Final = (
    plain,
    depth_is_tiled,
    sums_run_backwards,
    zero_points_are_folded,
    input_is_rebiased,
    sums_are_float64,
    sums_wrap_on_the_way,
    rows_one_by_one,
    outputs_one_by_one,
    bias_comes_first,
    depth_is_padded_with_zero_points,
    weights_are_packed_transposed,
    zeros_are_skipped,
    answer_is_a_view,
    answer_is_in_fortran_order,
)


@dataclass(frozen=True, slots=True, eq=False)
class PackingBackend:
    """A backend that packs weights, sums and multipliers once, and refuses what does not lie in C order."""

    name: str
    profile: str
    record: Profile

    def prepare(self, model: Model) -> PackedModel:
        """Copy and centre everything now: nothing of the caller's is kept."""
        for layer in model.layers:
            if not layer.w_q.flags.c_contiguous:
                raise ValueError("weights must lie in C order")
        calls = tuple(
            Call(
                np.zeros((0, layer.w_q.shape[0]), checked(layer.x).dtype),
                layer.w_q.copy(),
                None if layer.bias is None else layer.bias.copy(),
                checked(layer.x),
                checked(layer.w),
                checked(layer.y),
                layer.activation,
                self.record,
            )
            for layer in model.layers
        )
        for call in calls:
            if call.bias is not None and call.bias.shape != (call.outputs,):
                raise ValueError(f"the bias has shape {call.bias.shape}")
        return PackedModel(calls)


@dataclass(frozen=True, slots=True, eq=False)
class PackedModel:
    """Packed layers."""

    calls: tuple[Call, ...]

    def run(self, x: Any) -> Codes:
        """Run the layers one after another; ValueError for a depth that does not fit."""
        codes = np.ascontiguousarray(x)
        for call in self.calls:
            if codes.shape[1] != call.depth:
                raise ValueError(f"the input has {codes.shape[1]} columns, the weights have {call.depth} rows")
            codes = answer(replace(call, x_q=codes))
        return codes


def benign_backends(profile: Profile) -> tuple[Backend, ...]:
    """Return every rewrite as a backend under a profile."""
    can = capabilities_of(profile)
    real: Callable[..., Any] = partial(quantize, profile=profile)
    functions = tuple(FunctionBackend(f.__name__, profile.name, as_function(f, profile), can, real) for f in REWRITES)
    return (*functions, PackingBackend("packs_once", profile.name, profile))
