"""What an accumulator can reach over all inputs: the proof that its type, int32 or int64, holds it.

Legend: K contracted depth, N outputs; c (K, N) centred weights w_q - zw, int8 or int16; [a, b] interval of the centred
inputs x_q - zx, a <= 0 <= b because zx is a code itself (C2); P and Q (N,) int64 sums of the positive and of the
negative entries of a column of c; acc = sum_k (x_q - zx) c + bias; low and high (N,) int64 its ends; layer an
IntegerLayer. The type is that of the layer's bias: int64 may stand beside int16 inputs, as in TFLite's 16x8.

C7 (static)   high = b P + a Q + bias,  low = a P + b Q + bias
              Each term is worst at one end, a positive weight at b, a negative one at a, and the terms are free of each
              other: the input with b where c > 0 and a elsewhere attains high, so no smaller bound is true. Every term
              has an end of each sign, so a partial sum, in any order, lies between the ends of the full one: within
              [low, high] if the bias comes first, within [low, high] - bias if it comes last.
D3 (dynamic)  |acc| <= L max(P, -Q), no bias, where the input chooses its zero point: any [a, b] with b - a = L.
              b P + a Q = b (P + Q) - L Q is linear in b, from -L Q at b = 0 to L P at b = L.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.arrays import Int64
from npquant.integer.layer import IntegerLayer
from npquant.kernels.exact import sums_are_exact
from npquant.kernels.fixed_point import INT32_MAX
from npquant.profiles.record import Profile, weight_type


def signed_sums(c: NDArray[np.integer[Any]]) -> tuple[Int64, Int64]:
    """P = sum_k max(c, 0) and Q = sum_k min(c, 0): all that a bound needs to know of the weights.

    From the sums of c and of |c|, by float32 BLAS where C6 makes both exact.

    >>> signed_sums(np.array([[10, 0], [-20, 3]], np.int8))
    (array([10,  3]), array([-20,   0]))
    """
    if c.size and sums_are_exact(len(c) * max(int(c.max()), -int(c.min()))):
        real, ones = c.astype(np.float32), np.ones(len(c), np.float32)
        total = (ones @ real).astype(np.int64)
        magnitude = (ones @ np.abs(real, out=real)).astype(np.int64)
        return (magnitude + total) // 2, (total - magnitude) // 2
    return np.maximum(c, 0).sum(axis=0, dtype=np.int64), np.minimum(c, 0).sum(axis=0, dtype=np.int64)


def accumulator_interval(layer: IntegerLayer) -> tuple[Int64, Int64]:
    """C7. low and high of each output of a layer, over all inputs whose codes are in layer.x's range; both attained.

    >>> from npquant.kernels.qparams import QuantParams
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> accumulator_interval(IntegerLayer(np.array([[10], [-20]], np.int8), np.array([7], np.int32), p, p, p, "relu"))
    (array([-3813]), array([3837]))
    """
    low, high = _product_interval(layer)
    # int64: |c| <= 255 and b - a <= 65,535 leave room for K beyond 2^38; `check_accumulator` has refused what a bias of
    # 64 bits could make of it.
    bias = layer.bias.astype(np.int64)
    return low + bias, high + bias


def _product_interval(layer: IntegerLayer) -> tuple[Int64, Int64]:
    """C7 without the bias."""
    a, b = layer.x.qmin - int(layer.x.zero_point), layer.x.qmax - int(layer.x.zero_point)
    # Without a zero point the codes are the centred weights, and need no copy twice as wide.
    positive, negative = signed_sums(layer.centred_weights if np.any(layer.w.zero_point) else layer.w_q)
    return a * positive + b * negative, b * positive + a * negative


def accumulator_width(layer: IntegerLayer) -> int:
    """Bits of the integers that a layer's accumulators are: 32, or 64 with a bias of int64."""
    return 8 * layer.bias.dtype.itemsize


def check_accumulator(layer: IntegerLayer, index: int, profile: Profile | None = None) -> int:
    """C7. Bits of the narrowest two's complement integer that holds every accumulator of a layer.

    OverflowError, naming the layer by its index and the neuron, if an accumulator or a sum on the way can leave the
    accumulator's type; under a profile also if one leaves the bits that its output stage rounds: 48 in R170.

    >>> from npquant.kernels.qparams import QuantParams
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> check_accumulator(IntegerLayer(np.array([[10]], np.int8), np.array([7], np.int32), p, p, p, "relu"), 0)
    12
    """
    # Integers of any size: an int64 bias near its ends would leave int64 here.
    low, high = (end.astype(object) for end in _product_interval(layer))
    bias = layer.bias.astype(object)
    # The bias first, or last: -1 - v is as wide in two's complement as v.
    worst = np.maximum(np.maximum(high + bias, high), -1 - np.minimum(low + bias, low))
    n, width = int(np.argmax(worst)), _rounded_width(layer, profile)
    if worst[n] >= 2 ** (width - 1):
        named = f"int{width}" if width in (32, 64) else f"{width} bits"
        raise OverflowError(
            f"layer {index}, neuron {n}: the accumulator can reach {low[n] + bias[n]}..{high[n] + bias[n]}, "
            f"outside {named} (C7); use fewer weight bits, fewer inputs or a smaller bias"
        )
    return int(max((high + bias).max(), -1 - (low + bias).min(), 0)).bit_length() + 1


def _rounded_width(layer: IntegerLayer, profile: Profile | None) -> int:
    """Bits of the accumulators that a layer's output stage is defined for, or of their type where there is none."""
    if profile is None or layer.y is None or layer.bias.dtype != np.int64:
        return accumulator_width(layer)
    stage = profile.wide_stage("int64", weights=weight_type(layer.w))
    return accumulator_width(layer) if stage is None else stage.accumulator_bits


def dynamic_width(positive: Int64, negative: Int64, x_bits: int) -> int:
    """D3. Bits that hold every accumulator of x_bits-bit inputs, whatever their zero, and weights of P = positive, Q =
    negative, the `signed_sums` of centred weights.

    OverflowError if an accumulator, or a sum on the way to it, can leave int32.

    >>> dynamic_width(*signed_sums(np.array([[10], [20]], np.int8)), 8)
    14
    """
    largest: int = int(np.maximum(positive, -negative).max()) * (2**x_bits - 1)
    # On the way stand x_q @ w_q and zx (P + Q), with |x_q|, |zx| <= 128: each within 128 (P - Q).
    if max(largest, int((positive - negative).max()) * 128) > INT32_MAX:
        raise OverflowError(f"an accumulator can reach {largest}, outside int32 (D3): use fewer weight bits")
    return largest.bit_length() + 1


def largest_partial_sum(layer: IntegerLayer) -> int:
    """C7. The largest magnitude of any partial sum of (x_q - zx) c, in any order and without the bias.

    >>> from npquant.kernels.qparams import QuantParams
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> largest_partial_sum(IntegerLayer(np.array([[10]], np.int8), np.array([7], np.int32), p, p, p, "relu"))
    1280
    """
    low, high = _product_interval(layer)
    return max(int(high.max()), -int(low.min()))


def largest_sum(c: NDArray[np.integer[Any]], largest_code: int) -> int:
    """The magnitudes of all terms of sum_k x_q c add up to at most this in every column: |x_q| <= largest_code.

    >>> largest_sum(np.array([[10, 1], [-20, 1]], np.int8), 128)
    3840
    """
    positive, negative = signed_sums(c)
    return int((positive - negative).max(initial=0)) * largest_code
