"""Fixed-point types of high-level synthesis, ``ap_fixed<W, I, Q, O>``: the code of an exact value.

Legend: x exact value, s = 2^(I - W) the value of the last bit, mode a rounding of exact values to integers as
`npquant.spec.rounding` names them, overflow one of the rules here; q integer, [qmin, qmax] all codes of W bits, with
or without sign.
By AP_WRAP, AP_SAT_ZERO and AP_SAT_SYM, beside both ends of 8 bits:

>>> rules = (wrap_to_interval, zero_outside, saturate_symmetric)
>>> [[rule(q, -128, 127) for rule in rules] for q in (130, 127, -128, -129)]
[[-126, 0, 127], [127, 127, 127], [-128, -128, -127], [127, 0, -127]]
"""

from collections.abc import Callable
from fractions import Fraction

from npquant.spec.rounding import saturate

Mode = Callable[[Fraction], int]
Overflow = Callable[[int, int, int], int]


def wrap_to_interval(q: int, qmin: int, qmax: int) -> int:
    """R150. The code congruent to q modulo qmax - qmin + 1: AP_WRAP.
    Source: Xilinx/HLS_arbitrary_Precision_Types ``include/ap_fixed_base.h``, overflow_adjust.
    """
    return (q - qmin) % (qmax - qmin + 1) + qmin


def zero_outside(q: int, qmin: int, qmax: int) -> int:
    """R151. q inside [qmin, qmax], else 0: AP_SAT_ZERO.
    Source: Xilinx/HLS_arbitrary_Precision_Types ``include/ap_fixed_base.h``, overflow_adjust.
    """
    return q if qmin <= q <= qmax else 0


def saturate_symmetric(q: int, qmin: int, qmax: int) -> int:
    """R152. saturate(q, max(qmin, -qmax), qmax): AP_SAT_SYM, which takes qmin itself, of a signed type, to -qmax.
    Source: Xilinx/HLS_arbitrary_Precision_Types ``include/ap_fixed_base.h``, overflow_adjust.
    """
    return saturate(q, max(qmin, -qmax), qmax)


def quantize_ap_fixed(x: Fraction, s: Fraction, qmin: int, qmax: int, mode: Mode, overflow: Overflow) -> int:
    """R153. q = overflow(mode(x / s), qmin, qmax): rounded first, so that a value that rounds beyond an end overflows.
    Source: Xilinx/HLS_arbitrary_Precision_Types ``include/ap_fixed_base.h``, the constructor from double.

    >>> from npquant.spec.rounding import round_floor, round_half_even
    >>> [quantize_ap_fixed(Fraction(255, 4), Fraction(1, 2), -128, 127, mode, wrap_to_interval)
    ...  for mode in (round_floor, round_half_even)]
    [127, -128]
    """
    return overflow(mode(x / s), qmin, qmax)
