"""Bugs of the accumulator: too few bits, float sums, saturation where it wraps, early narrowing.

Legend: call one layer's operands under a profile; each function returns its output codes (B, N).
"""

from __future__ import annotations

import numpy as np

from npquant.arrays import Codes, Int64
from npquant.testing.bugs.honest import (
    Call,
    as_output,
    bias_codes,
    centred_w,
    centred_x,
    finish,
    placed,
    product,
    real_multiplier,
    sums,
)


def _wrapped(v: Int64, bits: int) -> Int64:
    return np.asarray(((v + 2 ** (bits - 1)) % 2**bits) - 2 ** (bits - 1))


def _stepwise(call: Call, keep: object) -> Codes:
    """Add one product after another, the running sum narrowed by a function."""
    x, w = centred_x(call), centred_w(call)
    acc = np.zeros((x.shape[0], w.shape[1]), np.int64)
    for k in range(x.shape[1]):
        acc = keep(acc + x[:, k : k + 1] * w[k])  # type: ignore[operator]
    return as_output(call, finish(call, acc))


def accumulator_has_16_bits(call: Call) -> Codes:
    """The sum of products wraps to int16."""
    return as_output(call, finish(call, _wrapped(sums(call), 16)))


def accumulator_saturates_to_16_bits(call: Call) -> Codes:
    """Every partial sum saturates to int16."""
    return _stepwise(call, lambda v: np.clip(v, -(2**15), 2**15 - 1))


def accumulator_has_20_bits(call: Call) -> Codes:
    """The sum of products wraps to 20 bits."""
    return as_output(call, finish(call, _wrapped(sums(call), 20)))


def accumulator_has_24_bits(call: Call) -> Codes:
    """The sum of products wraps to 24 bits."""
    return as_output(call, finish(call, _wrapped(sums(call), 24)))


def accumulator_with_bias_has_24_bits(call: Call) -> Codes:
    """Products and bias wrap to 24 bits together."""
    acc = _wrapped(sums(call) + bias_codes(call), 24)
    return as_output(call, finish(call, acc - bias_codes(call)))


def accumulator_saturates_at_31_bits(call: Call) -> Codes:
    """Beyond 2^30 the accumulator saturates."""
    acc = np.clip(sums(call) + bias_codes(call), -(2**30), 2**30 - 1)
    return as_output(call, finish(call, acc - bias_codes(call)))


def accumulator_saturates_where_it_should_wrap(call: Call) -> Codes:
    """Beyond int32 the accumulator saturates."""
    acc = np.clip(sums(call) + bias_codes(call), -(2**31), 2**31 - 1)
    return as_output(call, finish(call, acc, bias=np.zeros_like(bias_codes(call))))


def accumulates_in_float32(call: Call) -> Codes:
    """Products are added in float32, bias last: beyond 2^24 the sum is rounded."""
    x, w = centred_x(call).astype(np.float32), centred_w(call).astype(np.float32)
    acc = np.zeros((x.shape[0], w.shape[1]), np.float32)
    for k in range(x.shape[1]):
        acc += x[:, k : k + 1] * w[k]
    total = acc + bias_codes(call).astype(np.float32)
    return as_output(call, finish(call, total.astype(np.int64) - bias_codes(call)))


def converts_the_accumulator_to_float32(call: Call) -> Codes:
    """The finished sum passes through float32 before it is scaled."""
    acc = (sums(call) + bias_codes(call)).astype(np.float32).astype(np.int64)
    return as_output(call, finish(call, np.clip(acc, -(2**31), 2**31 - 1) - bias_codes(call)))


def adds_the_bias_in_float32(call: Call) -> Codes:
    """The bias is a float32."""
    bias = bias_codes(call).astype(np.float32).astype(np.int64)
    return as_output(call, finish(call, sums(call), bias=np.clip(bias, -(2**31), 2**31 - 1)))


def narrows_every_256_products(call: Call) -> Codes:
    """A block of 256 products is added in 23 bits."""
    x, w = centred_x(call), centred_w(call)
    blocks = [_wrapped(x[:, k : k + 256] @ w[k : k + 256], 23) for k in range(0, x.shape[1], 256)]
    acc = np.sum(blocks, axis=0) if blocks else np.zeros((x.shape[0], w.shape[1]), np.int64)
    return as_output(call, finish(call, acc))


def reads_the_accumulator_as_unsigned(call: Call) -> Codes:
    """A negative accumulator is read as uint32."""
    acc = (sums(call) + bias_codes(call)) % 2**32
    return placed(call, np.floor(acc * real_multiplier(call) + 0.5))


def scales_only_the_low_16_bits(call: Call) -> Codes:
    """The multiply takes the low half of the accumulator."""
    acc = _wrapped(sums(call) + bias_codes(call), 16)
    return as_output(call, finish(call, acc - bias_codes(call)))


def sums_restart_after_1024_products(call: Call) -> Codes:
    """A second block of K overwrites the first."""
    x, w = centred_x(call), centred_w(call)
    start = max(0, (x.shape[1] - 1) // 1024 * 1024)
    return as_output(call, finish(call, product(x[:, start:], w[start:])))


def _running(call: Call, total: Int64) -> Codes:
    """Answer with running totals of products and biases, wrapped to int32 as a register is."""
    return as_output(call, finish(call, _wrapped(total, 32), bias=np.zeros(call.outputs, np.int64)))


def runs_on_through_the_outputs(call: Call) -> Codes:
    """The accumulator is cleared once a row: each output starts from the one before."""
    return _running(call, np.cumsum(sums(call) + bias_codes(call), axis=1))


def runs_on_down_the_rows(call: Call) -> Codes:
    """The accumulators are cleared once a call: each row starts from the one before."""
    return _running(call, np.cumsum(sums(call) + bias_codes(call), axis=0))


def runs_on_through_the_call(call: Call) -> Codes:
    """One accumulator is cleared once a call: each output starts from the one before, across rows too."""
    total = sums(call) + bias_codes(call)
    return _running(call, np.cumsum(total).reshape(total.shape))
