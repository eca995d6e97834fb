"""Float primitives that engines rely on: the two formats, and a fused multiply-add in float32.

Legend: x real values of any type and shape; a, b, c float32 arrays that broadcast together.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float32, Float64

# For np.errstate, where an engine goes on with infinity or NaN and says nothing.
IGNORED: Mapping[str, Any] = MappingProxyType({"over": "ignore", "under": "ignore", "invalid": "ignore"})

LARGEST_FLOAT32: Final = np.finfo(np.float32).max


def to_float32(x: ArrayLike) -> Float32:
    """R0. f32(x), ties to even; overflow is infinite, and a signalling NaN raises no floating-point error."""
    with np.errstate(**IGNORED):
        return np.asarray(x, np.float32)


def to_float64(x: ArrayLike) -> Float64:
    """R0. f64(x), ties to even; overflow is infinite, and a signalling NaN raises no floating-point error."""
    with np.errstate(**IGNORED):
        return np.asarray(x, np.float64)


def fma_float32(a: ArrayLike, b: ArrayLike, c: ArrayLike) -> Float32:
    """R0. f32(a b + c), rounded once, as one instruction does; NaN and infinities pass through.

    Source: Boldo and Melquiond 2008, "Emulation of FMA and correctly rounded sums".
    """
    with np.errstate(**IGNORED):
        # Two factors of 24 bits: 48 bits, from 2^-298 to 2^256, so exact in float64.
        product = np.asarray(a, np.float64) * np.asarray(b, np.float64)
        addend = np.asarray(c, np.float64)
        total = np.asarray(product + addend)
        back = total - product
        error = (product - (total - back)) + (addend - back)  # two-sum: exact for finite operands
        # Round to odd: an inexact sum whose last bit is 0 moves one step toward the error. 53 bits are two more than
        # twice 24 needs, so the second rounding, to float32, decides as if it saw the exact sum; a subnormal result
        # has fewer bits still.
        even = (total.view(np.int64) & 1) == 0
        outward = (error < 0) == (total < 0)  # one step is one unit of the bit pattern, away from 0 or toward it
        step = np.where((error != 0) & np.isfinite(error) & even, np.where(outward, 1, -1), 0)
        return np.asarray((total.view(np.int64) + step).view(np.float64).astype(np.float32))
