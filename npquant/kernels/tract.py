"""tract's requantization and quantization on arrays: exact products in int64, and its kernel's rails.

Legend: acc (..., N) int64 array of int32 values; m float32 multiplier M >= 0, () or (N,); sx, sw, sy float32 scales of
input, weights and output; x real values, q codes, params their quantization, zy output zero point, [qmin, qmax] output
interval. Accumulators in output steps and output codes y_q come as int64.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Codes, Float32, Int64
from npquant.kernels.dynamic import DynamicCodes
from npquant.kernels.floating import IGNORED, to_float32
from npquant.kernels.multiplier import multiplier_float32, multiplier_float32_reciprocal
from npquant.kernels.qparams import FLOAT32_TINY, QuantParams
from npquant.kernels.rounding import round_half_even, saturate_to, wrap_int32


def layer_multiplier(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> Float32:
    """R120. M_C () of one weight scale; of N of them M_D (N,), or () where all N are equal.

    Source: sonos/tract ``core/src/ops/matmul/quant.rs``, combine_scales.

    >>> layer_multiplier(1, [0.5, 0.5], 1), layer_multiplier(1, [0.5, 0.25], 1)
    (array(0.5, dtype=float32), array([0.5 , 0.25], dtype=float32))
    """
    with np.errstate(**IGNORED):
        if np.ndim(sw) == 0:
            return multiplier_float32(sx, sw, sy)
        each = multiplier_float32_reciprocal(sx, sw, sy)
    return np.asarray(each[0]) if each.size and (each == each[0]).all() else each


def stage_half_even_wrapping(acc: Int64, m: Float32, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """R120. y_q = saturate(wrap32(y + zy), qmin, qmax), y of R121 for one multiplier, of R122 for one a channel.

    >>> stage_half_even_wrapping(np.array([5, -5]), np.asarray(np.float32(0.5)), 1, -128, 127)
    array([ 3, -1])
    """
    rescale = rescale_magnitude if np.ndim(m) else rescale_exact
    return saturate_to(wrap_int32(rescale(acc, m) + np.asarray(zy, np.int64)), qmin, qmax)


def rescale_exact(acc: Int64, m: Float32) -> Int64:
    """R121. y = round_half_even(acc M), exactly, M (); at the rails what the x86 kernel makes of it.

    Source: sonos/tract ``linalg/src/generic/rounding.rs``, ``linalg/x86_64/fma/avx2_mmm_i32_8x8.S.j2``.

    >>> rescale_exact(np.array([5, -5, 2**31 - 1]), np.float32(0.5)), rescale_exact(np.array([-7]), np.float32(0))
    (array([          2,          -2, -1073741824]), array([-7]))
    """
    if m == 0 or m == 1:
        return acc
    if m < FLOAT32_TINY or not np.isfinite(m):
        return np.zeros_like(acc)
    fraction, exponent = np.frexp(np.float32(m))  # M = fraction 2^exponent, fraction in [1/2, 1)
    e = int(exponent) - 1
    magnitude = wrap_int32(np.abs(acc))
    if fraction == 0.5:
        if e > 0:
            return wrap_int32(acc << min(e, 32))  # below 2^63, and 32 places leave nothing
        return wrap_int32(np.sign(acc) * _shift_half_even_32(magnitude, -e))
    # The magnitude is at most 2^31 and f below 2^31: a product below 2^62.
    f = np.int64(np.ldexp(np.float64(fraction), 31))
    return wrap_int32(np.sign(acc) * _high_half_even_64(magnitude * f, 30 - e))


def rescale_magnitude(acc: Int64, m: Float32) -> Int64:
    """R122. y = sat32(sign(acc) round_half_even(f32(f32(|acc|) M))); infinity saturates, 0 times infinity is 0.

    Source: sonos/tract ``core/src/ops/quant.rs``, scale_by.
    """
    with np.errstate(**IGNORED):
        steps = round_half_even(np.asarray(np.abs(acc).astype(np.float32) * m))
    return _sat32(np.where(acc < 0, -steps, steps))


def quantize(x: ArrayLike, params: QuantParams) -> Codes:
    """R123. q = saturate(wrap32(sat32(round_half_even(f32(x f32(1 / s)))) + z)); NaN gives the zero point.

    ValueError if params is per-channel: tract takes the first scale and is silent. Source: sonos/tract
    ``onnx/src/ops/quant.rs``, ``core/src/ops/quant.rs``.

    >>> quantize([-1.25, np.nan, 1e12], QuantParams(0.5, 5, -128, 127))
    array([   3,    5, -128], dtype=int8)
    """
    if params.per_channel:
        raise ValueError(
            "tract quantizes per tensor: give one scale and one zero point (of several it takes the first)"
        )
    with np.errstate(**IGNORED):
        steps = round_half_even(np.asarray(to_float32(x) * (np.float32(1) / params.scale)))
    # Two int32 values: below 2^32 before it wraps.
    wrapped = wrap_int32(_sat32(steps) + np.asarray(params.zero_point, np.int64))
    return saturate_to(wrapped, params.qmin, params.qmax).astype(params.dtype)


def dynamic_quantize(x: ArrayLike) -> DynamicCodes:
    """R124. s = f32(f32(hi - lo) / 255), z = round_half_even(f32(-lo / s)), q = round_half_even(f32(x / s)) + z.

    A range of nothing but 0 has scale 0, zero point 0 and codes 0. Where s underflows to 0 otherwise, quotients are
    infinite and the sum wraps. ValueError if x contains NaN or infinity. Source: sonos/tract ``onnx/src/ops/quant.rs``.

    >>> [part.tolist() for part in dynamic_quantize([-1.0, 0.5, 254.0])], float(dynamic_quantize([0.0]).scale)
    ([[0, 1, 255], 1.0, 1], 0.0)
    """
    values = to_float32(x)
    if not np.isfinite(values).all():
        raise ValueError("x contains NaN or infinity, whose scale would be one as well; remove them first")
    lo = np.minimum(np.float32(0), values.min(initial=0))
    hi = np.maximum(np.float32(0), values.max(initial=0))
    with np.errstate(divide="ignore", **IGNORED):
        scale = np.float32(np.float32(hi - lo) / np.float32(255))
        z = int(np.clip(np.nan_to_num(round_half_even(np.asarray(-lo / scale)), nan=0.0), 0, 255))
        steps = _sat32(round_half_even(np.asarray(values / scale)))
    codes = saturate_to(wrap_int32(steps + z), 0, 255).astype(np.uint8)
    return DynamicCodes(codes, np.asarray(scale), np.asarray(z, np.uint8))


def _sat32(steps: Float32) -> Int64:
    """Convert as Rust's `as` does: saturating, NaN to 0."""
    known = np.where(np.isnan(steps), 0, steps).astype(np.float64)  # where 2^31 - 1 is exact
    return np.clip(known, -(2.0**31), 2.0**31 - 1).astype(np.int64)


def _shift_half_even_32(a: Int64, e: int) -> Int64:
    """a / 2^e, ties to even, in 32 bits: half a step has the bit (e - 1) mod 32."""
    places = min(e, 32)  # of int32 values 32 places leave the sign
    odd = (a >> places) & 1
    half = wrap_int32(np.asarray(1 << (e - 1) % 32))
    return np.asarray(wrap_int32(a + odd - 1 + half) >> places)


def _high_half_even_64(product: Int64, s: int) -> Int64:
    """The low 32 bits of product / 2^s, ties to even, in 64 bits without sign."""
    if not 0 <= s < 64:
        return np.zeros_like(product)
    odd = (product >> s) & 1
    half = np.int64(1) << (s - 1) if s else np.int64(0)
    # |product| < 2^62 and half <= 2^62: no sum leaves int64; the shift without sign is of the same bits.
    bits = (product + odd - 1 + half).view(np.uint64) >> np.uint64(s)
    return wrap_int32(bits.view(np.int64))
