"""OpenVINO's layer on arrays: scale and shift rebuilt from the ends of the output's range, the bias moved into them.

Legend: B batch, K contracted depth, N outputs; w_q (K, N) weight codes; x real values, q codes, params their
quantization; a (B, N) int64 raw sums of products, int32 values; c (N,) what the input's zero point adds to them, d ()
or (N,) the real value of a step of a, b (N,) real biases or None; il and ih real ends of the output's range, scale and
shift what takes a real value to a code, () or (N,); zx, zy zero points, sy output scale, [lo, hi] the type's codes. All
real numbers are float32; output codes of layers come as int64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Codes, Float32, Int64
from npquant.kernels.floating import IGNORED, fma_float32, to_float32
from npquant.kernels.qparams import QuantParams

NEAR = np.float32(5e-5)
SMALL = np.float32(1e-5)


class RangeEnds(NamedTuple):
    """Hold the ends of a range, one for all outputs or one each, with the scale and shift rebuilt from them."""

    il: Float32
    ih: Float32
    scale: Float32
    shift: Float32


def range_ends(sy: np.float32 | Float32 | float, zy: int, lo: int, hi: int) -> tuple[np.float32, np.float32]:
    """R125. il = f32(sy (lo - zy)), ih = f32(sy (hi - zy)).

    Source: openvinotoolkit/openvino ``src/frontends/onnx/frontend/src/op/quantize_linear.cpp``.
    """
    s = np.float32(sy)
    return np.float32(s * np.float32(lo - zy)), np.float32(s * np.float32(hi - zy))


def rebuilt(il: ArrayLike, ih: ArrayLike) -> RangeEnds:
    """R125. scale = f32(255 / f32(ih - il)), shift = f32(f32(-255 il) / f32(ih - il)).

    Source: openvinotoolkit/openvino ``src/plugins/intel_cpu/src/nodes/fake_quantize.cpp``.

    >>> float(rebuilt(*range_ends(0.1, 3, 0, 255)).shift)
    3.0
    """
    low, high = np.asarray(il, np.float32), np.asarray(ih, np.float32)
    width = high - low
    return RangeEnds(
        low, high, np.asarray(np.float32(255) / width), np.asarray((-low * np.float32(255)).astype(np.float32) / width)
    )


def column_offset(w_q: Codes, zx: int) -> Float32:
    """R126. c = zx sum_k w_q[k], summed in float32 in the order of k.

    >>> column_offset(np.full((1100, 1), 127, np.int8), 169) - 169 * 127 * 1100
    array([316.], dtype=float32)
    """
    if not len(w_q):
        return np.zeros(w_q.shape[1], np.float32)
    # Products of 8-bit codes are exact, and a cumulative sum adds in order.
    return np.asarray(np.cumsum(w_q.astype(np.float32) * np.float32(zx), axis=0, dtype=np.float32)[-1])


def settled_codes(v: Float32, ends: RangeEnds, lo: int, hi: int) -> Int64:
    """R127. round_half_even(v scale + shift + lo), fused where scale and shift are one number each, v (B, N).

    What else depends on equal numbers stands on the card of the specification. NaN, of a range without width, gives lo.
    Source: openvinotoolkit/openvino ``src/plugins/intel_cpu/src/dnnl_postops_composer.cpp``.
    """
    il, ih, scale, shift = (np.broadcast_to(part, (v.shape[1],)) for part in ends)
    if (np.abs(shift - shift[:1]) < NEAR).all():
        shift = np.broadcast_to(shift[:1], shift.shape)
    codes = np.sort(np.stack([np.rint(end * scale + shift) + np.float32(lo) for end in (il, ih)]), axis=0)
    t = shift + np.float32(lo)
    one_clip = _is_one(codes[0]) and _is_one(codes[1])
    wide = one_clip and codes[0, 0] <= lo and codes[1, 0] >= hi
    if one_clip and _is_one(t) and abs(t[0]) < (codes[1, 0] - codes[0, 0]) * SMALL:
        t = np.zeros_like(t)
    if not (_is_one(scale) and _is_one(t)):
        y = v * scale + t
    elif t[0]:
        y = fma_float32(v, scale[0], t[0])
    else:
        y = v * (np.float32(1) / (np.float32(1) / scale[0]) if wide else scale[0])
    clipped = np.fmin(np.fmax(np.rint(y), codes[0]), codes[1])
    return np.asarray(np.clip(np.where(np.isnan(clipped), lo, clipped), lo, hi).astype(np.int64))


def layer_codes(
    a: Int64,
    c: Float32,
    d: Float32,
    b: Float32 | None,
    ends: tuple[np.float32, np.float32],
    lo: int,
    hi: int,
    relu: bool,
) -> Int64:
    """R128. The codes (B, N) of raw sums: by relu, by one bias or several, by one step of the sums or several.

    Source: openvinotoolkit/openvino, as R125 to R127; which form a layer takes by runs of openvino 2026.4.1.

    >>> ends = range_ends(2, 1, 0, 255)
    >>> layer_codes(np.array([[5]]), np.float32([0]), np.float32(1), None, ends, 0, 255, False)
    array([[4]])
    """
    if not a.size:
        return np.zeros(a.shape, np.int64)
    raw, bias = a.astype(np.float32), np.zeros(1, np.float32) if b is None else np.asarray(b, np.float32)
    with np.errstate(divide="ignore", **IGNORED):
        x, own = raw - c, rebuilt(*ends)
        if relu and ends[0] < 0:
            if not (bias.any() or c.any()):
                return settled_codes(np.maximum(raw, np.float32(0)), rebuilt(*(end / d for end in ends)), lo, hi)
            return settled_codes(np.maximum(x * d + bias, np.float32(0)), own, lo, hi)
        if _is_one(bias):
            return settled_codes(raw, rebuilt(*((end - bias) / d + c for end in ends)), lo, hi)
        shift = own.shift + own.scale * bias
        low, high = ends[0] - bias, ends[1] - bias
        if _is_one(d) and c.any():
            return settled_codes(x * d, RangeEnds(low, high, own.scale, shift), lo, hi)
        return settled_codes(x, RangeEnds(low / d, high / d, np.asarray(own.scale * d), shift), lo, hi)


def quantize(x: ArrayLike, params: QuantParams) -> Codes:
    """R127, by itself: q = round_half_even(f32(f32(v scale) + f32(-il scale))) + lo, v = x clipped to [il, ih].

    NaN gives lo. Codes fill their type. ValueError if params is per-channel, which the engine was not asked for.
    Source: openvinotoolkit/openvino ``src/plugins/intel_cpu/src/nodes/fake_quantize.cpp``.

    >>> quantize([-1.25, np.nan, np.inf], QuantParams(0.5, 1, -128, 127))
    array([  -2, -128,  127], dtype=int8)
    """
    if params.per_channel:
        raise ValueError("openvino quantizes per channel in a way that is absent here: give one scale and zero point")
    ends = np.iinfo(params.dtype)
    lo, hi = int(ends.min), int(ends.max)
    with np.errstate(divide="ignore", **IGNORED):
        il, ih, scale, _ = rebuilt(*range_ends(params.scale, int(params.zero_point), lo, hi))
        v = np.fmin(np.fmax(to_float32(x), il), ih)  # of NaN and a number the number
        steps = np.rint(v * scale + np.asarray(-il * scale, np.float32)) + np.float32(lo)
    return np.clip(np.where(np.isnan(steps), lo, steps), params.qmin, params.qmax).astype(params.dtype)


def dequantize(q: Codes, params: QuantParams) -> Float32:
    """R129. x = f32(q s - f32(z s)), fused.

    Source: runs of openvino 2026.4.1.

    >>> dequantize(np.array([3], np.int8), QuantParams(0.1, 3, -128, 127))
    array([-7.450581e-09], dtype=float32)
    """
    with np.errstate(**IGNORED):
        return fma_float32(
            q.astype(np.float32), params.scale, -(np.asarray(params.zero_point, np.float32) * params.scale)
        )


def _is_one(values: Float32) -> bool:
    """Say whether all numbers are one."""
    flat = np.ravel(values)
    return bool((flat == flat[0]).all())
