"""Softmax, sigmoid and tanh on codes: LiteRT's table, and gemmlowp's fixed point, on arrays.

Legend: q (..., C) codes of x in any integer type, x and y quantization of input and output, per-tensor; beta > 0 factor
on the real input; rows lie along the last axis. Results are codes of y, of y.dtype and the shape of q.
"""

from __future__ import annotations

import math

import numpy as np

from npquant.arrays import Codes, Float32, Int64, Mask
from npquant.kernels.activation_bounds import bounds_half_away
from npquant.kernels.activation_tables import exp_float32
from npquant.kernels.fixed_point import exp_on_negatives, reciprocal_of_one_plus, sigmoid_q4, tanh_q4
from npquant.kernels.floating import IGNORED
from npquant.kernels.multiplier import FixedMultiplier, split_multiplier
from npquant.kernels.qparams import QuantParams
from npquant.kernels.requantize import multiply_high_half_up, requantize_double_rounding
from npquant.kernels.requantize_codes import requantize_codes_double_rounding
from npquant.kernels.rounding import round_half_away, saturate_to, shift_right_half_away, wrap_int32


def _wants(y: QuantParams, scale: float | None, zero_point: int, what: str) -> None:
    """Refuse an output that an engine refuses, or would silently take for another."""
    if y.zero_point != zero_point or (scale is not None and y.scale != scale):
        wanted = "any scale" if scale is None else f"scale 1 / {int(1 / scale)}"
        raise ValueError(f"{what} wants an output of {wanted} at zero point {zero_point}, not {y}")


def softmax_codes_fixed_point(q: Codes, x: QuantParams, y: QuantParams, beta: float) -> Codes:
    """R79. The softmax of rows in integers; its output is 1 / 256 at qmin.

    ValueError if the output is another, beta sx <= 2^-26, or a row's last shift exceeds 31, where the engine aborts:
    once the sum of exponentials reaches 512, as 512 equal codes make it.

    >>> x, y = QuantParams(0.25, 0, -128, 127), QuantParams(1 / 256, -128, -128, 127)
    >>> softmax_codes_fixed_point(np.array([[10, 10, -100]], np.int8), x, y, 1.0)
    array([[   0,    0, -128]], dtype=int8)
    """
    return _softmax_fixed_point(q, x, y, beta, largest_shift=31)


def softmax_codes_fixed_point_shift_x86(q: Codes, x: QuantParams, y: QuantParams, beta: float) -> Codes:
    """R88. As R79; a last shift k > 31 makes a positive p floor(p / 2^(k - 32)) + 1: 512 equal logits are 127.

    Source: google/gemmlowp ``fixedpoint/fixedpoint.h``, RoundingDivideByPOT, 16e8662c, whose shift count x86 takes
    modulo 32; runs of tflite-runtime 2.14, BUILTIN_REF. ValueError as R79's, but for rows whose exponentials sum to
    8,192 or more.

    >>> x, y = QuantParams(0.1, 0, -128, 127), QuantParams(1 / 256, -128, -128, 127)
    >>> softmax_codes_fixed_point_shift_x86(np.zeros((1, 512), np.int8), x, y, 1.0)[0, 0]
    np.int8(127)
    """
    return _softmax_fixed_point(q, x, y, beta, largest_shift=35)


def _softmax_fixed_point(q: Codes, x: QuantParams, y: QuantParams, beta: float, *, largest_shift: int) -> Codes:
    """Return R79 of rows, or R88 where shifts beyond 31 are allowed."""
    _wants(y, 2.0**-8, y.qmin, "this softmax")
    scaled = float(np.float32(beta)) * float(x.scale) * 2.0**26
    if not scaled > 1:
        raise ValueError(f"beta sx is {scaled / 2**26:g}; the engine takes more than 2^-26: it shifts left only")
    m, e = (int(part) for part in split_multiplier(min(scaled, 2.0**31 - 1), 31))
    d = q.astype(np.int64) - q.max(axis=-1, keepdims=True, initial=x.qmin)
    counts = d >= -math.floor(31 * 2.0**26 / 2.0**e)
    # |d| < 2^17 and 1 <= e <= 31: below 2^48 before it wraps, as the engine's int32 does.
    powers = np.where(counts, exp_on_negatives(multiply_high_half_up(wrap_int32(d << e), m), 5), 0)
    total = shift_right_half_away(powers, 12).sum(axis=-1, keepdims=True)
    bits = np.frexp(total.astype(np.float64))[1].astype(np.int64)  # exact: sums are far below 2^53
    if (bits + 3 > largest_shift).any():
        meets = "it aborts the process there" if largest_shift == 31 else "its 32-bit sum wraps there"
        raise ValueError(
            f"a row of {q.shape[-1]} codes needs a last shift of {int(bits.max()) + 3}; the engine's is at most "
            f"{largest_shift}, and {meets}: its exponentials sum to {2 ** (largest_shift - 22)} or more"
        )
    shifted = (total << (32 - bits)) - 2**31
    # An empty row has a sum of 0 and no element; 0 stands for its reciprocal's argument.
    shares = multiply_high_half_up(reciprocal_of_one_plus(np.maximum(shifted, 0)), powers)
    away = shift_right_half_away(shares, np.minimum(bits + 3, 31))
    codes = np.where(bits > 28, (shares >> np.maximum(bits - 29, 0)) + 1, away) + y.qmin
    return np.where(counts, saturate_to(codes, y.qmin, y.qmax), y.qmin).astype(y.dtype)


