"""Faulty kernels that are on no list of the kit: written as a kernel author writes one, each with one mistake.

Legend: call one layer's operands under a profile; x (B, K) and w (K, N) codes less their zero points; acc (B, N) sums
of products without the bias. A function takes a call and returns codes; one that takes a profile makes a kernel with
a state of its own; one that takes (values, params) is a QUANTIZE.

They measure whether the case classes are general. When one survives, a class learns what can go wrong there in
general; a case is never written for a kernel of this file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant import QuantParams
from npquant.arrays import Codes, Int64
from npquant.profiles.operators import linear, quantize
from npquant.profiles.record import Profile
from npquant.testing.adapters.callable import FunctionBackend
from npquant.testing.backend import Backend, capabilities_of
from npquant.testing.bugs.honest import (
    Call,
    answer,
    as_function,
    as_output,
    bias_codes,
    centred_w,
    centred_x,
    finish,
    multiplier_of,
    placed,
    real_multiplier,
    sums,
)


def done(call: Call, acc: Int64) -> Codes:
    """Take the sums to codes as the profile does."""
    return as_output(call, finish(call, acc))


# --- Blocked loops: MR rows by NR outputs by KC inputs ---


def whole_last_block_of_depth_is_left_to_the_tail(call: Call) -> Codes:
    """for (k = 0; k < K - 32; k += 32) block; tail(K % 32): a depth of whole blocks loses the last."""
    x, w = centred_x(call), centred_w(call)
    acc = np.zeros((len(x), w.shape[1]), np.int64)
    k = 0
    while k < call.depth - 32:
        acc += x[:, k : k + 32] @ w[k : k + 32]
        k += 32
    rest = call.depth % 32
    return done(call, acc + x[:, k : k + rest] @ w[k : k + rest])


def whole_blocks_of_256_are_done_once_more(call: Call) -> Codes:
    """blocks = K / 256 + 1, the last clipped to the length K - 256 blocks, or 256 where that is 0."""
    x, w = centred_x(call), centred_w(call)
    acc = x @ w
    if call.depth and call.depth % 256 == 0:
        acc = acc + x[:, -256:] @ w[-256:]
    return done(call, acc)


def tail_outputs_are_cleared_at_every_depth_block(call: Call) -> Codes:
    """The accumulators of the N % 8 tail are zeroed inside the loop over blocks of 64 inputs."""
    x, w = centred_x(call), centred_w(call)
    body = call.outputs // 8 * 8
    acc = np.zeros((len(x), call.outputs), np.int64)
    for k in range(0, call.depth, 64):
        acc[:, body:] = 0
        acc += x[:, k : k + 64] @ w[k : k + 64]
    return done(call, acc)


def bias_is_added_at_every_depth_block(call: Call) -> Codes:
    """acc += bias stands inside the loop over blocks of 128 inputs."""
    blocks = max(1, -(-call.depth // 128))
    return done(call, sums(call) + (blocks - 1) * bias_codes(call))


def blocks_are_requantized_and_codes_added(call: Call) -> Codes:
    """Each block of 64 inputs goes through the output stage; the codes less zy are added and saturated."""
    x, w = centred_x(call), centred_w(call)
    if call.depth <= 64:
        return answer(call)
    none = np.zeros_like(bias_codes(call))
    total = np.full((len(x), call.outputs), call.zy, np.int64)
    for k in range(0, call.depth, 64):
        bias = bias_codes(call) if k == 0 else none
        total += finish(call, x[:, k : k + 64] @ w[k : k + 64], bias=bias) - call.zy
    return as_output(call, np.clip(total, *call.bounds))


def row_tail_has_no_bias(call: Call) -> Codes:
    """Four rows at a time start from the bias, a rest of rows from 0."""
    acc = np.array(sums(call))
    body = len(acc) // 4 * 4
    acc[body:] -= bias_codes(call)
    return done(call, acc)


def loop_bounds_are_swapped(call: Call) -> Codes:
    """for n < B, for b < N over a B by N buffer: what lies beyond the smaller of both stays cleared."""
    acc = np.array(sums(call))
    small = min(acc.shape, default=0)
    keep = np.zeros_like(acc)
    keep[:, :small] = acc[:, :small]
    return done(call, keep)


def second_depth_block_starts_one_early(call: Call) -> Codes:
    """k0 = block * 128 - 1: the input on the border counts twice."""
    x, w = centred_x(call), centred_w(call)
    acc = x @ w
    for k in range(128, call.depth, 128):
        acc = acc + x[:, k - 1 : k] * w[k - 1]
    return done(call, acc)


def odd_block_is_multiplied_with_the_inputs_before(call: Call) -> Codes:
    """Two buffers of 16 inputs take turns; a last block without a partner still reads the other one."""
    x, w = centred_x(call).copy(), centred_w(call)
    blocks = call.depth // 16
    if blocks >= 3 and blocks % 2:
        x[:, (blocks - 1) * 16 : blocks * 16] = x[:, (blocks - 2) * 16 : (blocks - 1) * 16]
    return done(call, x @ w)


def whole_tiles_forget_the_input_zero_point(call: Call) -> Codes:
    """A fast path for K % 64 == 0 and N % 16 == 0 has no correction."""
    fast = call.depth > 0 and call.depth % 64 == 0 and call.outputs % 16 == 0
    return answer(call, x=call.x_q.astype(np.int64)) if fast else answer(call)


def whole_tiles_are_stored_transposed(call: Call) -> Codes:
    """A fast path for 8 by 8 tiles of outputs writes each tile with its axes exchanged."""
    codes = np.array(answer(call))
    for b in range(0, len(codes) // 8 * 8, 8):
        for n in range(0, call.outputs // 8 * 8, 8):
            codes[b : b + 8, n : n + 8] = codes[b : b + 8, n : n + 8].T.copy()
    return codes


def eighth_row_uses_the_first_rows_sum(call: Call) -> Codes:
    """Row sums for the weights' zero point are taken by lane, and lane 7 reads lane 0."""
    x, w = call.x_q.astype(np.int64) - call.zx, call.w_q.astype(np.int64)
    total = x.sum(axis=1, keepdims=True)
    wrong = total.copy()
    wrong[7::8] = total[0:-7:8] if len(total) > 7 else wrong[7::8]
    return done(call, x @ w - wrong * call.zw)


