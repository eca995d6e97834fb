"""From a rounded value to an output code: what each machine does beyond int32, and where the zero point goes in.

Legend: v rounded value in output steps, an integer of any size (R130: not rounded yet); zy zero point, [qmin, qmax]
output interval; y_q output code; wrap32 and sat16 are `wrap` and `saturate` to the width.
Beside the end of int32, and beyond it:

>>> rules = (code_saturating, code_wrapping, code_wrapping_x86, code_through_int16)
>>> [rule(2**31 - 10, 82, -128, 127) for rule in rules], [rule(-(2**40), -1, -128, 127) for rule in rules]
([127, -128, -128, 127], [-128, -1, 127, -128])
"""

from fractions import Fraction

from npquant.spec.floating import to_float32
from npquant.spec.rounding import HALF, INT32_MAX, INT32_MIN, round_half_away, round_toward_zero, saturate, wrap


def round_add_half_then_truncate(v: Fraction) -> int:
    """R130. trunc(f32(v + copysign(1/2, v))), v a binary32 number: half away, but for the two numbers +-(1/2 - 2^-25),
    whose sum is a tie that rounds to +-1, and odd |v| in [2^23, 2^24), where the sum is a tie that goes to the even
    integer. Source: Tencent/ncnn ``src/layer/x86/x86_usability.h``, float2int8_sse; alibaba/MNN
    ``source/backend/cpu/x86_x64/AVX2Functions.cpp``.

    >>> below = Fraction(1, 2) - Fraction(1, 2**25)
    >>> [round_add_half_then_truncate(v) for v in (below, -below, Fraction(5, 2), Fraction(-5, 2), Fraction(2**23 + 1))]
    [1, -1, 3, -3, 8388610]
    """
    return round_toward_zero(to_float32(v + (HALF if v >= 0 else -HALF)))


def to_int32_x86(v: int) -> int:
    """R22. v, or -2^31 where v is outside int32, the "integer indefinite" value 0x80000000; NaN gives -2^31 too.
    What cvtps2dq and cvttss2si return. Source: Intel 64 and IA-32 manual, volume 2, CVTPS2DQ.
    """
    return v if INT32_MIN <= v <= INT32_MAX else INT32_MIN


def code_saturating(v: int, zy: int, qmin: int, qmax: int) -> int:
    """R10. y_q = saturate(v + zy, qmin, qmax): the zero point in exact arithmetic."""
    return saturate(v + zy, qmin, qmax)


def code_wrapping(v: int, zy: int, qmin: int, qmax: int) -> int:
    """R38. y_q = saturate(wrap32(v + zy), qmin, qmax): the zero point in wrapping int32.
    Source: LiteRT ``reference/integer_ops/fully_connected.h`` (acc += output_offset, an int32); runs of ai-edge-litert
    2.3.0 with steps within a zero point of 2^31.
    """
    return saturate(wrap(v + zy, 32), qmin, qmax)


def code_wrapping_x86(v: int, zy: int, qmin: int, qmax: int) -> int:
    """R23. y_q = saturate(wrap32(R22(v) + zy), qmin, qmax): beyond int32 both signs end at the same rail."""
    return saturate(wrap(to_int32_x86(v) + zy, 32), qmin, qmax)


def code_through_int16(v: int, zy: int, qmin: int, qmax: int) -> int:
    """R24. y_q = saturate(sat16(sat16(R22(v)) + zy), qmin, qmax).
    Source: pytorch/FBGEMM ``src/QuantUtilsAvx2.cc`` (packs_epi32, adds_epi16, packus_epi16).
    """
    v16 = saturate(to_int32_x86(v), -(2**15), 2**15 - 1)
    return saturate(saturate(v16 + zy, -(2**15), 2**15 - 1), qmin, qmax)


def code_symmetric_add_half(v: Fraction) -> int:
    """R131. q = saturate(R22(R130(v)), -127, 127): a v of 2^31 or more gives -127.
    Source: Tencent/ncnn ``src/layer/x86/x86_usability.h``, float2int8_sse, revision a4d2ea1.
    """
    return saturate(to_int32_x86(round_add_half_then_truncate(v)), -127, 127)


def code_symmetric_half_away(v: Fraction) -> int:
    """R132. q = saturate(R22(round_half_away(v)), -127, 127): the same rails, and v next below 1/2 gives 0.
    Source: Tencent/ncnn ``src/layer/x86/x86_usability.h``, float2int8, revision a4d2ea1.

    >>> below = Fraction(1, 2) - Fraction(1, 2**25)
    >>> [rule(v) for rule in (code_symmetric_add_half, code_symmetric_half_away) for v in (below, Fraction(2**31))]
    [1, -127, 0, -127]
    """
    return saturate(to_int32_x86(round_half_away(v)), -127, 127)
