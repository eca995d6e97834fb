"""Bugs of narrow lanes: codes read as another type, extreme codes left out, products that saturate or wrap in 16 bits.

Legend: call one layer's operands under a profile; each function returns its output codes (B, N).
"""

from __future__ import annotations

import numpy as np

from npquant.arrays import Codes, Int64
from npquant.testing.bugs.honest import Call, answer, as_output, centred_w, centred_x, finish


def _wrap16(v: Int64) -> Int64:
    return np.asarray(((v + 2**15) % 2**16) - 2**15)


def _in_groups(call: Call, size: int, narrow: object, step: int = 1) -> Codes:
    """Sum products in groups of `size` inputs, `step` apart, each group narrowed by a function of its sum."""
    x, w = centred_x(call), centred_w(call)
    acc = np.zeros((x.shape[0], w.shape[1]), np.int64)
    span = size * step
    for start in range(0, x.shape[1], span):
        for offset in range(step):
            rows = slice(start + offset, min(start + span, x.shape[1]), step)
            acc += narrow(x[:, rows] @ w[rows])  # type: ignore[operator]
    return as_output(call, finish(call, acc))


def input_is_read_as_the_other_sign(call: Call) -> Codes:
    """int8 inputs are read as uint8, or the reverse."""
    other = np.uint8 if call.x_q.dtype == np.int8 else np.int8
    return answer(call, x=call.x_q.astype(np.int64).astype(other).astype(np.int64) - call.zx)


def weights_are_read_as_unsigned(call: Call) -> Codes:
    """int8 weights are read as uint8, or the reverse."""
    other = np.uint8 if call.w_q.dtype == np.int8 else np.int8
    return answer(call, w=call.w_q.astype(np.int64).astype(other).astype(np.int64) - call.zw)


def lowest_weight_is_one_higher(call: Call) -> Codes:
    """-128 counts as -127."""
    return answer(call, w=np.maximum(call.w_q.astype(np.int64), -127) - call.zw)


def lowest_weight_is_negated_to_itself(call: Call) -> Codes:
    """abs(-128) is -128 in int8: the sign trick flips the product."""
    w = call.w_q.astype(np.int64)
    return answer(call, w=np.where(w == -128, 128, w) - call.zw)


def lowest_input_is_one_higher(call: Call) -> Codes:
    """-128 counts as -127."""
    return answer(call, x=np.maximum(call.x_q.astype(np.int64), -127) - call.zx)


def highest_input_is_one_lower(call: Call) -> Codes:
    """The highest input code is lost by one."""
    return answer(call, x=np.minimum(call.x_q.astype(np.int64), call.x.qmax - 1) - call.zx)


def negative_weights_lose_their_sign(call: Call) -> Codes:
    """|w|."""
    return answer(call, w=np.abs(centred_w(call)))


def weights_lose_their_lowest_bit(call: Call) -> Codes:
    """A 7-bit weight."""
    return answer(call, w=(call.w_q.astype(np.int64) & ~1) - call.zw)


def pairs_saturate_to_16_bits(call: Call) -> Codes:
    """vpmaddubsw: two neighbouring products saturate together."""
    return _in_groups(call, 2, lambda v: np.clip(v, -(2**15), 2**15 - 1))


def pairs_wrap_in_16_bits(call: Call) -> Codes:
    """Two neighbouring products are added in a lane of 16 bits."""
    return _in_groups(call, 2, _wrap16)


def products_eight_apart_wrap_in_16_bits(call: Call) -> Codes:
    """Products i and i + 8 share a lane of 16 bits."""
    return _in_groups(call, 2, _wrap16, step=8)


def products_four_apart_wrap_in_16_bits(call: Call) -> Codes:
    """Products i and i + 4 share a lane of 16 bits."""
    return _in_groups(call, 2, _wrap16, step=4)


def fours_saturate_to_16_bits(call: Call) -> Codes:
    """Four neighbouring products saturate together."""
    return _in_groups(call, 4, lambda v: np.clip(v, -(2**15), 2**15 - 1))


def lane_is_kept_in_16_bits_over_sixteen_steps(call: Call) -> Codes:
    """Sixteen products are added in 16 bits before they are widened."""
    return _in_groups(call, 16, _wrap16)


def single_product_saturates_to_16_bits(call: Call) -> Codes:
    """One product of centred codes is held in int16: 255 times 128 does not fit."""
    x, w = centred_x(call), centred_w(call)
    # Row by row: all products at once would be B K N of them.
    acc = [np.clip(row[:, np.newaxis] * w, -(2**15), 2**15 - 1).sum(axis=0) for row in x]
    return as_output(call, finish(call, np.array(acc, np.int64).reshape(len(x), w.shape[1])))


def high_nibble_is_not_sign_extended(call: Call) -> Codes:
    """Negative weights of at most -8 are read through a nibble."""
    w = call.w_q.astype(np.int64)
    return answer(call, w=np.where((w < 0) & (w >= -8), w + 16, w) - call.zw)
