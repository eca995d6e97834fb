"""TFLite's hybrid layer on arrays: float inputs that get codes row by row, integer weights, float outputs.

Legend: B batch, K contracted depth, N outputs; x (B, K) float32 inputs, finite; made their codes, with a scale and a
zero point a row, (B, 1); x_q (B, K) int8 codes, w_q (K, N) int8 weights; acc (B, N) int64 accumulators; sw () or (N,)
float32 scales of the weights, b (N,) float32 bias or None.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float32, Int8, Int64
from npquant.kernels.conversion import round_add_half_then_truncate
from npquant.kernels.dynamic import DynamicCodes
from npquant.kernels.floating import IGNORED, LARGEST_FLOAT32, to_float32
from npquant.kernels.linear import accumulate
from npquant.kernels.rounding import round_half_away

CODES_AT_A_TIME: Final = 8  # that the quantizers take by vectors; what is left of a row rounds half away
WEIGHTS_AT_A_TIME: Final = 16  # whose signs the product moves to the inputs
PACKED_TOGETHER: Final = 32  # weights of 4 bits, in pairs of one from either half


def _refuse_small_ranges(inverse: Float32) -> None:
    """Refuse a row whose reciprocal is infinite: vectors and tail convert the products in unlike ways."""
    if not (inverse <= LARGEST_FLOAT32).all():
        raise ValueError("a row's range is so small that the reciprocal of its scale is infinite: scale the inputs")


def _rounded(v: Float32) -> Int64:
    """Round whole vectors of a row by R130, and its tail half away; |v| is at most 256."""
    body = v.shape[1] // CODES_AT_A_TIME * CODES_AT_A_TIME
    parts = (round_add_half_then_truncate(v[:, :body]), round_half_away(np.asarray(v[:, body:])))
    return np.concatenate(parts, axis=1).astype(np.int64)


def hybrid_symmetric(x: ArrayLike) -> DynamicCodes:
    """R110. s = f32(r / 127), q = clip(round(f32(x f32(127 / r))), -127, 127), r = max |x| of the row; 0: s = 1.

    round is R130 in whole vectors of 8 values, where the float below 1/2 gives 1, and half away in what is left of the
    row. ValueError if 127 / r is infinite. Source: LiteRT ``optimized/neon_tensor_utils.cc``,
    NeonSymmetricQuantizeFloats.

    >>> hybrid_symmetric([[127.0, 2.5, -2.5]]).codes
    array([[127,   3,  -3]], dtype=int8)
    """
    values = to_float32(x)
    r = np.abs(values).max(axis=1, keepdims=True, initial=0)
    with np.errstate(divide="ignore", **IGNORED):
        scale = np.where(r == 0, np.float32(1), r / np.float32(127))
        inverse = np.where(r == 0, np.float32(0), np.float32(127) / r)
    _refuse_small_ranges(inverse)
    codes = np.clip(_rounded(np.asarray(values * inverse)), -127, 127)
    return DynamicCodes(codes.astype(np.int8), scale, np.zeros(r.shape, np.int8))


def hybrid_asymmetric(x: ArrayLike) -> DynamicCodes:
    """R111. s = f32(f32(hi - lo) / 255), q = clip(round(f32(x f32(1 / s))) + z, -128, 127), round as in R110.

    z in float64, from the end of the range that rounds less: half away, inside [-128, 127]. A range of 0 gives s = 1,
    z = 0. ValueError if 1 / s is infinite. Source: LiteRT ``optimized/neon_tensor_utils.cc``,
    NeonAsymmetricQuantizeFloats.

    >>> made = hybrid_asymmetric([[-1.0, 0.5, 254.0]])
    >>> made.codes, made.zero_point
    (array([[-128, -126,  127]], dtype=int8), array([[-127]], dtype=int8))
    """
    values = to_float32(x)
    lo, hi = (np.asarray(f(axis=1, keepdims=True, initial=0)) for f in (values.min, values.max))
    empty = lo == hi
    with np.errstate(divide="ignore", **IGNORED):
        wide = np.asarray(hi - lo).astype(np.float64) / 255
        low, high = lo / wide, hi / wide
        z = np.where(128 + np.abs(low) < 127 + np.abs(high), -128 - low, 127 - high)
        zero = np.where(empty, 0, round_half_away(np.clip(z, -128, 127)))
        scale = np.where(empty, np.float32(1), wide.astype(np.float32))
        inverse = np.float32(1) / scale
    _refuse_small_ranges(inverse)
    codes = np.clip(_rounded(np.asarray(values * inverse)) + zero.astype(np.int64), -128, 127)
    return DynamicCodes(codes.astype(np.int8), scale, zero.astype(np.int8))


def hybrid_sums(x_q: Int8, w_q: Int8, zx: NDArray[np.int8]) -> Int64:
    """R112. acc = sum_k w q - zx sum_k w, in which -128 times a negative q counts as -128 |q| in whole blocks of 16.

    A sign that moves to the other factor by an instruction that cannot negate -128; the rest of a row is exact. zx is
    one a row. Source: LiteRT ``optimized/sse_tensor_utils.cc``, _mm_sign_epi8.

    >>> x_q = np.full((1, 16), -127, np.int8)
    >>> w_q = np.full((16, 1), -128, np.int8)
    >>> hybrid_sums(x_q, w_q, np.int8([[0]])), hybrid_sums(x_q[:, 1:], w_q[1:], np.int8([[0]]))
    (array([[-260096]]), array([[243840]]))
    """
    acc = accumulate(x_q, w_q, 0, 0, 0) - zx.astype(np.int64) * w_q.sum(axis=0, dtype=np.int64)
    blocks = x_q.shape[1] // WEIGHTS_AT_A_TIME * WEIGHTS_AT_A_TIME
    lowest = w_q[:blocks] == -128
    if lowest.any():
        acc += 256 * accumulate(np.minimum(x_q[:, :blocks], 0), lowest.astype(np.int8), 0, 0, 0)
    return np.asarray(acc)


def hybrid_4_bit_codes(x: ArrayLike) -> DynamicCodes:
    """R113. s = f32(d / 127), q = half_away(f32(x f32(127 / d))), d = max |x| of the row, 127 where that is 0.

    The kernel takes layers of 4-bit weights with an even K of at least 32 and four outputs or more. Source: LiteRT
    ``optimized/4bit/sse_fully_connected.cc``, SseBatchQuantizeFloats4Bit.

    >>> hybrid_4_bit_codes([[127.0, 2.5, -2.5]]).codes
    array([[127,   3,  -3]], dtype=int8)
    """
    values = to_float32(x)
    largest = np.abs(values).max(axis=1, keepdims=True, initial=0)
    d = np.where(largest == 0, np.float32(127), largest).astype(np.float64)
    with np.errstate(**IGNORED):
        inverse = (127 / d).astype(np.float32)
    _refuse_small_ranges(inverse)
    # |x| <= d: the product is at most 127 and a few roundings of float32, so no code leaves int8.
    codes = round_half_away(np.asarray(values * inverse)).astype(np.int8)
    return DynamicCodes(codes, (d / 127).astype(np.float32), np.zeros(d.shape, np.int8))


def hybrid_4_bit_sums(x_q: Int8, w_q: Int8) -> Int64:
    """R118. acc = sum_k w' q: a weight of -8 counts as 8, and makes 8 of one or two others in its block of 32.

    w + 7 is -1 for it, all ones: of the byte that it shares with the weight 16 before it, and in whole blocks by a
    shift of 16 bits of the weight 18 behind the first two of every four in the first half. Source: LiteRT
    ``optimized/4bit/sse_fully_connected.cc``, SsePackInner.

    >>> hybrid_4_bit_sums(np.int8([[127]]), np.int8([[-8]]))
    array([[1016]])
    """
    return accumulate(x_q, np.where(_packed_as_ones(w_q == -8), 8, w_q).astype(np.int8), 0, 0, 0)


def _packed_as_ones(lowest: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mark the 4-bit weights (K, N) that are stored as 15, from those that are -8."""
    depth, n = lowest.shape
    blocks = -(-depth // PACKED_TOGETHER)
    padded = np.zeros((blocks, PACKED_TOGETHER, n), bool)
    padded.reshape(-1, n)[:depth] = lowest
    half = PACKED_TOGETHER // 2
    ones = padded.copy()
    ones[:, :half] |= padded[:, half:]
    whole = depth // PACKED_TOGETHER
    for k in (0, 1):
        ones[:whole, half + 2 + k :: 4] |= padded[:whole, k:half:4]
    return ones.reshape(-1, n)[:depth]


def hybrid_4_bit_output(acc: Int64, made: DynamicCodes, sw: ArrayLike, b: ArrayLike | None) -> Float32:
    """R119. y = f32(f32(f32(f32(o s) sw) + b) + f32(f32(t s) sw)), o = -7 sum_k q, t = acc - o; no b, no first sum.

    The two terms nearly cancel. Source: LiteRT ``optimized/4bit/sse_fully_connected.cc``,
    SseAssignBiasAndComputeOffsets and SseUnpack.

    >>> made = hybrid_4_bit_codes([[127.0]])
    >>> hybrid_4_bit_output(hybrid_4_bit_sums(made.codes, np.int8([[5]])), made, 0.5, None)
    array([[317.5]], dtype=float32)
    """
    offsets = -7 * made.codes.sum(axis=1, keepdims=True, dtype=np.int64)
    scale = np.asarray(sw, np.float32)
    with np.errstate(**IGNORED):
        y = offsets.astype(np.float32) * made.scale * scale
        y = y if b is None else y + np.asarray(b, np.float32)
        return np.asarray(y + (acc - offsets).astype(np.float32) * made.scale * scale)