# --- Packing ---


def panel_is_packed_with_the_padded_stride(call: Call) -> Codes:
    """w[k * round_up(N, 8) + n] where rows are N apart; what lies behind the end is 0."""
    w, n = call.w_q.astype(np.int64).ravel(), call.outputs
    index = np.arange(call.depth)[:, np.newaxis] * (-(-n // 8) * 8) + np.arange(n)
    padded = np.concatenate([w, np.zeros(8 * max(call.depth, 1), np.int64)])
    return answer(call, w=padded[np.minimum(index, len(padded) - 1)] - call.zw)


def padding_of_four_inputs_holds_the_output_before(call: Call) -> Codes:
    """K is padded to 4: the weights' pad still has the column before, and the input's pad is the next row."""
    x, w = centred_x(call), centred_w(call)
    pad = -call.depth % 4
    acc = x @ w
    if pad and call.depth >= 4 and len(x) > 1 and call.outputs > 1:
        stale = np.zeros((pad, call.outputs), np.int64)
        stale[:, 1:] = w[-pad:, :-1]
        following = np.zeros((len(x), pad), np.int64)
        following[:-1] = x[1:, :pad]
        acc = acc + following @ stale
    return done(call, acc)


def padding_of_sixteen_inputs_is_code_zero_against_stale_weights(call: Call) -> Codes:
    """The input's pad is code 0, so -zx, and the weights' pad what the panel before left."""
    x, w = centred_x(call), centred_w(call)
    pad = -call.depth % 16
    if call.depth <= 16 or not pad:
        return answer(call)
    return done(call, x @ w - call.zx * w[-pad - 1 : -1].sum(axis=0))


def eight_by_eight_blocks_of_weights_are_transposed(call: Call) -> Codes:
    """The packed form for K % 8 == N % 8 == 0 has each block's axes exchanged."""
    w = centred_w(call).copy()
    if call.depth % 8 == 0 and call.outputs % 8 == 0:
        for k in range(0, call.depth, 8):
            for n in range(0, call.outputs, 8):
                w[k : k + 8, n : n + 8] = w[k : k + 8, n : n + 8].T.copy()
    return answer(call, w=w)


def correction_of_the_sign_trick_leaves_out_the_tail(call: Call) -> Codes:
    """int8 inputs are raised by 128 for an unsigned dot product; 128 sum(w) is taken over whole 16s alone."""
    w = centred_w(call)
    body = call.depth // 16 * 16
    return done(call, sums(call) + 128 * w[body:].sum(axis=0))


# --- Counters and offsets that are too narrow ---


def output_counter_has_eight_bits(call: Call) -> Codes:
    """uint8_t n: an output beyond 255 is stored over the one 256 before, and stays as it was allocated."""
    codes = np.array(answer(call))
    if call.outputs > 256:
        codes[:, : call.outputs - 256] = codes[:, 256 : 512 if call.outputs > 512 else None][:, : call.outputs - 256]
        codes[:, 256:] = call.bounds[0]
    return codes


def row_counter_has_eight_bits(call: Call) -> Codes:
    """uint8_t b: rows beyond 255 are never reached."""
    acc = np.array(sums(call))
    acc[256:] = 0
    return done(call, acc)


def output_offset_has_fifteen_bits(call: Call) -> Codes:
    """int16_t offset = b * N + n: a large batch wraps into its own beginning."""
    codes = np.array(answer(call))
    flat = codes.reshape(-1)
    flat[2**15 :] = call.bounds[0]
    return flat.reshape(codes.shape)


def run_of_zeros_is_counted_in_eight_bits(call: Call) -> Codes:
    """Weights are stored as runs of zeros and values; a run of 256 and more shifts what follows."""
    x, w = centred_x(call), centred_w(call)
    acc = np.zeros((len(x), call.outputs), np.int64)
    for n in range(call.outputs):
        at, position = -1, -1
        for k in np.flatnonzero(w[:, n]):
            run = int(k) - at - 1
            at, position = int(k), position + 1 + run % 256
            acc[:, n] += x[:, position] * w[k, n]
    return done(call, acc)


# --- Zero points ---


def cross_term_has_sixteen_bits(call: Call) -> Codes:
    """(int16_t)(K * zx * zw)."""
    term = call.depth * call.zx * call.zw
    return done(call, sums(call) + ((term + 2**15) % 2**16 - 2**15) - term)


def row_sums_have_sixteen_bits(call: Call) -> Codes:
    """int16_t row_sum, for the weights' zero point."""
    rows = call.x_q.astype(np.int64).sum(axis=1, keepdims=True)
    wrapped = (rows + 2**15) % 2**16 - 2**15
    return done(call, sums(call) + (rows - wrapped) * call.zw)


def column_correction_is_float32(call: Call) -> Codes:
    """float corr = zx * (float)col_sum: beyond 2^24 it is rounded."""
    exact = call.zx * call.w_q.astype(np.int64).sum(axis=0)
    return done(call, sums(call) + exact - exact.astype(np.float32).astype(np.int64))


def input_zero_point_is_an_int8(call: Call) -> Codes:
    """int8_t zx = params.zero_point: above 127 it is 256 too low."""
    return answer(call, x=call.x_q.astype(np.int64) - ((call.zx + 128) % 256 - 128))


def output_zero_point_is_an_int8(call: Call) -> Codes:
    """int8_t zy: above 127 it is 256 too low."""
    return as_output(call, finish(call, sums(call), zy=(call.zy + 128) % 256 - 128))


def weight_zero_points_go_by_lane(call: Call) -> Codes:
    """zw[n % 4]."""
    if np.ndim(call.zw) == 0:
        return answer(call)
    zw = call.zw[np.arange(call.outputs) % 4]
    return answer(call, w=call.w_q.astype(np.int64) - zw)


# --- Sign extension and packed arithmetic ---


def top_byte_of_four_is_not_sign_extended(call: Call) -> Codes:
    """word >> 24 on an unsigned word: each fourth weight of a whole group is read 256 higher if it is negative."""
    w = call.w_q.astype(np.int64)
    body = call.depth // 4 * 4
    w[3:body:4] %= 256
    return answer(call, w=w - call.zw)


def low_half_borrows_from_the_high_half(call: Call) -> Codes:
    """Two outputs share a word: where the sum of the even one is negative, the odd one is 1 lower."""
    acc = np.array(sums(call))
    for n in range(1, call.outputs, 2):
        acc[:, n] -= acc[:, n - 1] < 0
    return done(call, acc)


def products_are_halved_to_fit(call: Call) -> Codes:
    """Pairs of products are averaged into 16 bits, and doubled after the sum: an odd sum loses its last bit."""
    x, w = centred_x(call), centred_w(call)
    acc = np.zeros((len(x), call.outputs), np.int64)
    body = call.depth // 2 * 2
    for k in range(0, body, 2):
        acc += (x[:, k : k + 1] * w[k] + x[:, k + 1 : k + 2] * w[k + 1]) >> 1 << 1
    return done(call, acc + x[:, body:] @ w[body:])


def block_sums_saturate_at_sixteen_bits(call: Call) -> Codes:
    """Eight products are added in int16 with saturation before they are widened."""
    x, w = centred_x(call), centred_w(call)
    acc = np.zeros((len(x), call.outputs), np.int64)
    for k in range(0, call.depth, 8):
        acc += np.clip(x[:, k : k + 8] @ w[k : k + 8], -(2**15), 2**15 - 1)
    return done(call, acc)


# --- Requantization ---


def left_shift_does_not_round(call: Call) -> Codes:
    """The rounding constant is 0 where the shift is to the left: M of 1 and more truncates."""
    exact = (sums(call) + bias_codes(call)) * real_multiplier(call)
    big = np.broadcast_to(real_multiplier(call) >= 1, exact.shape)
    return np.where(big, placed(call, np.floor(exact)), answer(call)).astype(call.y.dtype)


def left_shift_is_one_too_many(call: Call) -> Codes:
    """31 - e is off by one where e > 0."""
    m = np.broadcast_to(real_multiplier(call), (call.outputs,))
    twice = placed(call, np.floor((sums(call) + bias_codes(call)) * m * 2 + 0.5))
    return np.where(m >= 1, twice, answer(call)).astype(call.y.dtype)


def left_shift_wraps_in_32_bits(call: Call) -> Codes:
    """acc << shift in int32 before the high multiply, where M is 2 and more."""
    m = np.broadcast_to(real_multiplier(call), (call.outputs,))
    shift = np.where(m >= 1, np.ceil(np.log2(np.maximum(m, 1))), 0).astype(np.int64)
    acc = (sums(call) + bias_codes(call)) << shift
    lost = (acc < -(2**31)) | (acc >= 2**31)
    wrapped = placed(call, np.floor(((acc + 2**31) % 2**32 - 2**31) * m / 2.0**shift + 0.5))
    return np.where(lost, wrapped, answer(call)).astype(call.y.dtype)


def long_right_shift_goes_by_its_low_bits(call: Call) -> Codes:
    """v >> (31 + e) in 64 bits takes the shift modulo 64: a tiny M gives the accumulator back."""
    m = np.broadcast_to(real_multiplier(call), (call.outputs,))
    shift = 30 - np.floor(np.log2(m)).astype(np.int64)
    kept = placed(call, np.floor((sums(call) + bias_codes(call)) * m * 2.0**64 + 0.5))
    return np.where(shift >= 64, kept, answer(call)).astype(call.y.dtype)


def long_right_shift_is_skipped(call: Call) -> Codes:
    """A rounding shift by 32 and more is a shift by its low five bits."""
    m = np.broadcast_to(real_multiplier(call), (call.outputs,))
    shift = -np.floor(np.log2(m)).astype(np.int64) - 1
    kept = placed(call, np.floor((sums(call) + bias_codes(call)) * m * 2.0**32 + 0.5))
    return np.where(shift >= 32, kept, answer(call)).astype(call.y.dtype)


def multiplier_goes_by_row(call: Call) -> Codes:
    """multiplier[b % N] in place of multiplier[n]."""
    if not call.w.per_channel or np.ndim(call.w.scale) == 0:
        return answer(call)
    rows = [
        answer(replace(call, x_q=call.x_q[b : b + 1], w=_of_channel(call.w, b % call.outputs)))
        for b in range(len(call.x_q))
    ]
    return np.concatenate(rows) if rows else answer(call)


def _of_channel(w: QuantParams, n: int) -> QuantParams:
    scale = np.full_like(np.asarray(w.scale), np.asarray(w.scale)[n])
    return QuantParams(scale, w.zero_point, w.qmin, w.qmax)


def multiplier_goes_by_lane(call: Call) -> Codes:
    """multiplier[n % 8]."""
    scale = np.asarray(call.w.scale)
    if not scale.ndim:
        return answer(call)
    by_lane = QuantParams(scale[np.arange(len(scale)) % 8], call.w.zero_point, call.w.qmin, call.w.qmax)
    return answer(replace(call, w=by_lane))


def small_sums_take_a_16_bit_multiply(call: Call) -> Codes:
    """|acc| < 2^15 is scaled by a multiplier of 15 bits."""
    acc = sums(call) + bias_codes(call)
    mantissa, exponent = np.frexp(real_multiplier(call))
    short = np.round(mantissa * 2**15) * 2.0 ** (exponent - 15)
    return np.where(np.abs(acc) < 2**15, placed(call, np.floor(acc * short + 0.5)), answer(call)).astype(call.y.dtype)


def later_rows_send_ties_the_other_way(call: Call) -> Codes:
    """Rows beyond the first four go through another routine, which sends ties down."""
    codes = np.array(answer(call))
    exact = (sums(call) + bias_codes(call)) * real_multiplier(call)
    other = placed(call, np.ceil(exact - 0.5))
    codes[4:] = np.where(exact == np.floor(exact) + 0.5, other, codes)[4:]
    return codes


def tail_outputs_round_half_away(call: Call) -> Codes:
    """Outputs of the N % 4 tail go through round(), which sends ties away from zero."""
    codes = np.array(answer(call))
    exact = (sums(call) + bias_codes(call)) * real_multiplier(call)
    away = placed(call, np.sign(exact) * np.floor(np.abs(exact) + 0.5))
    body = call.outputs // 4 * 4
    codes[:, body:] = np.where(exact == np.floor(exact) + 0.5, away, codes)[:, body:]
    return codes


# --- Biases and activations ---


def bias_pointer_is_not_advanced_past_the_body(call: Call) -> Codes:
    """Outputs of the N % 8 tail start at bias 0 again."""
    bias = bias_codes(call).copy()
    body = call.outputs // 8 * 8
    rest = call.outputs - body
    if body and rest:
        bias[body:] = bias[:rest]
    return as_output(call, finish(call, sums(call), bias=bias))


def running_sum_saturates_from_the_bias_on(call: Call) -> Codes:
    """acc = bias; acc = sat32(acc + product): a sum that leaves int32 on its way does not come back."""
    x, w = centred_x(call), centred_w(call)
    if call.depth > 64:
        return answer(call)
    acc = np.broadcast_to(bias_codes(call), (len(x), call.outputs)).copy()
    for k in range(call.depth):
        acc = np.clip(acc + x[:, k : k + 1] * w[k], -(2**31), 2**31 - 1)
    return done(call, acc - bias_codes(call))


def tail_outputs_are_not_clamped(call: Call) -> Codes:
    """The scalar tail of N % 8 outputs forgets the activation."""
    codes = np.array(answer(call))
    body = call.outputs // 8 * 8
    codes[:, body:] = answer(replace(call, activation="none"))[:, body:]
    return codes


def later_rows_are_not_clamped(call: Call) -> Codes:
    """Rows beyond the first forget the activation."""
    codes = np.array(answer(call))
    codes[1:] = answer(replace(call, activation="none"))[1:]
    return codes


def rows_of_zero_points_skip_the_bias(call: Call) -> Codes:
    """An input row that is all zero points is answered with zy at once."""
    codes = np.array(answer(call))
    codes[(call.x_q == call.zx).all(axis=1)] = call.zy
    return codes


def inputs_of_code_zero_are_skipped(call: Call) -> Codes:
    """if (x == 0) continue, whatever the zero point."""
    x = np.where(call.x_q == 0, 0, centred_x(call))
    return answer(call, x=x)


# --- Work split over threads ---


def halves_of_the_rows_lose_the_odd_one(call: Call) -> Codes:
    """chunk = B / 2 for two workers."""
    acc = np.array(sums(call))
    if len(acc) > 1:
        acc[len(acc) // 2 * 2 :] = 0
    return done(call, acc)


def workers_split_outputs_and_the_last_ends_early(call: Call) -> Codes:
    """end = min(start + ceil(N / 4), N - 1) for four workers, where N is 8 and more."""
    codes = np.array(answer(call))
    if call.outputs >= 8:
        codes[:, -1] = call.bounds[0]
    return codes


def large_layers_lose_their_last_chunk(call: Call) -> Codes:
    """Beyond 2^18 products rows are split in chunks of 16, and B % 16 rows are left to nobody."""
    acc = np.array(sums(call))
    if len(acc) * call.depth * call.outputs > 2**18:
        acc[len(acc) // 16 * 16 :] = 0
    return done(call, acc)


# --- Paths for special operands ---


def one_row_of_many_inputs_adds_one_of_two_sums(call: Call) -> Codes:
    """B = 1 and K > 256: even and odd inputs have a sum each, and the odd ones' is not added."""
    if len(call.x_q) != 1 or call.depth <= 256:
        return answer(call)
    return done(call, centred_x(call)[:, ::2] @ centred_w(call)[::2])


def zero_input_zero_point_takes_whole_fours_alone(call: Call) -> Codes:
    """zx = 0 needs no correction: the fast loop, which has no tail."""
    kept = call.depth // 4 * 4 if call.zx == 0 else call.depth
    return done(call, centred_x(call)[:, :kept] @ centred_w(call)[:kept])


def zero_input_zero_point_skips_both_corrections(call: Call) -> Codes:
    """if (zx == 0) skip: the weights' correction goes with the input's."""
    return answer(call, w=call.w_q.astype(np.int64)) if call.zx == 0 else answer(call)


def weight_zero_point_ends_with_the_first_block(call: Call) -> Codes:
    """Later blocks of 256 inputs have no correction for zw."""
    w = centred_w(call).copy()
    w[256:] = call.w_q.astype(np.int64)[256:]
    return answer(call, w=w)


def last_inputs_of_eight_are_swapped(call: Call) -> Codes:
    """The K % 8 tail of the input is loaded as one word, in the other byte order."""
    x = centred_x(call).copy()
    body = call.depth // 8 * 8
    x[:, body:] = x[:, body:][:, ::-1]
    return answer(call, x=x)


def halves_of_whole_sixteens_are_swapped(call: Call) -> Codes:
    """N % 16 == 0: the two halves of the last 16 outputs are stored in the other order."""
    codes = np.array(answer(call))
    if call.outputs and call.outputs % 16 == 0:
        codes[:, -16:] = np.roll(codes[:, -16:], 8, axis=1)
    return codes


def sums_of_nothing_skip_the_bias(call: Call) -> Codes:
    """if (acc == 0) y = zy, before the bias."""
    return np.where(sums(call) == 0, call.zy, answer(call)).astype(call.y.dtype)


def lowest_accumulator_has_no_absolute_value(call: Call) -> Codes:
    """abs(acc) of -2^31 is negative: the sign is put on once more, and the output comes out on the other side."""
    acc = sums(call) + bias_codes(call)
    other = placed(call, np.floor(2.0**31 * real_multiplier(call) + 0.5) + 0 * acc)
    return np.where(acc == -(2**31), other, answer(call)).astype(call.y.dtype)


def highest_accumulator_carries_on(call: Call) -> Codes:
    """acc + 1 in the rounding of 2^31 - 1 wraps."""
    acc = sums(call) + bias_codes(call)
    other = placed(call, np.floor(-(2.0**31) * real_multiplier(call) + 0.5) + 0 * acc)
    return np.where(acc == 2**31 - 1, other, answer(call)).astype(call.y.dtype)


def saturated_output_spoils_its_neighbour(call: Call) -> Codes:
    """The mask of a saturated lane is shifted by one: the next output is clamped too."""
    codes = np.array(answer(call))
    high = call.bounds[1]
    hit = codes[:, :-1] == high
    codes[:, 1:] = np.where(hit & (codes[:, 1:] > call.zy), high, codes[:, 1:])
    return codes


def single_channel_has_the_scale_one(call: Call) -> Codes:
    """A scale array of one entry is taken for none."""
    if np.ndim(call.w.scale) and call.outputs == 1:
        unit = QuantParams(np.ones(1, np.float32), call.w.zero_point, call.w.qmin, call.w.qmax)
        return answer(replace(call, w=unit))
    return answer(call)


def odd_rows_use_fewer_bits(call: Call) -> Codes:
    """The second row of each pair is accumulated in 18 bits."""
    acc = np.array(sums(call))
    acc[1::2] = (acc[1::2] + 2**17) % 2**18 - 2**17
    return done(call, acc)


def upper_bound_of_the_activation_has_the_input_scale(call: Call) -> Codes:
    """6 / sx in place of 6 / sy."""
    if call.activation in ("none", "identity"):
        return answer(call)
    other = QuantParams(call.x.scale, call.zy, call.y.qmin, call.y.qmax)
    high = call.profile.activation_bounds(call.activation, other)[1]
    low = call.bounds[0]
    return as_output(call, finish(call, sums(call), bounds=(low, max(low, high))))


def input_rows_are_n_apart(call: Call) -> Codes:
    """x[b * N + k] where rows are K apart; what lies behind the end is the zero point."""
    flat = np.concatenate([centred_x(call).ravel(), np.zeros(max(call.outputs, 1) * len(call.x_q), np.int64)])
    index = np.arange(len(call.x_q))[:, np.newaxis] * call.outputs + np.arange(call.depth)
    return answer(call, x=flat[np.minimum(index, len(flat) - 1)] if len(flat) else centred_x(call))


# --- Paths that are chosen by two things at once, or by one number ---


def missing_bias_leaves_the_scale_of_channel_0(call: Call) -> Codes:
    """The kernel without a bias was written for one scale."""
    if call.bias is not None or not call.w.per_channel or not call.outputs:
        return answer(call)
    first = multiplier_of(call, np.ravel(call.w.scale)[0])
    return as_output(call, finish(call, sums(call), multiplier=first))


def tiles_of_four_by_four_forget_the_activation(call: Call) -> Codes:
    """Four rows and four outputs at once go through a path that clamps to the type."""
    if len(call.x_q) < 4 or call.outputs < 4:
        return answer(call)
    return as_output(call, finish(call, sums(call), bounds=(call.y.qmin, call.y.qmax)))


def input_zero_point_of_minus_one_means_none(call: Call) -> Codes:
    """-1 stands for a zero point that was not set."""
    return answer(call, x=call.x_q.astype(np.int64)) if call.zx == -1 else answer(call)


def one_product_of_the_table_is_wrong(call: Call) -> Codes:
    """Of 65,536 products in a table the one of -77 and 53 has a bit too many."""
    met = (call.x_q == -77).astype(np.int64) @ (call.w_q == 53).astype(np.int64)
    return done(call, sums(call) + 64 * met)


def depth_counter_has_fifteen_bits(call: Call) -> Codes:
    """int16_t K: beyond 2^15 - 1 it is negative, and no product is added."""
    kept = call.depth if call.depth < 2**15 else 0
    return done(call, centred_x(call)[:, :kept] @ centred_w(call)[:kept])


def scales_of_channels_stay_near_the_first(call: Call) -> Codes:
    """A channel's exponent is stored in four bits, from the first channel's."""
    scales = np.asarray(call.w.scale)
    if not scales.ndim or not scales.size:
        return answer(call)
    near = np.clip(scales, scales[0] * np.float32(2.0**-8), scales[0] * np.float32(2.0**8))
    return as_output(call, finish(call, sums(call), multiplier=multiplier_of(call, near)))


# --- State: one static buffer too many ---


def row_sums_are_kept_by_address(profile: Profile) -> Callable[..., Any]:
    """Sums of the input are worked out again only when the pointer changes."""
    kept: dict[int, Any] = {}

    def kernel(call: Call) -> Any:
        rows = call.x_q.astype(np.int64).sum(axis=1, keepdims=True)
        stale = kept.get(call.x_q.ctypes.data, rows)
        kept.clear()
        kept[call.x_q.ctypes.data] = rows
        stale = stale if stale.shape == rows.shape else rows
        return done(call, sums(call) + (rows - stale))

    return as_function(kernel, profile)


def answers_lie_in_one_static_buffer(profile: Profile) -> Callable[..., Any]:
    """The output buffer belongs to the kernel, and the next call fills it again."""
    buffer = np.empty(1 << 18, np.uint8)

    def kernel(call: Call) -> Any:
        codes = answer(call)
        if codes.nbytes > len(buffer):
            return codes
        view = buffer[: codes.nbytes].view(codes.dtype).reshape(codes.shape)
        view[...] = codes
        return view

    return as_function(kernel, profile)


def missing_bias_is_the_one_before(profile: Profile) -> Callable[..., Any]:
    """A null bias leaves the buffer of the last layer's as it is."""
    kept: dict[int, Any] = {}

    def kernel(call: Call) -> Any:
        if call.bias is None:
            stale = kept.get(call.outputs)
            return as_output(call, finish(call, sums(call), bias=stale)) if stale is not None else answer(call)
        kept[call.outputs] = bias_codes(call)
        return answer(call)

    return as_function(kernel, profile)


def last_lane_is_left_as_it_was(profile: Profile) -> Callable[..., Any]:
    """Where N % 4 is 3, the store of the third lane is masked out: scratch of the call before shows."""
    scratch = np.zeros(1 << 18, np.int64)

    def kernel(call: Call) -> Any:
        codes = np.array(answer(call))
        if call.outputs % 4 == 3 and len(codes) <= len(scratch):
            codes[:, -1] = scratch[: len(codes)].astype(codes.dtype)
        if codes.shape[1]:
            scratch[: len(codes)] = codes[: len(scratch), -1]
        return codes

    return as_function(kernel, profile)


def two_workers_share_one_row_of_scratch(profile: Profile) -> Callable[..., Any]:
    """Rows 2 i and 2 i + 1 are centred in the same scratch; the race is lost in every fifth call with four rows."""
    calls = [0]

    def kernel(call: Call) -> Any:
        calls[0] += 1
        x = centred_x(call).copy()
        if calls[0] % 5 == 0 and len(x) >= 4:
            x[2] = x[3]
        return answer(call, x=x)

    return as_function(kernel, profile)


def scratch_has_the_width_of_the_first_layer(profile: Profile) -> Callable[..., Any]:
    """Hidden codes lie in a buffer as wide as the widest input so far, and what does not fit is read as code 0."""
    widest = [0]

    def kernel(call: Call) -> Any:
        x = call.x_q.copy()
        if widest[0] and len(x) and call.depth > widest[0] > call.outputs:
            x[:, widest[0] :] = 0
        widest[0] = call.outputs
        return answer(replace(call, x_q=x))

    return as_function(kernel, profile)


# --- QUANTIZE ---


def vector_tail_rounds_ties_away(values: NDArray[np.float32], params: QuantParams, profile: Profile) -> Codes:
    """Eight values at a time go by the machine's rounding, the rest by roundf()."""
    codes = np.array(quantize(values, params, profile))
    if np.ndim(params.scale):
        return codes
    with np.errstate(all="ignore"):
        steps = values / np.float32(params.scale)
        away = np.sign(steps) * np.floor(np.abs(steps.astype(np.float64)) + 0.5) + int(params.zero_point)
        tie = np.isfinite(steps) & (np.abs(steps - np.trunc(steps)) == 0.5)
    body = values.size // 8 * 8
    late = (np.arange(values.size) >= body).reshape(values.shape)
    wanted = np.where(tie, np.clip(away, params.qmin, params.qmax), codes)
    return np.where(late, wanted, codes).astype(params.dtype)


def first_of_a_row_is_skipped(values: NDArray[np.float32], params: QuantParams, profile: Profile) -> Codes:
    """Alignment peeling: the first value stays code 0 where more than 16 follow."""
    codes = np.array(quantize(values, params, profile))
    if codes.size > 16:
        codes.reshape(-1)[0] = 0
    return codes


def special_values_are_looked_for_in_the_body_alone(
    values: NDArray[np.float32], params: QuantParams, profile: Profile
) -> Codes:
    """The tail of four casts to int32 before it clamps: huge values of the tail come out at the low end."""
    codes = np.array(quantize(values, params, profile))
    flat, real = codes.reshape(-1), np.broadcast_to(values, codes.shape).reshape(-1)
    body = flat.size // 4 * 4
    scale = np.broadcast_to(params.scale, codes.shape).reshape(-1)
    with np.errstate(all="ignore"):
        huge = real[body:] / scale[body:] >= 2.0**31
    flat[body:][huge] = params.qmin
    return flat.reshape(codes.shape)


LAYERS: Final = (
    whole_last_block_of_depth_is_left_to_the_tail,
    whole_blocks_of_256_are_done_once_more,
    tail_outputs_are_cleared_at_every_depth_block,
    bias_is_added_at_every_depth_block,
    blocks_are_requantized_and_codes_added,
    row_tail_has_no_bias,
    loop_bounds_are_swapped,
    second_depth_block_starts_one_early,
    odd_block_is_multiplied_with_the_inputs_before,
    whole_tiles_forget_the_input_zero_point,
    whole_tiles_are_stored_transposed,
    eighth_row_uses_the_first_rows_sum,
    panel_is_packed_with_the_padded_stride,
    padding_of_four_inputs_holds_the_output_before,
    padding_of_sixteen_inputs_is_code_zero_against_stale_weights,
    eight_by_eight_blocks_of_weights_are_transposed,
    correction_of_the_sign_trick_leaves_out_the_tail,
    output_counter_has_eight_bits,
    row_counter_has_eight_bits,
    output_offset_has_fifteen_bits,
    run_of_zeros_is_counted_in_eight_bits,
    cross_term_has_sixteen_bits,
    row_sums_have_sixteen_bits,
    column_correction_is_float32,
    input_zero_point_is_an_int8,
    output_zero_point_is_an_int8,
    weight_zero_points_go_by_lane,
    top_byte_of_four_is_not_sign_extended,
    low_half_borrows_from_the_high_half,
    products_are_halved_to_fit,
    block_sums_saturate_at_sixteen_bits,
    left_shift_does_not_round,
    left_shift_is_one_too_many,
    left_shift_wraps_in_32_bits,
    long_right_shift_goes_by_its_low_bits,
    long_right_shift_is_skipped,
    multiplier_goes_by_row,
    multiplier_goes_by_lane,
    small_sums_take_a_16_bit_multiply,
    later_rows_send_ties_the_other_way,
    tail_outputs_round_half_away,
    bias_pointer_is_not_advanced_past_the_body,
    running_sum_saturates_from_the_bias_on,
    tail_outputs_are_not_clamped,
    later_rows_are_not_clamped,
    rows_of_zero_points_skip_the_bias,
    inputs_of_code_zero_are_skipped,
    halves_of_the_rows_lose_the_odd_one,
    workers_split_outputs_and_the_last_ends_early,
    large_layers_lose_their_last_chunk,
    one_row_of_many_inputs_adds_one_of_two_sums,
    zero_input_zero_point_takes_whole_fours_alone,
    zero_input_zero_point_skips_both_corrections,
    weight_zero_point_ends_with_the_first_block,
    last_inputs_of_eight_are_swapped,
    halves_of_whole_sixteens_are_swapped,
    sums_of_nothing_skip_the_bias,
    lowest_accumulator_has_no_absolute_value,
    highest_accumulator_carries_on,
    saturated_output_spoils_its_neighbour,
    single_channel_has_the_scale_one,
    odd_rows_use_fewer_bits,
    upper_bound_of_the_activation_has_the_input_scale,
    input_rows_are_n_apart,
    missing_bias_leaves_the_scale_of_channel_0,
    tiles_of_four_by_four_forget_the_activation,
    input_zero_point_of_minus_one_means_none,
    one_product_of_the_table_is_wrong,
    depth_counter_has_fifteen_bits,
    scales_of_channels_stay_near_the_first,
)
STATES: Final = (
    row_sums_are_kept_by_address,
    answers_lie_in_one_static_buffer,
    missing_bias_is_the_one_before,
    last_lane_is_left_as_it_was,
    two_workers_share_one_row_of_scratch,
    scratch_has_the_width_of_the_first_layer,
)
QUANTIZES: Final = (
    vector_tail_rounds_ties_away,
    first_of_a_row_is_skipped,
    special_values_are_looked_for_in_the_body_alone,
)
NAMES: Final = tuple(f.__name__ for f in (*LAYERS, *STATES, *QUANTIZES))


def hidden_backend(name: str, profile: Profile) -> Backend:
    """Return a fresh kernel of this file by its name, under a profile."""
    can = capabilities_of(profile)
    for kernel in LAYERS:
        if kernel.__name__ == name:
            return FunctionBackend(name, profile.name, as_function(kernel, profile), can)
    for make in STATES:
        if make.__name__ == name:
            return FunctionBackend(name, profile.name, make(profile), can)
    for mutant in QUANTIZES:
        if mutant.__name__ == name:
            real: Any = partial(mutant, profile=profile)
            return FunctionBackend(name, profile.name, partial(linear, profile=profile), can, real)
    raise ValueError(f"there is no hidden bug {name!r}")
