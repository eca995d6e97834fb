"""From floats to integers, and on to codes: what engines make of overflow and NaN.

Legend: v integers as floats, infinities or NaN; zy zero point; [qmin, qmax] output interval.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Int64
from npquant.kernels.rounding import saturate_to, wrap_int32


def to_int32_x86(v: NDArray[np.floating]) -> Int64:
    """Convert rounded floats to int32 as x86 does.

    Parameters
    ----------
    v : ndarray of float
        Integers as floats, infinities or NaN.

    Returns
    -------
    ndarray of int64
        int32 values; -2^31 for NaN and for all that is outside int32.

    Notes
    -----
    R22. Both signs give the same value. The comparison is in float64, where 2^31 is exact.

    Examples
    --------
    >>> to_int32_x86(np.array([7.0, 2.0**31, np.nan]))
    array([          7, -2147483648, -2147483648])
    """
    wide = np.asarray(v, np.float64)
    inside = (wide >= -(2.0**31)) & (wide < 2.0**31)
    return np.where(inside, wide, -(2.0**31)).astype(np.int64)


def code_wrapping_x86(v: NDArray[np.floating], zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """Convert as x86 does, add the zero point in wrapping int32, and clamp.

    Parameters
    ----------
    v : ndarray of float
        Output steps, rounded.
    zy : int or array of int
        Zero point.
    qmin, qmax : int
        Output interval.

    Returns
    -------
    ndarray of int64
        Output codes.

    Notes
    -----
    R23. y_q = saturate(wrap32(R22(v) + zy), qmin, qmax).

    Examples
    --------
    >>> code_wrapping_x86(np.array([-(2.0**40)]), -1, -128, 127)
    array([127])
    """
    return saturate_to(wrap_int32(to_int32_x86(v) + np.asarray(zy, np.int64)), qmin, qmax)


def code_through_int16(v: NDArray[np.floating], zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """Convert as x86 does, saturate to int16, add the zero point in saturating int16, and clamp.

    Parameters
    ----------
    v : ndarray of float
        Output steps, rounded.
    zy : int or array of int
        Zero point.
    qmin, qmax : int
        Output interval.

    Returns
    -------
    ndarray of int64
        Output codes.

    Notes
    -----
    R24. y_q = saturate(sat16(sat16(R22(v)) + zy), qmin, qmax).

    Examples
    --------
    >>> code_through_int16(np.array([2.0**31]), 10, 0, 255)
    array([0])
    """
    narrow = saturate_to(to_int32_x86(v), -(2**15), 2**15 - 1) + np.asarray(zy, np.int64)
    return saturate_to(saturate_to(narrow, -(2**15), 2**15 - 1), qmin, qmax)


def code_saturating(v: NDArray[np.floating], zy: ArrayLike, qmin: int, qmax: int) -> Int64:
    """Clip rounded floats to the room that the zero point leaves, then add it.

    Parameters
    ----------
    v : ndarray of float
        Output steps, rounded; infinities allowed.
    zy : int or array of int
        Zero point.
    qmin, qmax : int
        Output interval.

    Returns
    -------
    ndarray of int64
        Output codes; NaN gives qmin (ONNX Runtime's order of the maximum).

    Notes
    -----
    R10. y_q = saturate(v + zy, qmin, qmax): the clip keeps huge values out of the integer cast.

    Examples
    --------
    >>> code_saturating(np.array([300.0, -np.inf]), -5, -128, 127)
    array([ 127, -128])
    """
    z = np.asarray(zy, np.int64)
    steps = np.fmax(v, np.asarray(qmin - z, np.float64))  # of a NaN and a number, the number
    return np.asarray(np.minimum(steps, np.asarray(qmax - z, np.float64)).astype(np.int64) + z)
