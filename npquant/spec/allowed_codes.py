"""Which codes an inexact rescale may give: a set, where every other rule here gives one code.

Legend: acc int32 accumulator; multiplier m, an int32 >= 0, and shift e (positive = left), C4: M = m 2^(e-31); zy zero
point; [qmin, qmax] output interval; f64 as in R0.
"""

from fractions import Fraction
from math import ceil, floor

from npquant.spec.floating import to_float64
from npquant.spec.rounding import HALF, saturate


def allowed_codes_inexact(acc: int, multiplier: int, shift: int, zy: int, qmin: int, qmax: int) -> tuple[int, int]:
    """R160. v = f64(acc m) 2^(e-31), d = f64(1/2 + f64(3 |v| + |v + zy|) 2^-24), and the codes allowed are
    saturate(ceil(v - d + zy)) to saturate(floor(v + d + zy)), each sum in f64, from the left: half a step of rounding,
    three float32 roundings of the product and one of the sum. Beside a tie both codes are allowed; exactly on one, both
    are, whatever the tie rule; elsewhere one code is, until |v| nears 2^22.
    Source: arm/tosa-specification ``chapters/type_conversion.adoc``, RESCALE, INEXACT_ROUND (2026-08).

    >>> allowed_codes_inexact(5, 2**30, 0, 0, -128, 127), allowed_codes_inexact(1958, 2061584415, -4, 0, -128, 127)
    ((2, 3), (117, 117))
    """
    # m 2^(e-31) is a shift of the exponent, so that only the product rounds.
    v = to_float64(Fraction(acc * multiplier)) * Fraction(2) ** (shift - 31)
    error = to_float64(3 * abs(v)) + abs(to_float64(v + zy))
    d = to_float64(HALF + to_float64(error) / 2**24)
    low = ceil(to_float64(to_float64(v - d) + zy))
    high = floor(to_float64(to_float64(v + d) + zy))
    return saturate(low, qmin, qmax), saturate(high, qmin, qmax)
