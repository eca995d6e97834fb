"""Bugs of the step from accumulators to output steps: which way it rounds, how often, and in what order with the zero
point.

Legend: call one layer's operands under a profile; each function returns its output codes (B, N).
"""

from __future__ import annotations

import numpy as np

from npquant.arrays import Codes, Float64
from npquant.testing.bugs.honest import (
    Call,
    as_output,
    bias_codes,
    finish,
    placed,
    real_multiplier,
    real_steps,
    sums,
)


def half_up(v: Float64) -> Float64:
    """Return floor(v + 1/2)."""
    return np.asarray(np.floor(v + 0.5))


def half_away(v: Float64) -> Float64:
    """Return v rounded to nearest, ties away from zero."""
    return np.asarray(np.copysign(np.floor(np.abs(v) + 0.5), v))


def truncates_toward_zero(call: Call) -> Codes:
    """A cast from float, or an integer division."""
    return placed(call, np.trunc(real_steps(call)))


def floors(call: Call) -> Codes:
    """A plain arithmetic shift: no rounding constant."""
    return placed(call, np.floor(real_steps(call)))


def rounds_up(call: Call) -> Codes:
    """A ceiling."""
    return placed(call, np.ceil(real_steps(call)))


def sends_ties_up(call: Call) -> Codes:
    """Half up, whatever the profile says."""
    return placed(call, half_up(real_steps(call)))


def sends_ties_down(call: Call) -> Codes:
    """Half down: the rounding constant is one too small."""
    return placed(call, -half_up(-real_steps(call)))


def sends_ties_away(call: Call) -> Codes:
    """Half away from zero: C's round()."""
    return placed(call, half_away(real_steps(call)))


def sends_ties_to_zero(call: Call) -> Codes:
    """Half toward zero."""
    v = real_steps(call)
    return placed(call, np.copysign(np.ceil(np.abs(v) - 0.5), v))


def sends_ties_to_even(call: Call) -> Codes:
    """Half even: rint, vcvtnq."""
    return placed(call, np.rint(real_steps(call)))


def sends_ties_to_odd(call: Call) -> Codes:
    """Half odd: the parity test is inverted."""
    v = real_steps(call)
    whole = np.floor(v)
    odd = np.where(whole % 2 == 1, whole, whole + 1)
    return placed(call, np.where(v - whole == 0.5, odd, half_up(v)))


def rounds_negatives_with_the_positive_constant(call: Call) -> Codes:
    """Adds half a step and truncates, whatever the sign."""
    return placed(call, np.trunc(real_steps(call) + 0.5))


def rounds_after_the_zero_point(call: Call) -> Codes:
    """Adds the zero point first and rounds half even: the parity of the zero point decides ties."""
    low, high = call.bounds
    return as_output(call, np.clip(np.rint(real_steps(call) + call.zy), low, high))


def rounds_away_after_the_zero_point(call: Call) -> Codes:
    """Adds the zero point first and rounds half away: the sign of the code decides ties."""
    low, high = call.bounds
    return as_output(call, np.clip(half_away(real_steps(call) + call.zy), low, high))


def truncates_after_the_zero_point(call: Call) -> Codes:
    """Casts (int)(v + zy + 0.5)."""
    low, high = call.bounds
    return as_output(call, np.clip(np.trunc(real_steps(call) + call.zy + 0.5), low, high))


def rounds_twice(call: Call, extra: int = 4) -> Codes:
    """Keeps `extra` bits after a first rounding, and rounds these away half up."""
    first = half_up(real_steps(call) * 2.0**extra)
    return placed(call, half_up(first / 2.0**extra))


def rounds_twice_away(call: Call) -> Codes:
    """As the high multiply and the rounding shift do: half up at 2^-8, then half away."""
    first = half_up(real_steps(call) * 2.0**8)
    return placed(call, half_away(first / 2.0**8))


def rounds_once_where_twice_is_due(call: Call) -> Codes:
    """Rounds half up once from the exact value."""
    acc = sums(call) + bias_codes(call)
    return placed(call, half_up(acc * real_multiplier(call)))


def rounds_the_bias_apart(call: Call) -> Codes:
    """Requantizes products and bias each for itself, and adds the codes."""
    m = real_multiplier(call)
    return placed(call, np.rint(sums(call) * m) + np.rint(bias_codes(call) * m))


def drops_the_lowest_bit_first(call: Call) -> Codes:
    """Halves the accumulator before the multiply, to make room."""
    acc = (sums(call) + bias_codes(call)) >> 1
    return placed(call, np.rint(acc * 2 * real_multiplier(call)))


def rounds_in_float32(call: Call) -> Codes:
    """Converts the accumulator and the multiplier to float32."""
    acc = (sums(call) + bias_codes(call)).astype(np.float32)
    m = np.asarray(real_multiplier(call), np.float32)
    return placed(call, np.rint(acc * m))


def rounds_in_float16(call: Call) -> Codes:
    """Scales in half precision."""
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.asarray(real_steps(call), np.float32).astype(np.float16).astype(np.float64)
    return placed(call, np.rint(np.nan_to_num(steps, posinf=65504, neginf=-65504)))


def is_one_step_low_on_negative_ties(call: Call) -> Codes:
    """The sign correction of the rounding shift is applied to every negative tie once too often."""
    v = real_steps(call)
    low, high = call.bounds
    honest = np.asarray(finish(call, sums(call)), np.int64)
    tie = (v < 0) & (v - np.floor(v) == 0.5)
    return as_output(call, np.clip(honest - tie, low, high))
