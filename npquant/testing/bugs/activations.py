"""Bugs of fused activations: ignored, at code 0, one off, before the zero point.

Legend: call one layer's operands under a profile; each function returns its output codes (B, N).
"""

from __future__ import annotations

import numpy as np

from npquant.arrays import Codes
from npquant.kernels.activation_bounds import clamp_bounds
from npquant.testing.bugs.honest import Call, as_output, finish, sums


def _bounded(call: Call, low: int, high: int) -> Codes:
    return as_output(call, finish(call, sums(call), bounds=(max(low, call.y.qmin), min(high, call.y.qmax))))


def _active(call: Call) -> bool:
    return call.activation not in ("none", "identity")


def is_ignored(call: Call) -> Codes:
    """Only the type saturates."""
    return _bounded(call, call.y.qmin, call.y.qmax)


def clamps_at_code_zero(call: Call) -> Codes:
    """ReLU is max(code, 0), whatever the zero point."""
    low, high = call.bounds
    return _bounded(call, 0 if _active(call) else low, high)


def lower_bound_is_one_too_high(call: Call) -> Codes:
    """Strict where it is inclusive."""
    low, high = call.bounds
    return _bounded(call, low + 1 if _active(call) else low, high)


def lower_bound_is_one_too_low(call: Call) -> Codes:
    """ReLU lets one code below the zero point through."""
    low, high = call.bounds
    return _bounded(call, low - 1 if _active(call) else low, high)


def upper_bound_is_forgotten(call: Call) -> Codes:
    """ReLU6 is ReLU."""
    low, _ = call.bounds
    return _bounded(call, low, call.y.qmax)


def upper_bound_is_one_too_low(call: Call) -> Codes:
    """The bound is truncated, or strict."""
    low, high = call.bounds
    return _bounded(call, low, high - 1 if high < call.y.qmax else high)


def upper_bound_is_one_too_high(call: Call) -> Codes:
    """The bound is rounded up."""
    low, high = call.bounds
    return _bounded(call, low, high + 1)


def upper_bound_ignores_the_zero_point(call: Call) -> Codes:
    """6 / sy, without + zy."""
    if not _active(call):
        return _bounded(call, *call.bounds)
    top = clamp_bounds(call.activation)[1]
    high = call.bounds[1] - call.zy if np.isfinite(top) else call.bounds[1]
    return _bounded(call, call.bounds[0], max(high, call.bounds[0]))


def is_applied_to_every_layer(call: Call) -> Codes:
    """ReLU where none was asked for."""
    low, high = call.bounds
    return _bounded(call, max(low, call.zy), high)


def is_applied_before_the_bias(call: Call) -> Codes:
    """The sum of products is clamped at 0, then the bias is added."""
    if not _active(call):
        return as_output(call, finish(call, sums(call)))
    return as_output(call, finish(call, np.maximum(sums(call), 0)))


def relu6_is_six_codes(call: Call) -> Codes:
    """The upper bound is zy + 6 codes."""
    low, high = call.bounds
    return _bounded(call, low, call.zy + 6 if call.activation == "relu6" else high)
