"""OpenVINO's layer: scale and shift of the output are rebuilt from the ends of its range, and the bias moves into them.

Legend: one row of N outputs, each list of N; a raw sums of products of codes as they stand, int32; c what the input's
zero point adds to them, d the real value of a step of a, b real biases; il and ih the real ends of the output's range,
scale and shift what takes a real value to a code; x a real value, s, sx, sw, sy scales, z, zx and zy zero points;
[lo, hi] the type's codes; all real numbers are binary32, f32 as in R0. A tie, 5/2 steps above a zero point of 1,
without and with a bias:

>>> one, near = Fraction(1), range_ends(Fraction(2), 1, 0, 255)
>>> [layer_codes([5], [Fraction(0)], [one], [b], near, 0, 255, False) for b in (Fraction(0), Fraction(2))]
[[4], [4]]
"""

from collections.abc import Sequence
from fractions import Fraction

from npquant.spec.floating import to_float32
from npquant.spec.rounding import round_half_even, saturate

Reals = Sequence[Fraction]
# Shifts this close to the first one are made equal to it, and one this small beside the range is dropped.
NEAR = to_float32(Fraction(5, 10**5))
SMALL = to_float32(Fraction(1, 10**5))


def range_ends(sy: Fraction, zy: int, lo: int, hi: int) -> tuple[Fraction, Fraction]:
    """R125. il = f32(sy (lo - zy)), ih = f32(sy (hi - zy)); scale = f32(255 / f32(ih - il)), shift =
    f32(f32(-255 il) / f32(ih - il)), close to zy - lo and not equal to it.
    Source: openvinotoolkit/openvino ``src/frontends/onnx/frontend/src/op/quantize_linear.cpp``,
    ``src/plugins/intel_cpu/src/nodes/fake_quantize.cpp``.
    """
    return to_float32(sy * (lo - zy)), to_float32(sy * (hi - zy))


def rebuilt(il: Fraction, ih: Fraction) -> tuple[Fraction, Fraction]:
    """R125, its scale and shift.

    >>> [float(part) for part in rebuilt(*range_ends(Fraction(1, 2), 3, 0, 255))]
    [2.0, 3.0]
    """
    width = to_float32(ih - il)
    return to_float32(255 / width), to_float32(to_float32(-255 * il) / width)


def column_offset(w_q: Sequence[int], zx: int) -> Fraction:
    """R126. c = zx sum_k w_q[k], summed in binary32, in the order of k: beyond 2^24 each addend is rounded.
    Source: openvinotoolkit/openvino, low-precision transformations; runs of openvino 2026.4.1.

    >>> int(column_offset([127] * 1100, 169)) - 169 * 127 * 1100
    316
    """
    total = Fraction(0)
    for w in w_q:
        total = to_float32(total + zx * w)
    return total


def settled_codes(v: Reals, il: Reals, ih: Reals, scale: Reals, shift: Reals, lo: int, hi: int) -> list[int]:
    """R127. Shifts within 5e-5 of the first become it; t = f32(shift + lo), 0 where all are one number, less than
    1e-5 of the range. Where scale and t are one number each: y = round_half_even(f32(v scale + t)), fused, but with
    t = 0 f32(v f32(1 / f32(1 / scale))); else round_half_even(f32(f32(v scale) + t)). Then clipped to the codes of the
    ends, round_half_even(f32(f32(il scale) + shift)) + lo, and to [lo, hi].
    Source: openvinotoolkit/openvino ``src/plugins/intel_cpu/src/dnnl_postops_composer.cpp``, updateOptimizedFormula.
    """
    if all(abs(to_float32(s - shift[0])) < NEAR for s in shift):
        shift = [shift[0] for _ in shift]
    codes = [sorted(_code(end[n], scale[n], shift[n]) + lo for end in (il, ih)) for n in range(len(v))]
    t = [to_float32(s + lo) for s in shift]
    one_clip = len({tuple(ends) for ends in codes}) == 1
    wide = one_clip and codes[0][0] <= lo and codes[0][1] >= hi
    if one_clip and len(set(t)) == 1 and abs(t[0]) < to_float32((codes[0][1] - codes[0][0]) * SMALL):
        t = [Fraction(0) for _ in t]
    one = len(set(scale)) == 1 and len(set(t)) == 1
    return [
        saturate(saturate(round_half_even(_applied(v[n], scale[n], t[n], one, wide)), *codes[n]), lo, hi)
        for n in range(len(v))
    ]


