"""Bugs of particular shapes: square, empty, single; transposes that only a non-square layer shows.

Legend: call one layer's operands under a profile; each function returns its output codes (B, N).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from npquant.arrays import Codes
from npquant.testing.bugs.honest import Call, answer, as_output, bias_codes, centred_w, centred_x, finish, product, sums
from npquant.testing.bugs.zero_points import input_zero_point_is_forgotten


def weights_are_transposed(call: Call) -> Codes:
    """w.T, reshaped to fit."""
    return answer(replace(call, w_q=np.ascontiguousarray(call.w_q.T).reshape(call.w_q.shape)))


def square_weights_are_transposed(call: Call) -> Codes:
    """The layout is guessed by shape: only N = K goes wrong."""
    square = call.depth == call.outputs
    return answer(replace(call, w_q=np.ascontiguousarray(call.w_q.T)) if square else call)


def square_inputs_are_transposed(call: Call) -> Codes:
    """The layout is guessed by shape: only B = K goes wrong."""
    square = call.x_q.shape[0] == call.x_q.shape[1]
    return answer(replace(call, x_q=np.ascontiguousarray(call.x_q.T)) if square else call)


def empty_batch_divides_by_zero(call: Call) -> Codes:
    """A block size is computed from B."""
    block = 256 // len(call.x_q) + 1
    rows = [answer(replace(call, x_q=call.x_q[i : i + block])) for i in range(0, len(call.x_q), block)]
    return np.concatenate(rows)


def empty_batch_gives_one_row(call: Call) -> Codes:
    """max(B, 1) rows."""
    codes = answer(call)
    return codes if len(codes) else np.zeros((1, call.outputs), codes.dtype)


def empty_depth_fails(call: Call) -> Codes:
    """The first product initializes the accumulator."""
    x, w = centred_x(call), centred_w(call)
    acc = x[:, 0:1] * w[0]
    for k in range(1, call.depth):
        acc = acc + x[:, k : k + 1] * w[k]
    return as_output(call, finish(call, acc))


def empty_depth_gives_the_zero_point(call: Call) -> Codes:
    """K = 0 returns early, without the bias."""
    return answer(call) if call.depth else as_output(call, np.full((len(call.x_q), call.outputs), call.zy))


def empty_depth_gives_zeros(call: Call) -> Codes:
    """K = 0 returns the cleared buffer."""
    return answer(call) if call.depth else np.zeros((len(call.x_q), call.outputs), call.y.dtype)


def single_output_is_broadcast_by_its_first_row(call: Call) -> Codes:
    """N = 1 takes a path that reads one row."""
    codes = answer(call)
    return np.broadcast_to(codes[:1], codes.shape).copy() if call.outputs == 1 and len(codes) else codes


def single_row_takes_its_bias_from_output_0(call: Call) -> Codes:
    """B = 1 takes a path that broadcasts bias[0]."""
    if len(call.x_q) != 1 or not call.outputs:
        return answer(call)
    bias = bias_codes(call)
    return as_output(call, finish(call, sums(call), bias=np.broadcast_to(bias[:1], bias.shape)))


def single_input_skips_the_zero_point(call: Call) -> Codes:
    """K = 1 takes a path without the input's zero point."""
    return input_zero_point_is_forgotten(call) if call.depth == 1 else answer(call)


def more_than_64_outputs_repeat(call: Call) -> Codes:
    """The output index is kept in 6 bits."""
    codes = answer(call)
    return codes[:, np.arange(call.outputs) % 64]


def more_than_255_inputs_are_cut(call: Call) -> Codes:
    """K is kept in 8 bits."""
    kept = call.depth % 256
    return as_output(call, finish(call, product(centred_x(call)[:, :kept], centred_w(call)[:kept])))


def more_than_32_rows_repeat_the_first(call: Call) -> Codes:
    """Rows are done in blocks of 32, and the block's offset is forgotten."""
    codes = answer(call)
    return codes[np.arange(len(codes)) % 32]


def unit_multiplier_skips_the_zero_point(call: Call) -> Codes:
    """A path for M = 1 forgets the input's zero point."""
    scale = np.asarray(call.x.scale, np.float64) * np.asarray(call.w.scale, np.float64)
    unit = bool(np.all(scale == np.float64(call.y.scale)))
    return input_zero_point_is_forgotten(call) if unit else answer(call)


def missing_bias_reads_as_one(call: Call) -> Codes:
    """No bias: the pointer is not checked."""
    return answer(call) if call.bias is not None else as_output(call, finish(call, sums(call) + 1))
