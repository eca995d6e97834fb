"""Array twins of the rounding family: floats to integers, and integer shifts that round.

Legend: v float array, x integer array, e right shift in bits; e broadcasts against x (per-channel: last axis).
Integer arithmetic is int64 throughout: callers keep |x| < 2^62, so that adding half a step cannot overflow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Int64


def round_half_even(v: NDArray[np.floating]) -> NDArray[np.floating]:
    """Round floats to nearest integers, ties to even.

    Parameters
    ----------
    v : ndarray of float32 or float64
        Any values.

    Returns
    -------
    ndarray, dtype and shape of v
        Integers as floats.

    Notes
    -----
    NaN and infinities pass through; -0.3 gives -0.0; empty arrays give empty arrays.

    Examples
    --------
    >>> round_half_even(np.array([2.5, 3.5, -2.5]))
    array([ 2.,  4., -2.])
    """
    return np.asarray(np.rint(v))


def round_half_away(v: NDArray[np.floating]) -> NDArray[np.floating]:
    """Round floats to nearest integers, ties away from zero (C's ``round``).

    Parameters
    ----------
    v : ndarray of float32 or float64
        Any values.

    Returns
    -------
    ndarray, dtype and shape of v
        Integers as floats.

    Notes
    -----
    floor(v + 0.5) is wrong at 0.5 - 2^-54, where the sum rounds up to 1; the fraction after truncation is exact.
    NaN passes through, and so do infinities (their fraction is taken as 0).

    Examples
    --------
    >>> round_half_away(np.array([2.5, -2.5, 0.49999999999999994]))
    array([ 3., -3.,  0.])
    """
    whole = np.trunc(v)
    fraction = np.subtract(v, whole, out=np.zeros_like(v), where=np.isfinite(v))
    return np.asarray(whole + np.copysign((np.abs(fraction) >= 0.5).astype(v.dtype), v))


def shift_right_floor(x: Int64, e: ArrayLike) -> Int64:
    """Divide by 2^e, rounding toward minus infinity.

    Parameters
    ----------
    x : ndarray of int64
        |x| < 2^63.
    e : int or array of int
        Right shift, 0..62.

    Returns
    -------
    ndarray of int64
        floor(x / 2^e).

    Examples
    --------
    >>> shift_right_floor(np.array([5, -5]), 1)
    array([ 2, -3])
    """
    return np.right_shift(x, e)


def shift_right_half_up(x: Int64, e: ArrayLike) -> Int64:
    """Divide by 2^e, to nearest, ties toward plus infinity.

    Parameters
    ----------
    x : ndarray of int64
        |x| < 2^62.
    e : int or array of int
        Right shift, 0..62.

    Returns
    -------
    ndarray of int64
        floor(x / 2^e + 1/2).

    Notes
    -----
    Half a step is 2^(e-1) for e >= 1 and nothing for e = 0: (1 << e) >> 1 says both.

    Examples
    --------
    >>> shift_right_half_up(np.array([5, -5]), 1)
    array([ 3, -2])
    """
    half = np.left_shift(np.int64(1), np.asarray(e, np.int64)) >> 1
    return np.right_shift(x + half, e)


def shift_right_half_away(x: Int64, e: ArrayLike) -> Int64:
    """Divide by 2^e, to nearest, ties away from zero.

    Parameters
    ----------
    x : ndarray of int64
        |x| < 2^62.
    e : int or array of int
        Right shift, 0..62.

    Returns
    -------
    ndarray of int64
        The nearest integer, of larger magnitude on a tie.

    Notes
    -----
    Ties up, except that negatives take one unit less of half a step: -2.5 + 0.5 - tiny floors to -3.

    Examples
    --------
    >>> shift_right_half_away(np.array([5, -5]), 1)
    array([ 3, -3])
    """
    half = np.left_shift(np.int64(1), np.asarray(e, np.int64)) >> 1
    return np.asarray(np.right_shift(x + half - ((x < 0) & (half > 0)), e))


def shift_right_half_even(x: Int64, e: ArrayLike) -> Int64:
    """Divide by 2^e, to nearest, ties to even.

    Parameters
    ----------
    x : ndarray of int64
        |x| < 2^62.
    e : int or array of int
        Right shift, 0..62.

    Returns
    -------
    ndarray of int64
        The nearest integer, the even one on a tie.

    Notes
    -----
    Half a step, less one unit unless the floor is odd: an exact half then carries only into an even result.

    Examples
    --------
    >>> shift_right_half_even(np.array([5, 7, -5]), 1)
    array([ 2,  4, -2])
    """
    half = np.left_shift(np.int64(1), np.asarray(e, np.int64)) >> 1
    odd = np.right_shift(x, e) & 1
    return np.asarray(np.right_shift(x + half - ((odd == 0) & (half > 0)), e))


def saturate_to(x: NDArray[np.integer], qmin: ArrayLike, qmax: ArrayLike) -> Int64:
    """Clamp integers to [qmin, qmax].

    Parameters
    ----------
    x : ndarray of integers
        Any values of int64.
    qmin, qmax : int or array of int
        Closed interval.

    Returns
    -------
    ndarray of int64
        Clamped values.

    Examples
    --------
    >>> saturate_to(np.array([200, -7]), -128, 127)
    array([127,  -7])
    """
    return np.clip(np.asarray(x, np.int64), qmin, qmax)


def wrap_int32(x: Int64) -> Int64:
    """Reduce to two's complement of 32 bits.

    Parameters
    ----------
    x : ndarray of int64
        Any values.

    Returns
    -------
    ndarray of int64
        Values in [-2^31, 2^31), congruent to x modulo 2^32.

    Examples
    --------
    >>> wrap_int32(np.array([2**31]))
    array([-2147483648])
    """
    return np.asarray(x, np.int64).astype(np.int32).astype(np.int64)
