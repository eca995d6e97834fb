"""Bugs of per-channel weights: one channel's parameters for all, the wrong axis, half of a pair per channel.

Legend: call one layer's operands under a profile; each function returns its output codes (B, N).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Codes, Float64
from npquant.testing.bugs.honest import (
    Call,
    as_output,
    bias_codes,
    finish,
    multiplier_of,
    placed,
    real_multiplier,
    sums,
)


def _scales(call: Call) -> NDArray[np.float32]:
    return np.asarray(np.broadcast_to(np.asarray(call.w.scale, np.float32), (call.outputs,)))


def _with_scales(call: Call, scales: NDArray[np.float32]) -> Codes:
    return as_output(call, finish(call, sums(call), multiplier=multiplier_of(call, sw=scales)))


def _is_per_channel(call: Call) -> bool:
    return bool(np.ndim(call.w.scale)) and call.outputs > 0


def channel_0_serves_all(call: Call) -> Codes:
    """The scale of channel 0 is used everywhere."""
    return _with_scales(call, _scales(call)[:1] if _is_per_channel(call) else _scales(call))


def last_channel_serves_all(call: Call) -> Codes:
    """The scale of the last channel is used everywhere."""
    return _with_scales(call, _scales(call)[-1:] if _is_per_channel(call) else _scales(call))


def mean_scale_serves_all(call: Call) -> Codes:
    """The mean of the scales is used everywhere."""
    scales = _scales(call)
    return _with_scales(call, np.full_like(scales, scales.mean()) if _is_per_channel(call) else scales)


def channels_are_one_off(call: Call) -> Codes:
    """Output n takes the scale of n + 1."""
    return _with_scales(call, np.roll(_scales(call), -1))


def channels_are_reversed(call: Call) -> Codes:
    """The scales are read from the end."""
    return _with_scales(call, _scales(call)[::-1].copy())


def channels_repeat_after_four(call: Call) -> Codes:
    """The channel index wraps at a vector of four."""
    return _with_scales(call, _scales(call)[np.arange(call.outputs) % 4])


def channels_repeat_after_eight(call: Call) -> Codes:
    """The channel index wraps at a vector of eight."""
    return _with_scales(call, _scales(call)[np.arange(call.outputs) % 8])


def _parts(call: Call) -> tuple[Float64, NDArray[np.int64]]:
    fraction, e = np.frexp(np.broadcast_to(real_multiplier(call), (call.outputs,)))
    return fraction, e.astype(np.int64)


def _of_parts(call: Call, fraction: Float64, e: NDArray[np.int64]) -> Codes:
    acc = sums(call) + bias_codes(call)
    return placed(call, np.floor(acc * np.ldexp(fraction, e) + 0.5))


def shift_is_the_first_channels(call: Call) -> Codes:
    """The mantissa is per channel, the shift is not."""
    if not _is_per_channel(call):
        return _with_scales(call, _scales(call))
    fraction, e = _parts(call)
    return _of_parts(call, fraction, np.broadcast_to(e[:1], e.shape))


def mantissa_is_the_first_channels(call: Call) -> Codes:
    """The shift is per channel, the mantissa is not."""
    if not _is_per_channel(call):
        return _with_scales(call, _scales(call))
    fraction, e = _parts(call)
    return _of_parts(call, np.broadcast_to(fraction[:1], fraction.shape), e)


def scales_run_along_the_rows(call: Call) -> Codes:
    """The scale of output n is applied to row n."""
    rows, scales = len(call.x_q), _scales(call)
    if not _is_per_channel(call) or not rows:
        return _with_scales(call, scales)
    factors = scales[np.arange(rows) % call.outputs].astype(np.float64)[:, np.newaxis]
    m = np.float64(call.x.scale) * factors / np.float64(call.y.scale)
    return placed(call, np.floor((sums(call) + bias_codes(call)) * m + 0.5))


def bias_is_scaled_by_the_first_channel(call: Call) -> Codes:
    """The bias is converted by the scale of channel 0."""
    if not _is_per_channel(call):
        return as_output(call, finish(call, sums(call)))
    scales = _scales(call).astype(np.float64)
    bias = np.rint(bias_codes(call) * scales / scales[0]).astype(np.int64)
    return as_output(call, finish(call, sums(call), bias=np.clip(bias, -(2**31), 2**31 - 1)))


def a_long_shift_of_one_channel_is_capped(call: Call) -> Codes:
    """A shift below -15 is taken as -15."""
    fraction, e = _parts(call)
    return _of_parts(call, fraction, np.maximum(e, -15))
