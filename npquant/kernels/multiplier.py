"""The real multiplier sx sw / sy as engines compute it: the same quotient, rounded in different places.

Legend: sx, sw, sy float32 scales of input, weights and output; sw is () or (N,). M_B is `requantize.real_multiplier`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float32, Int64
from npquant.kernels.qparams import QuantParams


def multiplier_float32_product(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> NDArray[np.float64]:
    """Multiply the scales in float32, then divide in float64.

    Parameters
    ----------
    sx, sw, sy : float32 or array of float32 of shape (N,)
        Scales.

    Returns
    -------
    ndarray of float64, shape () or (N,)
        M_A.

    Notes
    -----
    R16. M_A = f64(f32(sx sw) / sy). Source: LiteRT ``tflite/kernels/kernel_util.cc``, GetQuantizedConvolutionMultipler.

    Examples
    --------
    >>> multiplier_float32_product(0.5, 0.25, 1.0)
    array(0.125)
    """
    product = np.asarray(np.asarray(sx, np.float32) * np.asarray(sw, np.float32))
    return np.asarray(product.astype(np.float64) / np.asarray(np.asarray(sy, np.float32), np.float64))


def multiplier_float32(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> Float32:
    """Multiply and divide the scales in float32.

    Parameters
    ----------
    sx, sw, sy : float32 or array of float32 of shape (N,)
        Scales.

    Returns
    -------
    ndarray of float32, shape () or (N,)
        M_C.

    Notes
    -----
    R17. M_C = f32(f32(sx sw) / sy). Source: microsoft/onnxruntime ``quantize_linear_matmul.cc``; XNNPACK
    ``src/operators/fully-connected-nc.c``; onnx/onnx ``onnx/reference/ops/op_qlinear_matmul.py``.

    Examples
    --------
    >>> multiplier_float32(0.5, 0.25, 1.0)
    array(0.125, dtype=float32)
    """
    product = np.asarray(sx, np.float32) * np.asarray(sw, np.float32)
    return np.asarray(product / np.asarray(sy, np.float32))


def multiplier_float32_reciprocal(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> Float32:
    """Multiply the scales and the reciprocal of the output scale in float32.

    Parameters
    ----------
    sx, sw, sy : float32 or array of float32 of shape (N,)
        Scales.

    Returns
    -------
    ndarray of float32, shape () or (N,)
        M_D.

    Notes
    -----
    R18. M_D = f32(f32(sx sw) f32(1 / sy)). Source: pytorch ``aten/src/ATen/native/quantized/cpu/qlinear.cpp``.

    Examples
    --------
    >>> multiplier_float32_reciprocal(0.5, 0.25, 1.0)
    array(0.125, dtype=float32)
    """
    product = np.asarray(sx, np.float32) * np.asarray(sw, np.float32)
    return np.asarray(product * (np.float32(1) / np.asarray(sy, np.float32)))


@dataclass(frozen=True, slots=True, eq=False)
class FixedMultiplier:
    """Hold a real multiplier as m 2^(e-31): an int32 and a shift.

    Parameters
    ----------
    multiplier : int or array of int of shape (N,)
        m: in [-2^31, 2^31). R5 gives 0 or 2^30 <= |m|; smaller ones waste bits but are defined all the same.
    shift : int or array of int of shape (N,)
        e: in [-31, 30]; positive is a left shift.

    Raises
    ------
    ValueError
        C4: a multiplier or a shift is out of its interval, or their shapes differ.
    TypeError
        If either is not made of integers.

    Notes
    -----
    R5 makes it. An m of 0 stands for every real multiplier below about 2^-32. What an engine defines may be less (TFLite
    takes any m, TOSA none below 0): each `Profile` says so in its `multipliers`, and refuses the rest.

    Examples
    --------
    >>> FixedMultiplier(2**30, -1).real
    0.25
    """

    multiplier: int | Int64
    shift: int | Int64

    def __post_init__(self) -> None:
        m, e = np.asarray(self.multiplier), np.asarray(self.shift)
        if m.dtype.kind not in "iu" or e.dtype.kind not in "iu":
            raise TypeError(f"multiplier and shift must be integers, not {m.dtype} and {e.dtype}")
        if m.shape != e.shape or m.ndim > 1:
            raise ValueError(f"multiplier has shape {m.shape} and shift {e.shape}: both must be () or (N,)")
        if not ((m >= -(2**31)) & (m < 2**31)).all():  # |m| <= 2^31 keeps acc m within 2^62, hence within int64
            raise ValueError(f"the multiplier is {self.multiplier}; it must be in [-2^31, 2^31) (C4)")
        if not ((e >= -31) & (e <= 30)).all():
            raise ValueError(f"the shift is {self.shift}; it must be in [-31, 30] (C4)")
        for name, value in (("multiplier", m), ("shift", e)):
            stored = value.astype(np.int64)
            stored.flags.writeable = False
            object.__setattr__(self, name, int(stored) if stored.ndim == 0 else stored)

    @property
    def real(self) -> float | NDArray[np.float64]:
        """The real multiplier m 2^(e-31); exact, since m has 31 bits."""
        value = np.ldexp(np.asarray(self.multiplier, np.float64), np.asarray(self.shift) - 31)
        return float(value) if value.ndim == 0 else value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FixedMultiplier):
            return NotImplemented
        return np.array_equal(self.multiplier, other.multiplier) and np.array_equal(self.shift, other.shift)

    __hash__ = None  # type: ignore[assignment]


def real_multiplier(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> NDArray[np.float64]:
    """Return the factor that takes an accumulator step to an output step.

    Parameters
    ----------
    sx, sw, sy : float32 or array of float32 of shape (N,)
        Scales of input, weights and output.

    Returns
    -------
    ndarray of float64, shape () or (N,)
        M, real.

    Notes
    -----
    R4. M = f64(sx sw / sy). The product of two float32 numbers is exact in float64, so only the division rounds.

    Examples
    --------
    >>> real_multiplier(np.float32(0.5), np.float32(0.25), np.float32(1.0))
    array(0.125)
    """
    x, w, y = (np.asarray(np.asarray(s, np.float32), np.float64) for s in (sx, sw, sy))
    return np.asarray(x * w / y)


def decompose_multiplier(real: ArrayLike) -> FixedMultiplier:
    """Split real multipliers into 31-bit integers and shifts.

    Parameters
    ----------
    real : float or array of float64 of shape (N,)
        M, in (-2^30, 2^30); of scales it is positive.

    Returns
    -------
    FixedMultiplier
        m and e.

    Raises
    ------
    ValueError
        If a multiplier is not finite, or 2^30 or more in magnitude.

    Notes
    -----
    R5. M = f 2^e with |f| in [1/2, 1); m = round_half_away(f 2^31); m = 2^31 becomes (2^30, e + 1); e < -31 gives
    (0, 0).
    Source: LiteRT ``tflite/kernels/internal/quantization_util.cc``, QuantizeMultiplier.

    Examples
    --------
    >>> decompose_multiplier(0.375)
    FixedMultiplier(multiplier=1610612736, shift=-1)
    """
    return decompose_to_bits(real, 31)


def decompose_to_bits(real: ArrayLike, bits: int) -> FixedMultiplier:
    """Split real multipliers into integers of the given width and shifts.

    Parameters
    ----------
    real : float or array of float64 of shape (N,)
        M, in (-2^30, 2^30).
    bits : int
        Width of the integer, 15 or 31.

    Returns
    -------
    FixedMultiplier
        m, filled up to 31 bits with zeros, and e.

    Raises
    ------
    ValueError
        If a multiplier is not finite, or 2^30 or more in magnitude.

    Notes
    -----
    R5 for 31 bits, R37 for 15.

    Examples
    --------
    >>> decompose_to_bits(1 / 3, 15)
    FixedMultiplier(multiplier=1431633920, shift=-1)
    """
    value = np.asarray(real, dtype=np.float64)
    if not np.isfinite(value).all():
        raise ValueError(f"the multiplier is {real!r}; it must be finite: scales are")
    fraction, e = np.frexp(value)
    # f 2^bits is exact in float64, and so is adding 1/2 to its magnitude: this rounds ties away from zero.
    magnitude = np.floor(np.ldexp(np.abs(fraction), bits) + 0.5).astype(np.int64) << (31 - bits)
    m = np.where(fraction < 0, -magnitude, magnitude)
    carried = m == 2**31  # -2^31 is an int32 and stays
    m, e = np.where(carried, 2**30, m), e.astype(np.int64) + carried
    if (e > 30).any():
        raise ValueError(f"the multiplier is {real!r}; its magnitude must be below 2^30: raise the output scale")
    flushed = e < -31
    m, e = np.where(flushed, 0, m), np.where(flushed | (m == 0), 0, e)
    return FixedMultiplier(m, e)


def layer_multiplier(x: QuantParams, w: QuantParams, y: QuantParams) -> FixedMultiplier:
    """Make the fixed multiplier of one linear layer.

    Parameters
    ----------
    x, w, y : QuantParams
        Input (per-tensor), weights (per-tensor or per-channel), output (per-tensor).

    Returns
    -------
    FixedMultiplier
        R5 of R4.

    Examples
    --------
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> layer_multiplier(p, p, p).real
    0.5
    """
    return decompose_multiplier(real_multiplier(x.scale, w.scale, y.scale))
