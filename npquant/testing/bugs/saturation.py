"""Bugs of the rails: wrap for saturate, clamps of the wrong interval, clamps in the wrong place.

Legend: call one layer's operands under a profile; each function returns its output codes (B, N).
"""

from __future__ import annotations

import numpy as np

from npquant.arrays import Codes, Int64
from npquant.testing.bugs.honest import Call, as_output, finish, sums

WIDE = (-(2**30), 2**30)


def unclamped(call: Call) -> Int64:
    """Return the codes before the clamp, as far as the profile's stage lets one see them."""
    return np.asarray(finish(call, sums(call), bounds=WIDE), np.int64)


def wraps_in_place_of_saturating(call: Call) -> Codes:
    """The cast to 8 bits has no clamp."""
    return as_output(call, unclamped(call))


def wraps_at_the_upper_rail_only(call: Call) -> Codes:
    """The lower bound alone is applied."""
    return as_output(call, np.maximum(unclamped(call), call.bounds[0]))


def wraps_at_the_lower_rail_only(call: Call) -> Codes:
    """The upper bound alone is applied."""
    return as_output(call, np.minimum(unclamped(call), call.bounds[1]))


def scaled_value_wraps_to_16_bits_first(call: Call) -> Codes:
    """Steps are packed to int16 by a cast before the clamp."""
    wrapped = ((unclamped(call) + 2**15) % 2**16) - 2**15
    return as_output(call, np.clip(wrapped, *call.bounds))


def clamps_before_the_zero_point(call: Call) -> Codes:
    """Saturates, then adds zy, and saturates to the type."""
    low, high = call.bounds
    steps = np.asarray(finish(call, sums(call), zy=0, bounds=(low, high)), np.int64)
    return as_output(call, np.clip(steps + call.zy, call.y.qmin, call.y.qmax))


def clamps_before_the_zero_point_and_wraps(call: Call) -> Codes:
    """Saturates, then adds zy in 8 bits."""
    return as_output(call, np.asarray(finish(call, sums(call), zy=0), np.int64) + call.zy)


def never_reaches_the_lowest_code(call: Call) -> Codes:
    """Clamps to [qmin + 1, qmax]."""
    low, high = call.bounds
    return as_output(call, finish(call, sums(call), bounds=(max(low, call.y.qmin + 1), high)))


def never_reaches_the_highest_code(call: Call) -> Codes:
    """Clamps to [qmin, qmax - 1]."""
    low, high = call.bounds
    return as_output(call, finish(call, sums(call), bounds=(low, min(high, call.y.qmax - 1))))


def clamps_to_the_other_type(call: Call) -> Codes:
    """int8 codes are clamped to [0, 255], or uint8 ones to [-128, 127]."""
    other = (0, 255) if call.y.qmin < 0 else (-128, 127)
    return as_output(call, np.clip(unclamped(call), *other))


def clamps_negatives_to_zero(call: Call) -> Codes:
    """Codes below 0 become 0."""
    return as_output(call, np.maximum(np.asarray(finish(call, sums(call)), np.int64), 0))


def clamps_symmetrically(call: Call) -> Codes:
    """The lower bound is minus the upper one."""
    low, high = call.bounds
    return as_output(call, finish(call, sums(call), bounds=(max(low, -high if call.y.qmin < 0 else low), high)))


def mirrors_negatives(call: Call) -> Codes:
    """The magnitude of what lies below the lowest unsigned code is stored."""
    codes = unclamped(call)
    low, high = call.bounds
    return as_output(call, np.clip(np.where(codes < low, 2 * low - codes, codes), low, high))


def saturates_one_step_early(call: Call) -> Codes:
    """A value within one code of the rail counts as beyond it."""
    low, high = call.bounds
    codes = np.asarray(finish(call, sums(call)), np.int64)
    return as_output(call, np.where(codes >= high - 1, high, np.where(codes <= low + 1, low, codes)))


def swaps_the_rails(call: Call) -> Codes:
    """What lies above becomes the lowest code, and the reverse."""
    low, high = call.bounds
    codes = unclamped(call)
    return as_output(call, np.where(codes > high, low, np.where(codes < low, high, codes)))


def clamp_is_missing_for_one_output(call: Call) -> Codes:
    """The scalar path for the last output has no clamp."""
    codes = np.asarray(finish(call, sums(call)), np.int64)
    codes = np.array(np.broadcast_to(codes, (len(call.x_q), call.outputs)))
    codes[:, -1:] = unclamped(call)[:, -1:]
    return as_output(call, codes)
