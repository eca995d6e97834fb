"""One output of the integer linear layer, from the codes to the code.

Legend: K contracted depth; x_q, w_q K raw codes of an input row and a weight column; zx, zw, zy zero points of input,
weights and output; b_q int32 bias code and acc int32 accumulator, both of scale sx sw at zero point 0; [qmin, qmax]
interval of the codes that a function is about; multiplier m and shift e as in R5.
"""

from collections.abc import Sequence

from npquant.spec.conversion import code_saturating
from npquant.spec.requantize import requantize_single_rounding
from npquant.spec.rounding import INT32_MAX, INT32_MIN, saturate


def dot(x_q: Sequence[int], w_q: Sequence[int]) -> int:
    """R15. sum_k x_q[k] w_q[k], exactly."""
    return sum(x * w for x, w in zip(x_q, w_q, strict=True))


def dot_pair16(x_q: Sequence[int], w_q: Sequence[int], apart: int = 0) -> int:
    """R36. sum_i saturate(x[2i] w[2i] + x[2i+1] w[2i+1], -2^15, 2^15 - 1); an odd K is padded with 0.
    uint8 codes by int8 codes. Where an engine sums its first `apart` products apart, each part is such a sum.
    Source: Intel 64 and IA-32 manual, VPMADDUBSW.

    >>> dot_pair16([255, 255, 1], [127, 127, 2]), dot_pair16([255, 255, 1], [127, 127, 2], apart=1)
    (32769, 64772)
    """
    parts = ((x_q[:apart], w_q[:apart]), (x_q[apart:], w_q[apart:]))
    pairs = [dot(x[k : k + 2], w[k : k + 2]) for x, w in parts for k in range(0, len(x), 2)]
    return sum(saturate(pair, -(2**15), 2**15 - 1) for pair in pairs)


def accumulate(x_q: Sequence[int], w_q: Sequence[int], b_q: int, zx: int, zw: int) -> int:
    """R9. acc = sum_k (x_q[k] - zx)(w_q[k] - zw) + b_q.

    ValueError if the lengths differ, OverflowError if the sum leaves int32.

    >>> accumulate([3, -4], [10, 20], 7, zx=1, zw=0)
    -73
    """
    if len(x_q) != len(w_q):
        raise ValueError(f"the input has {len(x_q)} codes and the weights {len(w_q)}; they must be as many")
    acc = sum((x - zx) * (w - zw) for x, w in zip(x_q, w_q, strict=True)) + b_q
    if not INT32_MIN <= acc <= INT32_MAX:
        raise OverflowError(f"the accumulator is {acc}, outside int32")
    return acc


def accumulator_interval(w_q: Sequence[int], b_q: int, zx: int, zw: int, qmin: int, qmax: int) -> tuple[int, int]:
    """C7. high = sum_k max(c a, c b) + b_q and low = sum_k min(c a, c b) + b_q, with c = w_q[k] - zw, a = qmin - zx,
    b = qmax - zx: each term is worst at one end of the interval, and the terms are free of each other.
    (low, high) over all inputs whose codes lie in [qmin, qmax], which contains zx; both are attained.

    >>> accumulator_interval([10, -20], 7, zx=0, zw=0, qmin=-128, qmax=127)
    (-3813, 3837)
    """
    a, b = qmin - zx, qmax - zx
    low = sum(min((w - zw) * a, (w - zw) * b) for w in w_q) + b_q
    high = sum(max((w - zw) * a, (w - zw) * b) for w in w_q) + b_q
    return low, high


def output_code(acc: int, multiplier: int, shift: int, zy: int, qmin: int, qmax: int) -> int:
    """R10. y_q = saturate(R6(acc) + zy, qmin, qmax): npquant's own arithmetic, M = sx sw / sy.
    An activation that is a clamp narrows the output interval [qmin, qmax] (R11).

    >>> output_code(-73, 2**30, 0, zy=0, qmin=-128, qmax=127)
    -36
    """
    return code_saturating(requantize_single_rounding(acc, multiplier, shift), zy, qmin, qmax)
