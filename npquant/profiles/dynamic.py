"""Dynamic quantization under an engine's arithmetic: real inputs choose their own scales; refused where there is none.

Legend: B batch, K contracted depth, N outputs; x float32 inputs (B, K), x_q (B, K) and w_q (K, N) codes of int8 or
uint8, w quantization of the weights, per-tensor or per-channel; profile the arithmetic, by name or record, record its
record; variant the engine's own switch, by name, None for none; shape (K, N).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Float32, Int64
from npquant.kernels.activation_bounds import CLAMPS
from npquant.kernels.dynamic import DynamicCodes
from npquant.kernels.floating import to_float32
from npquant.kernels.linear import accumulate, accumulate_pair16
from npquant.kernels.qparams import QuantParams
from npquant.kernels.rounding import wrap_int32
from npquant.profiles import get
from npquant.profiles.absences import has
from npquant.profiles.dynamic_rule import DynamicRule
from npquant.profiles.layer import saturates_pairs
from npquant.profiles.record import Profile
from npquant.profiles.refusals import codes_of


def dynamic_quantize(x: ArrayLike, *, profile: str | Profile) -> DynamicCodes:
    """Quantize a real tensor, finite, by its own range, as an engine's DynamicQuantizeLinear does: R60, then R54.

    Codes are uint8 of the shape of x, the scale float32 and the zero point uint8, both of shape (). ValueError if the
    engine has no such operator, or x contains NaN or infinity.

    >>> float(dynamic_quantize([0.0], profile="ort").scale), float(dynamic_quantize([0.0], profile="onnx_ref").scale)
    (1.0, 0.003921568859368563)
    """
    return _operators(get(profile), "dynamic quantization on codes").quantize(x)


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
    _operators(record, "MatMulInteger on codes")
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
    return wrap_int32(_sums(record, left, right, x_zero_point, w_zero_point)).astype(np.int32)


def _operators(record: Profile, what: str) -> DynamicRule:
    """Return the rule of an engine whose steps are operators of their own."""
    rule: DynamicRule = has(record, "dynamic", what)
    if not record.runs_dynamic_graphs:
        raise ValueError(f"{record.name} has no {what}: {record.engine} computes its dynamic layer as one operator")
    return rule


def _sums(record: Profile, x_q: NDArray[Any], w_q: NDArray[Any], zx: ArrayLike, zw: ArrayLike) -> Int64:
    """R9 with zero points of inputs as (), or one a row (B, 1); R36 where pairs of uint8 x int8 products saturate."""
    if saturates_pairs(record, x_q, w_q):
        return accumulate_pair16(x_q, w_q, 0, zx, zw, record.pairs_apart(x_q.shape[1]))
    columns = w_q.sum(axis=0, dtype=np.int64) - x_q.shape[1] * np.asarray(zw, np.int64)
    return np.asarray(accumulate(x_q, w_q, 0, 0, zw) - np.asarray(zx, np.int64) * columns)


def dynamic_rule(record: Profile, w: QuantParams, shape: tuple[int, int], variant: str | None = None) -> DynamicRule:
    """Return the rule by which an engine computes a layer of this shape (K, N), with weights of this quantization.

    Weights in [-8, 7] are those of an INT4 tensor. ValueError, which names the engine and the reason, if it has no
    dynamic layer, no such variant, or refuses the weights.

    >>> dynamic_rule(get("fbgemm"), QuantParams(0.5, 0, -128, 127), (4, 2), "asymmetric_inputs")
    Traceback (most recent call last):
    ValueError: fbgemm has no variant 'asymmetric_inputs' of its dynamic layer; it has reduce_range
    """
    rule: DynamicRule = has(record, "dynamic", "dynamic quantization of a layer's inputs")
    variants = dict(rule.variants)
    if variant is not None and variant not in variants:
        known = ", ".join(variants) or "none"
        raise ValueError(f"{record.name} has no variant {variant!r} of its dynamic layer; it has {known}")
    rule = rule if variant is None else variants[variant]
    if w.dtype.name not in rule.weight_types:
        raise ValueError(f"{record.name} takes dynamic weights of {' or '.join(rule.weight_types)}, not {w.dtype}")
    if np.any(w.zero_point) and not rule.weight_zero_points:
        raise ValueError(f"{record.name} takes dynamic weights without zero points; theirs is {w.zero_point}")
    if (w.qmin, w.qmax) != (-8, 7):
        return rule
    if rule.even_narrow_depth and shape[0] % 2:
        raise ValueError(f"{record.name} takes INT4 weights of an even depth; LiteRT leaves K = {shape[0]} to ruy_x86")
    narrow = rule.narrow is not None and rule.narrow_shapes is not None and rule.narrow_shapes(*shape)
    return rule.narrow if narrow and rule.narrow is not None else rule


def engine_sums(
    x: ArrayLike, w_q: NDArray[Any], *, w: QuantParams, profile: Profile, variant: str | None = None
) -> tuple[DynamicRule, Int64, DynamicCodes]:
    """Return the rule, the accumulators (B, N) as an engine sums them, wrapped to int32, and the codes of x.

    >>> w = QuantParams(0.5, 0, -128, 127)
    >>> engine_sums([[254.0, 1.0]], np.int8([[2], [4]]), w=w, profile=get("litert_ref_2025"))[1]
    array([[258]])
    """
    values = to_float32(x)
    if values.ndim != 2 or values.shape[1] != w_q.shape[0]:
        raise ValueError(
            f"x {values.shape} and w_q {w_q.shape} do not agree: x is a matrix of K columns, w_q has K rows"
        )
    if not np.isfinite(values).all():
        raise ValueError("x contains NaN or infinity, whose range an engine answers by lane; remove them first")
    rule = dynamic_rule(profile, w, (w_q.shape[0], w_q.shape[1]), variant)
    made = rule.quantize(values)
    if rule.sums is not None:
        acc = rule.sums(made.codes, w_q, made.zero_point)
    else:
        acc = _sums(profile, made.codes, w_q, made.zero_point, w.zero_point)
    return rule, wrap_int32(acc), made


def dynamic_linear(
    x: ArrayLike,
    w_q: ArrayLike,
    *,
    w: QuantParams,
    profile: str | Profile,
    bias: ArrayLike | None = None,
    activation: str = "none",
    variant: str | None = None,
) -> Float32:
    """Multiply finite real inputs by quantized weights through codes of their own range: float32 (B, N).

    Codes by row or for the whole x, accumulators, and the real bias (N,), all as the engine's DynamicRule says; then
    the fused activation, a clamp of the float. The variants are "asymmetric_inputs" of LiteRT's own kernels and
    "reduce_range" of torch. TypeError if w_q is not integer; ValueError if x is not finite, shapes do not agree, or the
    engine has no such layer, variant or activation.

    >>> w = QuantParams(0.5, 0, -128, 127)
    >>> dynamic_linear([[255.0, 1.0]], np.int8([[2], [4]]), w=w, profile="ort", bias=[1.0])
    array([[258.]], dtype=float32)
    """
    record, weights = get(profile), codes_of("w_q", w_q, w, 2)
    b = None if bias is None else to_float32(bias)
    if b is not None and b.shape != weights.shape[1:]:
        raise ValueError(f"the bias has shape {b.shape}; it must be ({weights.shape[1]},)")
    rule, acc, made = engine_sums(x, weights, w=w, profile=record, variant=variant)
    if activation not in rule.activations:
        known = ", ".join(rule.activations)
        raise ValueError(f"{record.name} fuses no {activation!r} with its dynamic layer; it has {known}")
    low, high = CLAMPS["identity" if activation == "none" else activation]
    return np.clip(rule.output(acc, made, w.scale, b), np.float32(low), np.float32(high))
