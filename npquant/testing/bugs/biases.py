"""Bugs of the bias: dropped, late, in the wrong scale, in too few bits, of the wrong output.

Legend: call one layer's operands under a profile; each function returns its output codes (B, N).
"""

from __future__ import annotations

import numpy as np

from npquant.arrays import Codes, Int64
from npquant.testing.bugs.honest import Call, as_output, bias_codes, finish, sums


def _with(call: Call, bias: Int64) -> Codes:
    return as_output(call, finish(call, sums(call), bias=np.clip(bias, -(2**31), 2**31 - 1)))


def is_dropped(call: Call) -> Codes:
    """No bias."""
    return _with(call, np.zeros_like(bias_codes(call)))


def is_subtracted(call: Call) -> Codes:
    """- bias."""
    return _with(call, -bias_codes(call))


def is_added_twice(call: Call) -> Codes:
    """Once to initialize the accumulator, and again at the end."""
    return _with(call, 2 * bias_codes(call))


def is_added_after_scaling(call: Call) -> Codes:
    """Added to the codes, before they are clamped again."""
    none = np.zeros_like(bias_codes(call))
    codes = np.asarray(finish(call, sums(call), bias=none), np.int64)
    return as_output(call, np.clip(codes + bias_codes(call), *call.bounds))


def is_one_too_large(call: Call) -> Codes:
    """+ 1."""
    return _with(call, bias_codes(call) + 1)


def is_one_too_small(call: Call) -> Codes:
    """- 1."""
    return _with(call, bias_codes(call) - 1)


def has_the_input_scale(call: Call) -> Codes:
    """Taken as codes of scale sx, and converted to sx sw once more."""
    scale = np.asarray(call.w.scale, np.float64)
    return _with(call, np.rint(np.clip(bias_codes(call) / scale, -(2.0**40), 2.0**40)).astype(np.int64))


def has_the_output_scale(call: Call) -> Codes:
    """Taken as codes of scale sy."""
    m = np.asarray(call.x.scale, np.float64) * np.asarray(call.w.scale, np.float64) / np.float64(call.y.scale)
    return _with(call, np.rint(np.clip(bias_codes(call) / m, -(2.0**40), 2.0**40)).astype(np.int64))


def wraps_to_16_bits(call: Call) -> Codes:
    """int16, wrapping."""
    return _with(call, ((bias_codes(call) + 2**15) % 2**16) - 2**15)


def saturates_to_16_bits(call: Call) -> Codes:
    """int16, saturating."""
    return _with(call, np.clip(bias_codes(call), -(2**15), 2**15 - 1))


def wraps_to_8_bits(call: Call) -> Codes:
    """int8, wrapping."""
    return _with(call, ((bias_codes(call) + 128) % 256) - 128)


def has_24_bits(call: Call) -> Codes:
    """24 bits, wrapping."""
    return _with(call, ((bias_codes(call) + 2**23) % 2**24) - 2**23)


def loses_its_sign(call: Call) -> Codes:
    """|bias|."""
    return _with(call, np.abs(bias_codes(call)))


def of_output_0_serves_all(call: Call) -> Codes:
    """bias[0] everywhere."""
    bias = bias_codes(call)
    return _with(call, np.broadcast_to(bias[:1], bias.shape))


def is_indexed_by_row(call: Call) -> Codes:
    """bias[b] in place of bias[n]."""
    bias, rows = bias_codes(call), len(call.x_q)
    if not call.outputs or not rows:
        return _with(call, bias)
    by_row = bias[np.arange(rows) % call.outputs][:, np.newaxis]
    return as_output(call, finish(call, sums(call) + by_row - bias))


def is_one_output_off(call: Call) -> Codes:
    """bias[n - 1]."""
    return _with(call, np.roll(bias_codes(call), 1))


def reaches_the_first_row_only(call: Call) -> Codes:
    """Later rows start from 0."""
    acc = np.array(sums(call))
    acc[1:] -= bias_codes(call)
    return as_output(call, finish(call, acc))


def is_left_out_where_it_is_negative(call: Call) -> Codes:
    """max(bias, 0)."""
    return _with(call, np.maximum(bias_codes(call), 0))


def repeats_after_four_outputs(call: Call) -> Codes:
    """bias[n mod 4]."""
    bias = bias_codes(call)
    return _with(call, bias[np.arange(call.outputs) % 4])
