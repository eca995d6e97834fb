"""Activations, requantization and dynamic quantization under an engine's arithmetic, refused where it has none.

Legend: B batch, K contracted depth, N outputs; q, x_q, w_q codes; x, y, w their quantization parameters.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Codes, Float32
from npquant.kernels.dynamic import DynamicCodes, rescale_float32
from npquant.kernels.linear import accumulate, accumulate_pair16
from npquant.kernels.qparams import QuantParams
from npquant.kernels.rounding import wrap_int32
from npquant.profiles import get
from npquant.profiles.record import Profile

_Operator = TypeVar("_Operator")


def _has(profile: Profile, operator: _Operator | None, what: str) -> _Operator:
    """Return an engine's operator, or refuse."""
    if operator is None:
        raise ValueError(f"{profile.name} has no {what} on codes: {profile.engine} computes none, or none was studied")
    return operator


def _tensor(q: ArrayLike, x: QuantParams, y: QuantParams, profile: Profile) -> Codes:
    """Return q as codes of x, both parameters being per-tensor and of types the engine takes."""
    array = np.asarray(q)
    if array.dtype.kind not in "iu":
        raise TypeError(f"q has dtype {array.dtype}; it must be integer codes (quantize real values first)")
    for role, params in (("input", x), ("output", y)):
        if params.per_channel:
            raise ValueError(f"the {role} must be per-tensor: this operator has one {role} scale")
        if params.dtype.name not in profile.code_types:
            raise ValueError(f"{profile.name} takes {' or '.join(profile.code_types)} {role} codes, not {params}")
    if array.size and (array.min() < x.qmin or array.max() > x.qmax):
        raise ValueError(f"q has codes in [{array.min()}, {array.max()}], outside [{x.qmin}, {x.qmax}]")
    return array.astype(x.dtype, copy=False)


def activation(name: str, q: ArrayLike, *, x: QuantParams, y: QuantParams, profile: str | Profile) -> Codes:
    """Apply a stand-alone activation to codes as an engine does.

    Parameters
    ----------
    name : {"relu", "relu6", "relu_n1_to_1", "sigmoid", "tanh"}
        Activation.
    q : array of integers
        Codes of x.
    x, y : QuantParams
        Input and output, per-tensor.
    profile : str or Profile
        The arithmetic.

    Returns
    -------
    ndarray of y.dtype, shape of q
        Codes of y.

    Raises
    ------
    TypeError
        If q is not an integer array.
    ValueError
        If the engine has no such activation or refuses the parameters, or a code is outside its interval.

    Notes
    -----
    R65 for the clamps (R84 for TFLite-Micro's relu6); R70, R71, or R82 and R83 for sigmoid and tanh, by engine. Where
    LiteRT calls a C library's expf and tanhf, this takes them as correctly rounded. glibc's tanhf is not: a code may
    be one off where the output lies within 2^-20 of a half. Ship the table where that matters.

    Examples
    --------
    >>> x, y = QuantParams(1 / 16, 0, -128, 127), QuantParams(1 / 256, -128, -128, 127)
    >>> activation("sigmoid", np.array([-128, 0, 127], np.int8), x=x, y=y, profile="litert_ref_2025")
    array([-128,    0,  127], dtype=int8)
    """
    record = get(profile)
    operator = _has(record, record.activation_codes, "stand-alone activation")
    return operator(name, _tensor(q, x, y, record), x, y)


def softmax(q: ArrayLike, *, x: QuantParams, y: QuantParams, profile: str | Profile, beta: float = 1.0) -> Codes:
    """Take the softmax of rows of codes as an engine does.

    Parameters
    ----------
    q : array of integers, shape (..., C)
        Codes of x; a row is the last axis.
    x, y : QuantParams
        Input and output, per-tensor; the output is 1 / 256 at qmin.
    profile : str or Profile
        The arithmetic.
    beta : float
        Factor on the real input, positive and finite; a model without one has 1.

    Returns
    -------
    ndarray of y.dtype, shape of q
        Codes of y; they need not sum to 256.

    Raises
    ------
    TypeError
        If q is not an integer array.
    ValueError
        If the engine has no softmax on codes or refuses the parameters, q has no axis, a code is outside its interval,
        or the engine would abort on a row.

    Notes
    -----
    R79 in fixed point, R80 and R81 by a table of exponentials.

    Examples
    --------
    >>> x, y = QuantParams(0.25, 0, -128, 127), QuantParams(1 / 256, -128, -128, 127)
    >>> softmax(np.array([[10, 10, -100]], np.int8), x=x, y=y, profile="tflm")
    array([[   0,    0, -128]], dtype=int8)
    """
    record = get(profile)
    operator = _has(record, record.softmax_codes, "softmax")
    codes = _tensor(q, x, y, record)
    if codes.ndim == 0:
        raise ValueError("q has no axis; softmax needs rows")
    if x.dtype != y.dtype:
        raise ValueError(f"the engine's softmax keeps the type: x is {x.dtype}, y is {y.dtype}")
    if not (np.isfinite(beta) and beta > 0):
        raise ValueError(f"beta is {beta}; it must be positive and finite")
    return operator(codes, x, y, beta)


