"""Quantizers whose rounding mode is an operand: QONNX, Brevitas and StableHLO.

Legend: x real value and s scale (binary32 numbers), z zero point, [qmin, qmax] code interval, mode a rounding of exact
values to integers, as `npquant.spec.rounding` names them; f32 as in R0.
"""

from collections.abc import Callable
from fractions import Fraction

from npquant.spec.floating import to_float32

Mode = Callable[[Fraction], int]


def quantize_divide_zero_point_first(x: Fraction, s: Fraction, z: int, qmin: int, qmax: int, mode: Mode) -> int:
    """R140. q = mode(clip(f32(f32(x / s) + z), qmin, qmax)): clipped, then rounded, which commutes, since both ends are
    integers. Source: fastmachinelearning/qonnx ``custom_op/general/intquant.py``, int_quant (1.0.0);
    openxla/stablehlo ``StablehloLegalizeQuantToMath.cpp``, half even.

    >>> from npquant.spec.rounding import round_ceil, round_half_even
    >>> [quantize_divide_zero_point_first(Fraction(-5, 4), Fraction(1, 2), 1, -128, 127, mode)
    ...  for mode in (round_half_even, round_ceil)]
    [-2, -1]
    """
    v = to_float32(to_float32(x / s) + z)
    return mode(min(max(v, Fraction(qmin)), Fraction(qmax)))