def softmax_codes_table(q: Codes, x: QuantParams, y: QuantParams, beta: float) -> Codes:
    """R80 for signed codes, R81 for unsigned: the softmax of rows by a table of float32 exponentials.

    The sum runs in order, in float32. The output is 1 / 256 at -128 for int8, and of any scale at 0 for uint8:
    ValueError if it is another, which the engine refuses (int8) or whose zero point it ignores (uint8).

    >>> x, y = QuantParams(0.25, 0, -128, 127), QuantParams(1 / 256, -128, -128, 127)
    >>> softmax_codes_table(np.array([[10, 10, -100]], np.int8), x, y, 1.0)
    array([[   0,    0, -128]], dtype=int8)
    """
    unsigned = y.dtype == np.uint8
    _wants(y, None if unsigned else 2.0**-8, y.qmin, "LiteRT's softmax")
    v = _shares(q, x, y, beta)
    if unsigned:
        return np.asarray(np.clip(np.trunc(v + np.float32(0.5)), y.qmin, y.qmax).astype(np.uint8))
    return np.asarray(np.clip(round_half_away(v) + float(y.zero_point), y.qmin, y.qmax).astype(y.dtype))


def _shares(q: Codes, x: QuantParams, y: QuantParams, beta: float) -> Float32:
    """Return f32(p f32(1 / f32(S sy))) with S the sequential float32 sum of p along each row."""
    k = (q.max(axis=-1, keepdims=True, initial=x.qmin) - q.astype(np.int64)).astype(np.float32)
    with np.errstate(**IGNORED):
        powers = exp_float32(-np.float32(x.scale) * np.float32(beta) * k)
        if not powers.size:
            return powers
        total = np.add.accumulate(powers, axis=-1, dtype=np.float32)[..., -1:]
        return np.asarray(powers * (np.float32(1) / (total * np.float32(y.scale))))


def _q4(q: Codes, x: QuantParams) -> tuple[Int64, Mask, Int64]:
    """Return q - zx, where it lies within the radius, and its real value in Q4 (0 outside)."""
    steps = q.astype(np.int64) - np.asarray(x.zero_point, np.int64)
    m, e = (int(part) for part in split_multiplier(float(x.scale) * 2.0**27, 31))
    inside = np.abs(steps) < math.floor(math.ldexp(15, 27 - e))
    if e > 30 or e < -31:  # e > 30: the radius is 0. e < -31: every step is below 2^-58, far below a unit of Q4
        return steps, inside, np.zeros_like(steps)
    return steps, inside, requantize_double_rounding(np.where(inside, steps, 0), FixedMultiplier(m, e))


def activation_codes_fixed_point(name: str, q: Codes, x: QuantParams, y: QuantParams) -> Codes:
    """R62 for relu, clamped to R34; R82 for sigmoid, R83 for tanh, R84 for relu6: TFLite-Micro's, on int8.

    relu's ratio of scales is float64, unlike R65's. relu6 clamps to R34 of the input, does not rescale and looks at no
    output parameter. For sigmoid and tanh the engine looks at no output scale and at no zero point but a sigmoid's: the
    codes are those of 1 / 256 at -128 and of 1 / 128 at 0, whatever y says. ValueError if the name is none of the four,
    or a sigmoid's output zero point is not -128, which the engine refuses. Source: runs of the wheel
    0.dev20261023182759; tflite-micro ``micro/kernels/logistic_common.cc``, ``tanh.cc``, ``activations_common.cc``,
    90b983c2 (whose relu still divides in float32).

    >>> x, y = QuantParams(1 / 16, 0, -128, 127), QuantParams(1 / 256, -128, -128, 127)
    >>> activation_codes_fixed_point("sigmoid", np.array([-128, 0, 127], np.int8), x, y)
    array([-128,    0,  127], dtype=int8)
    """
    if name == "relu6":
        return saturate_to(q, *bounds_half_away(name, x)).astype(y.dtype)
    if name == "relu":
        return np.clip(requantize_codes_double_rounding(q, x, y), *bounds_half_away(name, y)).astype(y.dtype)
    if name not in ("sigmoid", "tanh"):
        raise ValueError(f"TFLite-Micro has no {name!r} on codes; known: relu, relu6, sigmoid, tanh")
    sigmoid = name == "sigmoid"
    if sigmoid:
        _wants(y, None, -128, "TFLite-Micro's sigmoid")
    steps, inside, a = _q4(q, x)
    codes = shift_right_half_away(sigmoid_q4(a), 23) - 128 if sigmoid else shift_right_half_away(tanh_q4(a), 24)
    return np.where(inside, saturate_to(codes, -128, 127), np.where(steps <= 0, -128, 127)).astype(np.int8)
