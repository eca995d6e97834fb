"""Quantization parameters: the record, and how to choose it from a range.

Legend: s scale (> 0), z zero point (the code of 0), N channels on the last axis; bits width of the codes, 2..16, whose
interval is [qmin, qmax] = [-2^(bits-1), 2^(bits-1) - 1]; absmax, lo, hi real, () or (N,), one a channel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.kernels.floating import to_float32, to_float64

FLOAT32_TINY = float(np.finfo(np.float32).tiny)
# Types of codes, the narrowest first, each with its ends: every layer asks for them, and np.iinfo is slow to make.
CODE_TYPES: tuple[tuple[int, int, np.dtype[np.integer]], ...] = tuple(
    (int(np.iinfo(name).min), int(np.iinfo(name).max), np.dtype(name))
    for name in ("int8", "uint8", "int16", "uint16", "int32")
)


@dataclass(frozen=True, slots=True, eq=False)
class QuantParams:
    """Name the affine map between real values and codes: x = scale (q - zero_point).

    Parameters
    ----------
    scale : float or array of shape (N,)
        Real step between codes. Stored as float32, as every engine stores it; a scalar is per-tensor, (N,) is
        per-channel along the last axis.
    zero_point : int or array of int of shape (N,)
        The code of real 0.
    qmin, qmax : int
        Closed code interval inside int32.

    Raises
    ------
    ValueError
        C1: a scale is not a positive, normal, finite float32. C2: a zero point is outside [qmin, qmax], so that 0 has
        no code. C3: qmin >= qmax, or the interval leaves int32. Also if scale or zero_point is not of shape () or (N,).
    TypeError
        If a zero point or an end of the interval is not an integer.

    Notes
    -----
    A float32 scale times a code-and-a-half of up to 29 bits is exact in float64, so a float64 division decides every
    tie of x / s as exact arithmetic would: that is why the array twin of R1 needs no wider type.

    Examples
    --------
    >>> QuantParams(0.5, -128, -128, 127)
    QuantParams(scale=0.5, zero_point=-128, qmin=-128, qmax=127)
    """

    scale: np.float32 | NDArray[np.float32]
    zero_point: int | NDArray[np.int32]
    qmin: int
    qmax: int

    def __init__(self, scale: ArrayLike, zero_point: ArrayLike, qmin: int, qmax: int) -> None:
        bounds = [_as_integer(qmin, "qmin"), _as_integer(qmax, "qmax")]
        if not -(2**31) <= bounds[0] < bounds[1] < 2**31:
            raise ValueError(f"the code interval is [{qmin}, {qmax}]; it needs qmin < qmax inside int32 (C3)")
        object.__setattr__(self, "scale", _checked_scale(scale))
        object.__setattr__(self, "zero_point", _checked_zero_point(zero_point, *bounds))
        object.__setattr__(self, "qmin", bounds[0])
        object.__setattr__(self, "qmax", bounds[1])
        if np.ndim(self.scale) and np.ndim(self.zero_point) and np.shape(self.scale) != np.shape(self.zero_point):
            raise ValueError(
                f"{np.size(self.scale)} scales but {np.size(self.zero_point)} zero points: give one of each a channel"
            )

    @property
    def per_channel(self) -> bool:
        """True where scale or zero point is an array of shape (N,)."""
        return bool(np.ndim(self.scale) or np.ndim(self.zero_point))

    @property
    def dtype(self) -> np.dtype[np.integer]:
        """The narrowest of int8, uint8, int16, uint16 and int32 that holds [qmin, qmax]."""
        return next(dtype for low, high, dtype in CODE_TYPES if low <= self.qmin and self.qmax <= high)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, QuantParams):
            return NotImplemented
        return (
            np.array_equal(self.scale, other.scale)
            and np.array_equal(self.zero_point, other.zero_point)
            and (self.qmin, self.qmax) == (other.qmin, other.qmax)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        scale = float(self.scale) if np.ndim(self.scale) == 0 else np.asarray(self.scale)
        return f"QuantParams(scale={scale}, zero_point={self.zero_point}, qmin={self.qmin}, qmax={self.qmax})"


def _as_integer(value: int, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} is {value!r}; it must be an integer")
    return int(value)


def _checked_scale(scale: ArrayLike) -> np.float32 | NDArray[np.float32]:
    stored = np.array(to_float32(scale))  # a copy; what is out of float32's range is reported below, by value
    bad = ~(np.isfinite(stored) & (stored >= FLOAT32_TINY))
    if stored.ndim > 1 or stored.size == 0:
        raise ValueError(f"the scale has shape {stored.shape}; it must be a number or one number a channel (N,)")
    if bad.any():
        where = "" if stored.ndim == 0 else f" of channel {int(np.argmax(bad))}"
        raise ValueError(
            f"the scale{where} is {to_float64(scale).ravel()[np.argmax(bad)]}; it must be a finite "
            f"float32 of at least {FLOAT32_TINY:g} (C1): choose it from a range that is not empty"
        )
    if stored.ndim == 0:
        return np.float32(stored)
    stored.flags.writeable = False
    return stored


def _checked_zero_point(zero_point: ArrayLike, qmin: int, qmax: int) -> int | NDArray[np.int32]:
    given = np.asarray(zero_point)
    if given.dtype.kind not in "iu":
        raise TypeError(f"the zero point is {zero_point!r}; it must be an integer: it is a code")
    if given.ndim > 1 or given.size == 0:
        raise ValueError(f"the zero point has shape {given.shape}; it must be an integer or one a channel (N,)")
    outside = (given < qmin) | (given > qmax)
    if outside.any():
        raise ValueError(
            f"the zero point {int(given.ravel()[np.argmax(outside)])} is outside [{qmin}, {qmax}] (C2): "
            "0 must have a code, so widen the range until it contains 0"
        )
    if given.ndim == 0:
        return int(given)
    stored = given.astype(np.int32)
    stored.flags.writeable = False
    return stored


def choose_symmetric(absmax: ArrayLike, bits: int) -> QuantParams:
    """R13. s = f32(absmax / (2^(bits-1) - 1)), z = 0: the largest code stands for the largest magnitude.

    A degenerate range (absmax 0, or so small that s would be subnormal) gives s = 1: every value is then code 0,
    exactly for 0 and within half a step for the rest. ValueError if absmax is negative or not finite, or bits is
    outside 2..16.

    >>> choose_symmetric(63.5, 8)
    QuantParams(scale=0.5, zero_point=0, qmin=-128, qmax=127)
    """
    largest = _checked_range_end(absmax, "absmax")
    if (largest < 0).any():
        raise ValueError(f"absmax is {absmax!r}; a magnitude is not negative")
    qmin, qmax = _signed_interval(bits)
    return QuantParams(_normal_or_one(largest / qmax), 0, qmin, qmax)


def choose_affine(lo: ArrayLike, hi: ArrayLike, bits: int) -> QuantParams:
    """R14. s = f32((hi' - lo') / (qmax - qmin)), z = saturate(round_half_even(qmin - lo' / s)).

    lo' = min(lo, 0), hi' = max(hi, 0); lo' maps to qmin and hi' to qmax, each within half a step. A degenerate range
    (both ends 0, or s subnormal) gives s = 1 and z = qmin. ValueError if an end is not finite, lo > hi, or bits is
    outside 2..16.

    >>> choose_affine(0.0, 127.5, 8)
    QuantParams(scale=0.5, zero_point=-128, qmin=-128, qmax=127)
    """
    low, high = _checked_range_end(lo, "lo"), _checked_range_end(hi, "hi")
    if (low > high).any():
        raise ValueError(f"the range is [{lo!r}, {hi!r}]: lo must not be above hi")
    low, high = np.minimum(low, 0.0), np.maximum(high, 0.0)
    qmin, qmax = _signed_interval(bits)
    # Halves first: hi - lo may overflow float64 where neither end does.
    scale = _normal_or_one((high / 2 - low / 2) / ((qmax - qmin) / 2))
    zero_point = np.clip(np.rint(qmin - low / scale), qmin, qmax).astype(np.int32)
    return QuantParams(scale, int(zero_point) if zero_point.ndim == 0 else zero_point, qmin, qmax)


def _checked_range_end(value: ArrayLike, name: str) -> NDArray[np.float64]:
    end = to_float64(value)
    if not np.isfinite(end).all():
        raise ValueError(f"{name} is {value!r}; it must be finite: remove NaN and infinities from the data")
    return end


def _signed_interval(bits: int) -> tuple[int, int]:
    if not 2 <= _as_integer(bits, "bits") <= 16:
        raise ValueError(f"bits is {bits}; it must be in 2..16")
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def _normal_or_one(scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scale as a float32 value, with 1 for what is not normal in float32."""
    stored = to_float32(scale)
    return np.where(stored >= FLOAT32_TINY, stored, np.float32(1.0)).astype(np.float64)
