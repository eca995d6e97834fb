"""The real multiplier sx sw / sy as engines compute it, and as an integer and a shift.

Legend: sx, sw, sy float32 scales of input, weights and output; sw is () or (N,), and so is what is made of it. M real
multiplier, M_B that of R4; m and e its integer and shift.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from npquant.arrays import Float32, Float64, Int64
from npquant.kernels.floating import to_float32, to_float64
from npquant.kernels.qparams import QuantParams


def scale_product_float32(sx: ArrayLike, sw: ArrayLike) -> Float32:
    """R17. f32(sx sw): the real step of an accumulator, as engines with a float32 multiplier round it."""
    return np.asarray(np.asarray(sx, np.float32) * np.asarray(sw, np.float32))


def multiplier_float32_product(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> Float64:
    """R16. M_A = f64(f32(sx sw) / sy): the product rounds, then the quotient, in float64.

    Source: LiteRT ``tflite/kernels/kernel_util.cc``, GetQuantizedConvolutionMultipler.
    """
    product = scale_product_float32(sx, sw)
    return np.asarray(product.astype(np.float64) / np.asarray(np.asarray(sy, np.float32), np.float64))


def multiplier_float32(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> Float32:
    """R17. M_C = f32(f32(sx sw) / sy), as float32.

    Source: microsoft/onnxruntime ``quantize_linear_matmul.cc``; XNNPACK ``src/operators/fully-connected-nc.c``;
    onnx/onnx ``onnx/reference/ops/op_qlinear_matmul.py``.
    """
    return np.asarray(scale_product_float32(sx, sw) / np.asarray(sy, np.float32))


def multiplier_float32_reciprocal(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> Float32:
    """R18. M_D = f32(f32(sx sw) f32(1 / sy)), as float32.

    Source: pytorch ``aten/src/ATen/native/quantized/cpu/qlinear.cpp``.
    """
    return np.asarray(scale_product_float32(sx, sw) * (np.float32(1) / np.asarray(sy, np.float32)))


def multiplier_float64_to_float32(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> Float32:
    """R146. M = f32(f64(sx sw / sy)), as float32.

    Source: openxla/stablehlo ``stablehlo/transforms/StablehloLegalizeQuantToMath.cpp``, applyMergedScalesAndZps.
    """
    return to_float32(real_multiplier(sx, sw, sy))


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
    R5 makes it. An m of 0 stands for every real multiplier below about 2^-32. What an engine defines may be less
    (TFLite takes any m, TOSA none below 0): each `Profile` says so in its `multipliers`, and refuses the rest.

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
    def real(self) -> float | Float64:
        """The real multiplier m 2^(e-31); exact, since m has 31 bits."""
        value = np.ldexp(np.asarray(self.multiplier, np.float64), np.asarray(self.shift) - 31)
        return float(value) if value.ndim == 0 else value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FixedMultiplier):
            return NotImplemented
        return np.array_equal(self.multiplier, other.multiplier) and np.array_equal(self.shift, other.shift)

    __hash__ = None  # type: ignore[assignment]


def real_multiplier(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> Float64:
    """R4. M_B = f64(sx sw / sy), as float64: what takes an accumulator step to an output step."""
    # The product of two float32 numbers is exact in float64, so only the division rounds.
    x, w, y = (np.asarray(np.asarray(s, np.float32), np.float64) for s in (sx, sw, sy))
    return np.asarray(x * w / y)


def decompose_multiplier(real: ArrayLike) -> FixedMultiplier:
    """R5. M = f 2^e, |f| in [1/2, 1); m = round_half_away(f 2^31); m = 2^31 becomes (2^30, e + 1); e < -31 is (0, 0).

    real is M, float64, () or (N,), in (-2^30, 2^30); of scales it is positive. ValueError if it is not finite, or 2^30
    or more in magnitude. Source: LiteRT ``tflite/kernels/internal/quantization_util.cc``, QuantizeMultiplier.

    >>> decompose_multiplier(0.375)
    FixedMultiplier(multiplier=1610612736, shift=-1)
    """
    return decompose_to_bits(real, 31)


def split_multiplier(real: ArrayLike, bits: int) -> tuple[Int64, Int64]:
    """R5 for 31 bits, R37 for 15, before their limits: (m, e) of finite float64 values of any magnitude.

    >>> split_multiplier(2.0**40, 31)
    (array(1073741824), array(41))
    """
    fraction, e = np.frexp(np.asarray(real, np.float64))
    # f 2^bits is exact in float64, and so is adding 1/2 to its magnitude: this rounds ties away from zero.
    magnitude = np.floor(np.ldexp(np.abs(fraction), bits) + 0.5).astype(np.int64) << (31 - bits)
    m = np.where(fraction < 0, -magnitude, magnitude)
    carried = m == 2**31  # -2^31 is an int32 and stays
    return np.where(carried, 2**30, m), np.asarray(e.astype(np.int64) + carried)


def decompose_to_bits(real: ArrayLike, bits: int) -> FixedMultiplier:
    """R5 for 31 bits, R37 for 15, whose m is filled up to 31 with zeros; real and errors as `decompose_multiplier`.

    >>> decompose_to_bits(1 / 3, 15)
    FixedMultiplier(multiplier=1431633920, shift=-1)
    """
    value = to_float64(real)
    if not np.isfinite(value).all():
        raise ValueError(f"the multiplier is {real!r}; it must be finite: scales are")
    m, e = split_multiplier(value, bits)
    if (e > 30).any():
        raise ValueError(f"the multiplier is {real!r}; its magnitude must be below 2^30: raise the output scale")
    flushed = e < -31
    m, e = np.where(flushed, 0, m), np.where(flushed | (m == 0), 0, e)
    return FixedMultiplier(m, e)


def power_of_two_multiplier(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> FixedMultiplier:
    """R149. M = sx sw / sy = 2^k: (m, e) = (2^30, k + 1). ValueError if M is no power of two, or k outside [-31, 29].

    Source: espressif/esp-dl ``esp-dl/dl/base/dl_base.hpp``, mac_shift, revision 12c0616d.

    >>> power_of_two_multiplier(0.25, 0.5, 2)
    FixedMultiplier(multiplier=1073741824, shift=-3)
    """
    # A quotient of 48 bits by 24 is a power of two or 2^-48 of it away: R4, of 53 bits, is one where M is.
    real = real_multiplier(sx, sw, sy)
    fraction, e = np.frexp(real)
    bad = (fraction != 0.5) | (e < -30) | (e > 30)
    if bad.any():
        raise ValueError(f"sx sw / sy is {np.ravel(real[bad])[0]:g}, no power of two from 2^-31 to 2^29")
    return FixedMultiplier(np.full(e.shape, 2**30, np.int64), np.asarray(e, np.int64))


def fixed_multiplier(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> FixedMultiplier:
    """R5 of R4: the multiplier of npquant's own arithmetic.

    >>> fixed_multiplier(0.5, 0.5, 0.5).real
    0.5
    """
    return decompose_multiplier(real_multiplier(sx, sw, sy))


def layer_multiplier(x: QuantParams, w: QuantParams, y: QuantParams) -> FixedMultiplier:
    """R5 of R4 for one linear layer: input x and output y are per-tensor, weights w per-tensor or per-channel."""
    return fixed_multiplier(x.scale, w.scale, y.scale)
