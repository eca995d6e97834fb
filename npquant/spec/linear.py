"""One output of the integer linear layer, from the codes to the code.

Legend: K contracted depth; x_q, w_q codes; zx, zw, zy zero points; b_q int32 bias code of scale sx sw; acc accumulator.
"""

from collections.abc import Sequence

from npquant.spec.requantize import requantize_single_rounding
from npquant.spec.rounding import saturate

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def dot(x_q: Sequence[int], w_q: Sequence[int]) -> int:
    """Multiply a row of codes by a column.

    Parameters
    ----------
    x_q, w_q : sequence of int
        K codes each.

    Returns
    -------
    int
        The exact sum of products.

    Notes
    -----
    R15. sum_k x_q[k] w_q[k].

    Examples
    --------
    >>> dot([-128, 3], [-128, 1])
    16387
    """
    return sum(x * w for x, w in zip(x_q, w_q, strict=True))


def dot_pair16(x_q: Sequence[int], w_q: Sequence[int]) -> int:
    """Multiply a row of uint8 codes by a column of int8 codes where pairs of products saturate to int16.

    Parameters
    ----------
    x_q, w_q : sequence of int
        K codes each, raw.

    Returns
    -------
    int
        The sum of saturated pairs.

    Notes
    -----
    R36. sum_i saturate(x[2i] w[2i] + x[2i+1] w[2i+1], -2^15, 2^15 - 1); an odd K is padded with 0. Source: Intel 64 and
    IA-32 manual, VPMADDUBSW.

    Examples
    --------
    >>> dot_pair16([255, 255, 1], [127, 127, 2])
    32769
    """
    pairs = [dot(x_q[k : k + 2], w_q[k : k + 2]) for k in range(0, len(x_q), 2)]
    return sum(saturate(pair, -(2**15), 2**15 - 1) for pair in pairs)


def accumulate(x_q: Sequence[int], w_q: Sequence[int], b_q: int, zx: int, zw: int) -> int:
    """Sum one output's products and its bias.

    Parameters
    ----------
    x_q, w_q : sequence of int
        Input row and weight column, K codes each.
    b_q : int
        Bias code, scale sx sw.
    zx, zw : int
        Zero points of input and weights.

    Returns
    -------
    int
        Accumulator, scale sx sw, zero point 0.

    Raises
    ------
    ValueError
        If the lengths differ.
    OverflowError
        If the sum leaves int32.

    Notes
    -----
    R9. acc = sum_k (x_q[k] - zx)(w_q[k] - zw) + b_q.

    Examples
    --------
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
    """Bound one output's accumulator over all inputs whose codes lie in [qmin, qmax].

    Parameters
    ----------
    w_q : sequence of int
        Weight column, K codes.
    b_q : int
        Bias code.
    zx, zw : int
        Zero points of input and weights.
    qmin, qmax : int
        Interval of the input codes; contains zx.

    Returns
    -------
    tuple of int
        Smallest and largest accumulator; both are attained.

    Notes
    -----
    C7. high = sum_k max(c a, c b) + b_q and low = sum_k min(c a, c b) + b_q, with c = w_q[k] - zw, a = qmin - zx,
    b = qmax - zx: each term is worst at one end of the interval, and the terms are free of each other.

    Examples
    --------
    >>> accumulator_interval([10, -20], 7, zx=0, zw=0, qmin=-128, qmax=127)
    (-3813, 3837)
    """
    a, b = qmin - zx, qmax - zx
    low = sum(min((w - zw) * a, (w - zw) * b) for w in w_q) + b_q
    high = sum(max((w - zw) * a, (w - zw) * b) for w in w_q) + b_q
    return low, high


def output_code(acc: int, multiplier: int, shift: int, zy: int, qmin: int, qmax: int) -> int:
    """Take an accumulator to the output code, in npquant's own arithmetic.

    Parameters
    ----------
    acc : int
        Accumulator, int32.
    multiplier, shift : int
        m and e of R5 for M = sx sw / sy.
    zy : int
        Output zero point.
    qmin, qmax : int
        Output interval; an activation that is a clamp narrows it (R11).

    Returns
    -------
    int
        Code in [qmin, qmax].

    Notes
    -----
    R10. y_q = saturate(R6(acc) + zy, qmin, qmax).

    Examples
    --------
    >>> output_code(-73, 2**30, 0, zy=0, qmin=-128, qmax=127)
    -36
    """
    return saturate(requantize_single_rounding(acc, multiplier, shift) + zy, qmin, qmax)
