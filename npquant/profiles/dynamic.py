"""Dynamic quantization under an ONNX engine's arithmetic, refused where an engine has none.

Legend: B batch, K contracted depth, N outputs; x float32 inputs (B, K), x_q (B, K) and w_q (K, N) codes of int8 or
uint8, w quantization of the weights, per-tensor or per-channel; profile the arithmetic, by name or record.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float32
from npquant.kernels.dynamic import DynamicCodes, rescale_float32
from npquant.kernels.linear import accumulate, accumulate_pair16
from npquant.kernels.qparams import QuantParams
from npquant.kernels.rounding import wrap_int32
from npquant.profiles import get
from npquant.profiles.record import Profile
from npquant.profiles.refusals import has


def dynamic_quantize(x: ArrayLike, *, profile: str | Profile) -> DynamicCodes:
    """Quantize a real tensor, finite, by its own range, as an engine's DynamicQuantizeLinear does: R60, then R54.

    Codes are uint8 of the shape of x, the scale float32 and the zero point uint8, both of shape (). ValueError if the
    engine has no such operator, or x contains NaN or infinity.

    >>> float(dynamic_quantize([0.0], profile="ort").scale), float(dynamic_quantize([0.0], profile="onnx_ref").scale)
    (1.0, 0.003921568859368563)
    """
    record = get(profile)
    made: DynamicCodes = has(record, "dynamic", "dynamic quantization on codes")(x)
    return made


def matmul_integer(
    x_q: ArrayLike,
    w_q: ArrayLike,
    *,
    x_zero_point: ArrayLike,
    w_zero_point: ArrayLike,
    profile: str | Profile,
) -> NDArray[np.int32]:
    """Multiply matrices of 8-bit codes into int32 accumulators (B, N), as an engine's MatMulInteger does: R9, wrapped.

    R36 where pairs of uint8 x int8 products saturate. x_zero_point is one code, w_zero_point one or N of them. K = 0
    gives zeros. TypeError if an operand is not int8 or uint8; ValueError if the engine has no such operator, shapes do
    not agree, or a zero point is outside its operand's type.

    >>> matmul_integer(np.uint8([[3, 1]]), np.int8([[2], [4]]), x_zero_point=1, w_zero_point=0, profile="ort")
    array([[4]], dtype=int32)
    """
    record = get(profile)
    has(record, "dynamic", "MatMulInteger on codes")
    left, right = np.asarray(x_q), np.asarray(w_q)
    for name, array, zero in (("x", left, np.asarray(x_zero_point)), ("w", right, np.asarray(w_zero_point))):
        if array.dtype not in (np.int8, np.uint8) or zero.dtype.kind not in "iu":
            raise TypeError(f"{name}_q is {array.dtype}, its zero point {zero.dtype}; give int8 or uint8 codes")
        if array.ndim != 2 or zero.shape not in ((), right.shape[1:] if name == "w" else ()):
            raise ValueError(f"{name}_q has shape {array.shape}, its zero point {zero.shape}: a matrix and one zero")
        if (zero < np.iinfo(array.dtype).min).any() or (zero > np.iinfo(array.dtype).max).any():
            raise ValueError(f"{name}_zero_point is {zero}; it must be a code of {array.dtype}")
    if left.shape[1] != right.shape[0]:
        raise ValueError(f"x_q {left.shape} and w_q {right.shape} do not agree: x_q has K columns, w_q has K rows")
    pairs = record.accumulator == "pair16" and left.dtype == np.uint8 and right.dtype == np.int8
    acc = (accumulate_pair16 if pairs else accumulate)(left, right, 0, x_zero_point, w_zero_point)
    return wrap_int32(acc).astype(np.int32)


def dynamic_linear(x: ArrayLike, w_q: ArrayLike, *, w: QuantParams, profile: str | Profile) -> Float32:
    """Multiply finite real inputs by quantized weights through codes of one scale: float32 (B, N), no bias.

    `dynamic_quantize` of the whole x, `matmul_integer`, then R61. Errors are those of the three.

    >>> w = QuantParams(0.5, 0, -128, 127)
    >>> dynamic_linear([[255.0, 1.0]], np.int8([[2], [4]]), w=w, profile="ort")
    array([[257.]], dtype=float32)
    """
    dynamic = dynamic_quantize(x, profile=profile)
    acc = matmul_integer(
        dynamic.codes, w_q, x_zero_point=dynamic.zero_point, w_zero_point=w.zero_point, profile=profile
    )
    return rescale_float32(acc, dynamic.scale, w.scale)