def requantize_codes(q: ArrayLike, *, x: QuantParams, y: QuantParams, profile: str | Profile) -> Codes:
    """Take codes to another scale, zero point or type as an engine does.

    Parameters
    ----------
    q : array of integers
        Codes of x.
    x, y : QuantParams
        Before and after, per-tensor.
    profile : str or Profile
        The arithmetic.

    Returns
    -------
    ndarray of y.dtype, shape of q
        Codes of y.

    Raises
    ------
    TypeError
        If q is not an integer array.
    ValueError
        If the engine has no such operator, a code is outside its interval, or sx / sy is 2^30 or more.

    Notes
    -----
    R62, R63 or R64, by engine; under "ruy_x86" the position in C order matters.

    Examples
    --------
    >>> one, four = QuantParams(1.0, 0, -128, 127), QuantParams(4.0, 0, -128, 127)
    >>> for name in ("litert_ref_2025", "xnnpack_fp32"):
    ...     print(name, requantize_codes(np.array([-6, 6], np.int8), x=one, y=four, profile=name))
    litert_ref_2025 [-2  2]
    xnnpack_fp32 [-1  2]
    """
    record = get(profile)
    return _has(record, record.requantize_codes, "requantize of codes")(_tensor(q, x, y, record), x, y)


def dynamic_quantize(x: ArrayLike, *, profile: str | Profile) -> DynamicCodes:
    """Quantize a tensor by its own range, as an engine's DynamicQuantizeLinear does.

    Parameters
    ----------
    x : array of float32
        Real values, finite.
    profile : str or Profile
        The arithmetic.

    Returns
    -------
    DynamicCodes
        Codes (uint8, shape of x), scale (float32, shape ()), zero point (uint8, shape ()).

    Raises
    ------
    ValueError
        If the engine has no such operator, or x contains NaN or infinity.

    Notes
    -----
    R60, then R54.

    Examples
    --------
    >>> float(dynamic_quantize([0.0], profile="ort").scale), float(dynamic_quantize([0.0], profile="onnx_ref").scale)
    (1.0, 0.003921568859368563)
    """
    record = get(profile)
    return _has(record, record.dynamic_quantize, "dynamic quantization")(x)


def matmul_integer(
    x_q: ArrayLike,
    w_q: ArrayLike,
    *,
    x_zero_point: ArrayLike,
    w_zero_point: ArrayLike,
    profile: str | Profile,
) -> NDArray[np.int32]:
    """Multiply matrices of codes into int32, as an engine's MatMulInteger does.

    Parameters
    ----------
    x_q : array of int8 or uint8, shape (B, K)
        Input codes.
    w_q : array of int8 or uint8, shape (K, N)
        Weight codes.
    x_zero_point : int
        Code of the input's 0.
    w_zero_point : int or array of int of shape (N,)
        Code of the weights' 0.
    profile : str or Profile
        The arithmetic.

    Returns
    -------
    ndarray of int32, shape (B, N)
        Accumulators.

    Raises
    ------
    TypeError
        If an operand is not int8 or uint8.
    ValueError
        If the engine has no such operator, shapes do not agree, or a zero point is outside its operand's type.

    Notes
    -----
    R9, wrapped to int32; R36 where pairs of uint8 x int8 products saturate. K = 0 gives zeros.

    Examples
    --------
    >>> matmul_integer(np.uint8([[3, 1]]), np.int8([[2], [4]]), x_zero_point=1, w_zero_point=0, profile="ort")
    array([[4]], dtype=int32)
    """
    record = get(profile)
    _has(record, record.dynamic_quantize, "MatMulInteger")
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
    """Multiply real inputs by quantized weights through dynamically chosen codes.

    Parameters
    ----------
    x : array of float32, shape (B, K)
        Real inputs, finite.
    w_q : array of int8 or uint8, shape (K, N)
        Weight codes.
    w : QuantParams
        Weights, per-tensor or per-channel.
    profile : str or Profile
        The arithmetic.

    Returns
    -------
    ndarray of float32, shape (B, N)
        Real outputs, without bias.

    Raises
    ------
    TypeError
        If w_q is not int8 or uint8.
    ValueError
        If the engine has no dynamic quantization, shapes do not agree, or x contains NaN or infinity.

    Notes
    -----
    `dynamic_quantize` of the whole x (one scale for all rows), `matmul_integer`, then R61.

    Examples
    --------
    >>> w = QuantParams(0.5, 0, -128, 127)
    >>> dynamic_linear([[255.0, 1.0]], np.int8([[2], [4]]), w=w, profile="ort")
    array([[257.]], dtype=float32)
    """
    dynamic = dynamic_quantize(x, profile=profile)
    acc = matmul_integer(
        dynamic.codes, w_q, x_zero_point=dynamic.zero_point, w_zero_point=w.zero_point, profile=profile
    )
    return rescale_float32(acc, dynamic.scale, w.scale)
