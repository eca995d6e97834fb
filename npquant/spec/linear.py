"""One output of the integer linear layer, from the codes to the code.

Legend: K contracted depth; x_q, w_q codes; zx, zw, zy zero points; b_q int32 bias code of scale sx sw; acc accumulator.
"""

from collections.abc import Sequence

from npquant.spec.requantize import requantize_single_rounding
from npquant.spec.rounding import saturate

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


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
        If the sum leaves int32 (C4).

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
