"""Bugs of state: what a call leaves behind for the next, in the function or in the prepared model.

Legend: profile the arithmetic; each function returns a fresh stateful function with the signature of
`from_callable`'s f."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from npquant.profiles.record import Profile
from npquant.testing.bugs.honest import Call, answer, as_function, as_output, bias_codes, finish, sums


def accumulator_is_not_cleared(profile: Profile) -> Callable[..., Any]:
    """The sums of the call before are still in the accumulator, where shapes are equal."""
    left: dict[tuple[int, ...], Any] = {}

    def mutant(call: Call) -> Any:
        acc = sums(call) + left.get((len(call.x_q), call.outputs), 0)
        left[len(call.x_q), call.outputs] = sums(call)
        return as_output(call, finish(call, acc))

    return as_function(mutant, profile)


def accumulator_is_never_cleared(profile: Profile) -> Callable[..., Any]:
    """One accumulator runs on through all outputs, rows and calls."""
    left = [0]

    def mutant(call: Call) -> Any:
        total = sums(call) + bias_codes(call)
        running = left[0] + np.cumsum(total).reshape(total.shape)
        left[0] = int(running.flat[-1]) if running.size else left[0]
        wrapped = ((running + 2**31) % 2**32) - 2**31  # a register of 32 bits
        return as_output(call, finish(call, wrapped, bias=np.zeros(call.outputs, np.int64)))

    return as_function(mutant, profile)


def output_buffer_is_shared(profile: Profile) -> Callable[..., Any]:
    """Every call returns the same buffer, where shapes are equal."""
    buffers: dict[tuple[Any, ...], Any] = {}

    def mutant(call: Call) -> Any:
        codes = answer(call)
        buffer = buffers.setdefault((codes.shape, codes.dtype), np.empty_like(codes))
        buffer[...] = codes
        return buffer

    return as_function(mutant, profile)


def weights_are_cached_by_shape(profile: Profile) -> Callable[..., Any]:
    """Packed weights of the first model of a shape serve all of that shape."""
    packed: dict[tuple[int, ...], Any] = {}

    def mutant(call: Call) -> Any:
        w = packed.setdefault(call.w_q.shape, call.w_q.astype(np.int64).copy())
        return answer(call, w=w - call.zw)

    return as_function(mutant, profile)


def corrections_are_cached_by_shape(profile: Profile) -> Callable[..., Any]:
    """Column sums of the first model of a shape serve all of that shape."""
    cached: dict[tuple[int, ...], Any] = {}

    def mutant(call: Call) -> Any:
        columns = call.w_q.astype(np.int64).sum(axis=0)
        stale = cached.setdefault(call.w_q.shape, columns)
        return as_output(call, finish(call, sums(call) - call.zx * (stale - columns)))

    return as_function(mutant, profile)


def multiplier_is_cached_forever(profile: Profile) -> Callable[..., Any]:
    """The multiplier of the first call of a number of outputs serves all later ones."""
    cached: dict[int, Any] = {}

    def mutant(call: Call) -> Any:
        made = profile.make_multiplier(call.x.scale, call.w.scale, call.y.scale)
        kept = cached.setdefault(call.outputs, made)
        return as_output(call, finish(call, sums(call), multiplier=kept))

    return as_function(mutant, profile)


def input_zero_point_is_cached(profile: Profile) -> Callable[..., Any]:
    """The zero point of the first call serves all later ones."""
    cached: list[int] = []

    def mutant(call: Call) -> Any:
        cached.append(call.zx)
        return answer(call, x=call.x_q.astype(np.int64) - cached[0])

    return as_function(mutant, profile)


def smaller_batch_keeps_old_rows(profile: Profile) -> Callable[..., Any]:
    """The input is copied to scratch rows; a batch that is smaller than the one before is computed on the last rows."""
    scratch: dict[int, Any] = {}

    def mutant(call: Call) -> Any:
        x = call.x_q.astype(np.int64)
        old = scratch.get(call.depth)
        if old is not None and len(old) > len(x) > 0:
            x = np.concatenate([x, old[len(x) :]])[-len(x) :]
        else:
            scratch[call.depth] = x.copy()
        return answer(call, x=x - call.zx)

    return as_function(mutant, profile)


def shorter_depth_reads_old_inputs(profile: Profile) -> Callable[..., Any]:
    """Scratch is padded to 16 inputs and not cleared: what a longer call left meets garbage weights of one."""
    scratch: list[Any] = []

    def mutant(call: Call) -> Any:
        x = call.x_q.astype(np.int64) - call.zx
        pad = -call.depth % 16
        extra = 0
        if scratch and pad and len(scratch[-1]) and scratch[-1].shape[1] > call.depth:
            extra = scratch[-1][:1, call.depth : call.depth + pad].sum()
        scratch[:] = [x]
        return as_output(call, finish(call, sums(call) + extra))

    return as_function(mutant, profile)


def every_seventh_call_is_wrong(profile: Profile) -> Callable[..., Any]:
    """A race that is lost now and then: one code is one off."""
    calls = [0]

    def mutant(call: Call) -> Any:
        codes = np.array(answer(call))
        calls[0] += 1
        if calls[0] % 7 == 0 and codes.size:
            codes[-1, -1] ^= 1
        return codes

    return as_function(mutant, profile)


def uninitialized_memory_is_returned(profile: Profile) -> Callable[..., Any]:
    """The last row of a batch of two or more holds what an earlier call left there."""
    left: dict[tuple[int, ...], Any] = {}

    def mutant(call: Call) -> Any:
        codes = np.array(answer(call))
        old = left.get(codes.shape)
        left[codes.shape] = codes.copy()
        if old is not None and len(codes) > 1:
            codes[-1] = old[-1]
        return codes

    return as_function(mutant, profile)


def saturation_flag_is_sticky(profile: Profile) -> Callable[..., Any]:
    """Once an output has saturated, later calls are clamped one code inside the upper rail."""
    seen = [False]

    def mutant(call: Call) -> Any:
        high = call.bounds[1]
        codes = answer(call)
        wanted = np.minimum(codes, high - 1).astype(codes.dtype) if seen[0] else codes
        seen[0] = seen[0] or bool((codes == high).any())
        return wanted

    return as_function(mutant, profile)
