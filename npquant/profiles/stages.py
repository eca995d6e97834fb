"""Output stages of engines that requantize in integers, built from a requantization: they differ in how zy is added.

Legend: acc accumulator, (m, e) fixed multiplier, v output steps, zy zero point, [qmin, qmax] output interval.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.kernels.requantize import FixedMultiplier
from npquant.kernels.rounding import saturate_to, wrap_int32

Int64 = NDArray[np.int64]


def integer_stage(requantize: Callable[[Int64, FixedMultiplier], Int64]) -> Callable[[Any, Any, Any, int, int], Int64]:
    """Build an output stage that requantizes in integers, adds the zero point and saturates.

    Parameters
    ----------
    requantize : callable
        (acc, fixed multiplier) -> output steps.

    Returns
    -------
    callable
        (acc, fixed multiplier, zy, qmin, qmax) -> codes.

    Examples
    --------
    >>> from npquant.kernels.requantize_engines import requantize_double_rounding
    >>> stage = integer_stage(requantize_double_rounding)
    >>> stage(np.array([-5]), FixedMultiplier(2**30, 0), 1, -128, 127)
    array([-1])
    """

    def stage(acc: Int64, fixed: FixedMultiplier, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
        return saturate_to(requantize(acc, fixed) + np.asarray(zy, np.int64), qmin, qmax)

    return stage


def wrapping_stage(requantize: Callable[[Int64, FixedMultiplier], Int64]) -> Callable[[Any, Any, Any, int, int], Int64]:
    """Build an output stage that requantizes in integers, adds the zero point in wrapping int32, and clamps.

    Parameters
    ----------
    requantize : callable
        (acc, fixed multiplier) -> output steps.

    Returns
    -------
    callable
        (acc, fixed multiplier, zy, qmin, qmax) -> codes.

    Notes
    -----
    R38. y_q = saturate(wrap32(v + zy), qmin, qmax): steps within a zero point of +-2^31 come out at the other rail.

    Examples
    --------
    >>> from npquant.kernels.requantize_engines import requantize_double_rounding
    >>> stage = wrapping_stage(requantize_double_rounding)
    >>> stage(np.array([2**31 - 1]), FixedMultiplier(2**31 - 1, 0), 82, -128, 127)
    array([-128])
    """

    def stage(acc: Int64, fixed: FixedMultiplier, zy: ArrayLike, qmin: int, qmax: int) -> Int64:
        return saturate_to(wrap_int32(requantize(acc, fixed) + np.asarray(zy, np.int64)), qmin, qmax)

    return stage
