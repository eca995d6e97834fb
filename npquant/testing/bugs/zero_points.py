"""Bugs of zero points: forgotten, swapped, added where they are subtracted, or held in too few bits.

Legend: call one layer's operands under a profile; each function returns its output codes (B, N); zx, zw, zy zero
points."""

from __future__ import annotations

import numpy as np

from npquant.arrays import Codes, Int64
from npquant.testing.bugs.honest import Call, answer, as_output, bias_codes, centred_w, centred_x, finish, sums


def _raw_x(call: Call) -> Int64:
    return call.x_q.astype(np.int64)


def _raw_w(call: Call) -> Int64:
    return call.w_q.astype(np.int64)


def input_zero_point_is_forgotten(call: Call) -> Codes:
    """x_q is used as it is."""
    return answer(call, x=_raw_x(call))


def weight_zero_point_is_forgotten(call: Call) -> Codes:
    """w_q is used as it is."""
    return answer(call, w=_raw_w(call))


def input_zero_point_is_added(call: Call) -> Codes:
    """x_q + zx."""
    return answer(call, x=_raw_x(call) + call.zx)


def weight_zero_point_is_added(call: Call) -> Codes:
    """w_q + zw."""
    return answer(call, w=_raw_w(call) + call.zw)


def cross_term_is_missing(call: Call) -> Codes:
    """K zx zw is left out of the corrections."""
    return as_output(call, finish(call, sums(call) - call.depth * call.zx * call.zw))


def cross_term_has_the_wrong_sign(call: Call) -> Codes:
    """K zx zw is subtracted where it is added."""
    return as_output(call, finish(call, sums(call) - 2 * call.depth * call.zx * call.zw))


def cross_term_uses_the_padded_depth(call: Call) -> Codes:
    """K is rounded up to a multiple of 16 in the cross term."""
    padded = -(-call.depth // 16) * 16
    return as_output(call, finish(call, sums(call) + (padded - call.depth) * call.zx * call.zw))


def input_zero_points_are_swapped(call: Call) -> Codes:
    """zx is used for the weights and zw for the input."""
    return answer(call, x=_raw_x(call) - np.max(call.zw), w=_raw_w(call) - call.zx)


def input_zero_point_is_subtracted_in_8_bits_wrapping(call: Call) -> Codes:
    """x_q - zx wraps to 8 bits."""
    return answer(call, x=((centred_x(call) + 128) % 256) - 128)


def input_zero_point_is_subtracted_in_8_bits_saturating(call: Call) -> Codes:
    """x_q - zx saturates to int8."""
    return answer(call, x=np.clip(centred_x(call), -128, 127))


def weight_zero_point_is_subtracted_in_8_bits_wrapping(call: Call) -> Codes:
    """w_q - zw wraps to 8 bits."""
    return answer(call, w=((centred_w(call) + 128) % 256) - 128)


def correction_uses_sums_in_int16(call: Call) -> Codes:
    """Column sums of the weights, for the correction by zx, wrap to int16."""
    columns = _raw_w(call).sum(axis=0)
    wrapped = ((columns + 2**15) % 2**16) - 2**15
    return as_output(call, finish(call, sums(call) + call.zx * (columns - wrapped)))


def correction_is_applied_twice(call: Call) -> Codes:
    """zx sum w is folded into the bias and subtracted again."""
    return as_output(call, finish(call, sums(call) - call.zx * centred_w(call).sum(axis=0)))


def output_zero_point_is_forgotten(call: Call) -> Codes:
    """Nothing is added."""
    return as_output(call, finish(call, sums(call), zy=0))


def output_zero_point_is_subtracted(call: Call) -> Codes:
    """- zy in place of + zy."""
    return as_output(call, finish(call, sums(call), zy=-call.zy))


def output_zero_point_is_read_as_unsigned(call: Call) -> Codes:
    """A negative zy is read 256 higher."""
    return as_output(call, finish(call, sums(call), zy=call.zy % 256))


def output_zero_point_is_the_inputs(call: Call) -> Codes:
    """zx is added in place of zy."""
    return as_output(call, finish(call, sums(call), zy=call.zx))


def output_zero_point_is_added_before_scaling(call: Call) -> Codes:
    """zy is added to the accumulator."""
    return as_output(call, finish(call, sums(call) + call.zy, zy=0))


def output_zero_point_wraps_in_16_bits(call: Call) -> Codes:
    """steps + zy wraps in int16 before the clamp."""
    steps = np.asarray(finish(call, sums(call), zy=0, bounds=(-(2**30), 2**30)), np.int64)
    wrapped = ((steps + call.zy + 2**15) % 2**16) - 2**15
    return as_output(call, np.clip(wrapped, *call.bounds))


def output_zero_point_is_odd_only(call: Call) -> Codes:
    """The lowest bit of zy is lost."""
    return as_output(call, finish(call, sums(call), zy=call.zy & ~1))


def codes_are_rebiased_without_the_zero_point(call: Call) -> Codes:
    """XOR 0x80 makes int8 of uint8 codes, and zx stays as it was."""
    return answer(call, x=(_raw_x(call) ^ 0x80) - call.zx if call.x_q.dtype == np.uint8 else _raw_x(call) ^ ~0x7F)


def corrections_are_skipped_for_one_row(call: Call) -> Codes:
    """A path for B = 1 has no corrections."""
    return answer(call, x=_raw_x(call)) if len(call.x_q) == 1 else answer(call)


def weight_zero_points_of_channels_are_the_first(call: Call) -> Codes:
    """zw of channel 0 serves all."""
    return answer(call, w=_raw_w(call) - np.ravel(call.zw)[0])


def bias_is_centred_too(call: Call) -> Codes:
    """zx is subtracted from the bias as well."""
    return as_output(call, finish(call, sums(call), bias=bias_codes(call) - call.zx))