def layer_codes(
    a: Sequence[int], c: Reals, d: Reals, b: Reals, ends: tuple[Fraction, Fraction], lo: int, hi: int, relu: bool
) -> list[int]:
    """R128. With relu, unless il is 0: R127 of v = max(f32(f32(f32(a - c) d) + b), 0) and the output's ends, but where
    all c and b are 0 of v = max(f32(a), 0) and the ends f32(il / d).
    Biases that are one number, 0 for none: R127 of v = f32(a), whose ends are f32(f32(f32(il - b) / d) + c).
    Otherwise shift' = f32(shift + f32(scale b)); where d is one number and some c is not 0, v = f32(f32(a - c) d) under
    scale, else v = f32(a - c) under f32(scale d).
    Source: openvinotoolkit/openvino, as R125 to R127; which form a layer takes by runs of openvino 2026.4.1.
    """
    il, ih = ends
    raw = [to_float32(Fraction(sums)) for sums in a]
    x = [to_float32(sums - zero) for sums, zero in zip(raw, c, strict=True)]
    scale, shift = rebuilt(il, ih)
    if relu and il < 0 and not (any(b) or any(c)):
        low, high = ([to_float32(end / step) for step in d] for end in (il, ih))
        made = [rebuilt(*pair) for pair in zip(low, high, strict=True)]
        v = [max(sums, Fraction(0)) for sums in raw]
        return settled_codes(v, low, high, [part[0] for part in made], [part[1] for part in made], lo, hi)
    if relu and il < 0:
        v = [max(to_float32(to_float32(x[n] * d[n]) + b[n]), Fraction(0)) for n in range(len(a))]
        low, high, scales, shifts = ([one] * len(a) for one in (il, ih, scale, shift))
        return settled_codes(v, low, high, scales, shifts, lo, hi)
    if len(set(b)) == 1:
        low, high = ([to_float32(_divided(end - b[n], d[n]) + c[n]) for n in range(len(a))] for end in (il, ih))
        made = [rebuilt(*pair) for pair in zip(low, high, strict=True)]
        return settled_codes(raw, low, high, [part[0] for part in made], [part[1] for part in made], lo, hi)
    shifts = [to_float32(shift + to_float32(scale * bias)) for bias in b]
    low, high = ([to_float32(end - bias) for bias in b] for end in (il, ih))
    if len(set(d)) == 1 and any(c):
        v = [to_float32(x[n] * d[n]) for n in range(len(a))]
        return settled_codes(v, low, high, [scale] * len(a), shifts, lo, hi)
    low, high = ([to_float32(end[n] / d[n]) for n in range(len(a))] for end in (low, high))
    return settled_codes(x, low, high, [to_float32(scale * step) for step in d], shifts, lo, hi)


def quantize(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int) -> int:
    """R127, by itself: v = x clipped to [il, ih], q = round_half_even(f32(f32(v scale) + f32(-il scale))) + lo.
    A type's codes are all taken: [qmin, qmax] is [lo, hi]. NaN gives lo, and so does every value of an infinite range.
    Source: openvinotoolkit/openvino ``src/plugins/intel_cpu/src/nodes/fake_quantize.cpp``.
    """
    il, ih = range_ends(s, z, qmin, qmax)
    scale = to_float32(255 / to_float32(ih - il))
    v = max(il, min(ih, x))
    return saturate(round_half_even(to_float32(to_float32(v * scale) + to_float32(-il * scale))) + qmin, qmin, qmax)


def dequantize(q: int, s: Fraction, z: int) -> Fraction:
    """R129. x = f32(q s - f32(z s)), rounded once after the product: code z need not be 0.
    Source: runs of openvino 2026.4.1.

    >>> dequantize(3, to_float32(Fraction(1, 10)), 3) == 0
    False
    """
    return to_float32(q * s - to_float32(z * s))


def _divided(v: Fraction, d: Fraction) -> Fraction:
    """Return f32(f32(v) / d)."""
    return to_float32(to_float32(v) / d)


def _code(end: Fraction, scale: Fraction, shift: Fraction) -> int:
    """Return the code of an end of the range, counted from lo."""
    return round_half_even(to_float32(to_float32(end * scale) + shift))


def _applied(v: Fraction, scale: Fraction, t: Fraction, one: bool, wide: bool) -> Fraction:
    """Return a value as a code that is not rounded; one number of each is fused, or an output scale's reciprocal."""
    if not one:
        return to_float32(to_float32(v * scale) + t)
    if t:
        return to_float32(v * scale + t)
    return to_float32(v * to_float32(1 / to_float32(1 / scale))) if wide else to_float32(v * scale)
