"""The operators of an engine, by profile: what it would refuse is refused here, with its reason.

Legend: B batch, K contracted depth, N outputs; x_q (B, K), w_q (K, N), bias (N,); x, w, y quantization parameters.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Codes
from npquant.kernels import affine
from npquant.kernels.multiplier import FixedMultiplier
from npquant.kernels.qparams import QuantParams
from npquant.profiles import get
from npquant.profiles.absences import has
from npquant.profiles.layer import layer_codes
from npquant.profiles.npquant import NPQUANT
from npquant.profiles.record import Profile, WideStage, weight_type
from npquant.profiles.refusals import (
    clamped_interval,
    codes_of,
    refuse_multiplier,
    refuse_scales,
    refuse_tensor,
    refuse_type,
    refuse_unsupported,
    refuse_wide,
    refuse_wide_zero_point,
    stages_to,
)


def linear(
    x_q: ArrayLike,
    w_q: ArrayLike,
    bias: ArrayLike | None,
    *,
    x: QuantParams,
    w: QuantParams,
    y: QuantParams,
    profile: str | Profile,
    activation: str = "none",
    clamp: tuple[int, int] | None = None,
    multiplier: FixedMultiplier | None = None,
) -> Codes:
    """Compute one quantized linear layer as an engine does.

    Parameters
    ----------
    x_q : array of integers, shape (B, K)
        Input codes in [x.qmin, x.qmax].
    w_q : array of integers, shape (K, N)
        Weight codes in [w.qmin, w.qmax].
    bias : array of integers or floats, shape (N,), or None
        Integer: codes of scale sx sw, as int32. Float: real values. Each profile takes either: an integer bias becomes
        real for an engine whose bias is float (f32(b_q sx sw)), a real one becomes codes for the others, by the
        profile's own rule. Beside int16 inputs the array's dtype, int32 or int64, is that of the accumulator as well;
        None takes what the engine takes without a bias and without a declared type of it; zeros of int32 or int64 are
        what it takes without a bias where a file declares that type.
    x, w, y : QuantParams
        Input (per-tensor), weights (per-tensor, or per-channel with N scales), output (per-tensor).
    profile : str or Profile
        The arithmetic.
    activation : {"none", "relu", "clipped_relu", "relu6", "relu_n1_to_1"}
        Fused activation.
    clamp : tuple of int, optional
        (low, high): the activation's interval as codes, in place of its name, as CMSIS-NN and TFLite-Micro hold it. It
        lies inside y's interval and need not hold the zero point.
    multiplier : FixedMultiplier, optional
        m and e, one or N, in place of those that the profile makes of the scales: what a C kernel is given. The scales
        of x, w and y are then read by nothing (any will do), and what needs them is refused: a real bias, and an
        activation whose bounds are real numbers other than 0 (give `clamp`). N of them are per-channel weights.

    Returns
    -------
    ndarray of y.dtype, shape (B, N)
        Output codes.

    Raises
    ------
    TypeError
        If an operand does not have an integer dtype, or a multiplier is given to an engine that has none: it rescales
        in floats, for this type of input and bias at least.
    ValueError
        If shapes do not agree, a code is outside its interval, the profile is unknown, the engine refuses the layer or
        the multiplier, or both an activation and clamp are given.
    OverflowError
        If an accumulator leaves int32 under a profile that does not wrap.

    Notes
    -----
    R9, then the profile's output stage. K = 0 gives the requantized bias, B = 0 an empty result. An integer multiplier
    has one meaning in all engines, m 2^(e-31), positive e to the left (C4): CMSIS-NN's and TFLite's pair as it is,
    TOSA's right shift is 31 - e.

    Examples
    --------
    >>> p = QuantParams(0.5, 0, -128, 127)
    >>> for name in ("npquant", "tflite_ref", "ort", "litert_ref_2025"):
    ...     print(name, linear([[1]], [[-5]], [0], x=p, w=p, y=p, profile=name))
    npquant [[-2]]
    tflite_ref [[-2]]
    ort [[-2]]
    litert_ref_2025 [[-3]]

    The same layer as a C kernel is given it, by m = 2^30 and a shift of 0 in place of three scales:

    >>> any_scale = QuantParams(1.0, 0, -128, 127)
    >>> given = {"x": any_scale, "w": any_scale, "y": any_scale, "multiplier": FixedMultiplier(2**30, 0)}
    >>> linear([[1]], [[-5]], [0], profile="cmsis_nn", **given)
    array([[-2]], dtype=int8)
    """
    record = get(profile)
    if multiplier is not None:
        w = _read_by_nothing(bias, activation, w, multiplier, np.shape(w_q)[-1:])
    refuse_unsupported(record, x, w, y, by_scales=multiplier is None)
    inputs, weights = codes_of("x_q", x_q, x, 2), codes_of("w_q", w_q, w, 2)
    if inputs.shape[1] != weights.shape[0]:
        raise ValueError(f"x_q {inputs.shape} and w_q {weights.shape} do not agree: x_q has K columns, w_q has K rows")
    for part, size in (("scales", np.size(w.scale)), ("zero points", np.size(w.zero_point))):
        if size not in (1, weights.shape[1]):
            raise ValueError(f"w has {size} {part} for {weights.shape[1]} outputs; give 1 or {weights.shape[1]}")
    if clamp is not None and activation not in ("none", "identity"):
        raise ValueError(
            f"give either an activation, {activation!r}, or clamp, {clamp}: clamp is its interval as codes"
        )
    bounded = record.activation_bounds("identity" if activation == "none" else activation, y)
    added = _bias(bias, record, x, w, weights.shape[1])
    stages = refuse_wide(record, None if bias is None else added.dtype.name, x, w, y)
    if multiplier is not None:
        refuse_multiplier(record, multiplier, stages)
    return layer_codes(
        inputs,
        weights,
        # To an engine that sees the layer whole, no bias and a bias of zeros may be two things.
        None if bias is None and record.whole_layer is not None else added,
        x=x,
        w=w,
        y=y,
        profile=record,
        interval=bounded if clamp is None else clamped_interval(y, clamp),
        activation=activation,
        multiplier=multiplier,
    )


def _read_by_nothing(
    bias: ArrayLike | None, activation: str, w: QuantParams, multiplier: FixedMultiplier, n: tuple[int, ...]
) -> QuantParams:
    """Refuse what would read a scale beside a multiplier; return w per-channel where the multiplier is."""
    if bias is not None and np.asarray(bias).dtype.kind == "f":
        raise ValueError("a real bias needs the scales that a multiplier stands for: give its codes, as integers")
    if activation not in ("none", "identity", "relu"):
        raise ValueError(f"the bounds of {activation!r} need the scale that a multiplier stands for: give clamp")
    if np.ndim(multiplier.multiplier) == 0:
        return w
    if np.shape(multiplier.multiplier) not in ((1,), n):
        raise ValueError(f"{np.size(multiplier.multiplier)} multipliers for {n} outputs; give 1 or one each")
    return QuantParams(np.broadcast_to(w.scale, n), w.zero_point, w.qmin, w.qmax)


def _bias(bias: ArrayLike | None, profile: Profile, x: QuantParams, w: QuantParams, n: int) -> NDArray[Any]:
    """Return the bias in the form the profile takes: int32 codes, or float32 real values."""
    stage = profile.wide_stage(None, x.dtype.name, weight_type(w))
    given = np.zeros(n, "int32" if stage is None else stage.bias) if bias is None else np.asarray(bias)
    if given.dtype.kind not in "iuf":
        raise TypeError(f"the bias has dtype {given.dtype}; it must be integers (codes) or floats (real values)")
    if given.shape not in ((), (n,)):
        raise ValueError(f"the bias has shape {given.shape}; it must be ({n},)")
    if not np.isfinite(given).all():
        raise ValueError("the bias contains NaN or infinity; every number must be finite")
    scale = np.asarray(x.scale, np.float64) * np.asarray(w.scale, np.float64)
    if x.dtype == np.int16:
        return given
    if profile.takes_real_bias:
        return np.asarray(given * scale if given.dtype.kind in "iu" else given).astype(np.float32)
    if given.dtype.kind == "f":
        return profile.quantize_bias(given, x.scale, w.scale)
    if given.size and (given.min() < -(2**31) or given.max() >= 2**31):
        raise ValueError("the bias has codes outside int32: use a larger input or weight scale")
    return given.astype(np.int64)


def quantize(x: ArrayLike, params: QuantParams, profile: str | Profile = NPQUANT) -> Codes:
    """Quantize real values as an engine does.

    Parameters
    ----------
    x : array of float, shape (..., N)
        Real values; the engines' own operators take float32.
    params : QuantParams
        Per-tensor, or per-channel along the last axis.
    profile : str or Profile
        The arithmetic; npquant's own (R1) if not given.

    Returns
    -------
    ndarray of params.dtype, shape of x
        Codes.

    Raises
    ------
    ValueError
        If the profile has no quantize operator or none for codes of this type, or is unknown, or, under npquant's own,
        x contains NaN.

    Notes
    -----
    R1 under npquant's own profile. The engines divide or multiply by the reciprocal, in float32, and differ on ties,
    NaN and huge values.

    Examples
    --------
    >>> quantize([1.25, -0.25], QuantParams(0.5, 0, -128, 127))
    array([2, 0], dtype=int8)
    """
    record = get(profile)
    if record is NPQUANT:
        return affine.quantize(x, params)
    operator = has(record, "quantize", "quantize operator")
    refuse_type(record, "quantized", params, record.quantize_types)
    codes: Codes = operator(x, params)
    return codes


def dequantize(q: ArrayLike, params: QuantParams, profile: str | Profile = NPQUANT) -> NDArray[np.float32]:
    """Return the real values of codes as an engine does.

    Parameters
    ----------
    q : array of integers, shape (..., N)
        Codes.
    params : QuantParams
        Per-tensor, or per-channel along the last axis.
    profile : str or Profile
        The arithmetic; npquant's own (R2) if not given.

    Returns
    -------
    ndarray of float32, shape of q
        Real values.

    Raises
    ------
    TypeError
        If q is not an integer array.
    ValueError
        If the profile has no dequantize operator or none for codes of this type, or is unknown, or, but for npquant's
        own, a code is outside its interval.

    Notes
    -----
    R2. f32(s (q - z)): the same in most engines.

    Examples
    --------
    >>> dequantize(np.array([2], np.int8), QuantParams(0.5, 0, -128, 127))
    array([1.], dtype=float32)
    """
    record = get(profile)
    if record is NPQUANT:
        return affine.dequantize(q, params)
    operator = has(record, "dequantize", "dequantize operator")
    refuse_type(record, "quantized", params, record.quantize_types)
    refuse_wide_zero_point(record, "input", params)
    real: NDArray[np.float32] = operator(codes_of("q", q, params), params)
    return real


def requantize(
    acc: ArrayLike,
    multiplier: FixedMultiplier | None = None,
    *,
    x: QuantParams | None = None,
    w: QuantParams | None = None,
    y: QuantParams,
    profile: str | Profile = NPQUANT,
    clamp: tuple[int, int] | None = None,
    bias: Literal["int32", "int64"] | None = None,
) -> Codes:
    """Take accumulators to output codes as an engine does.

    Parameters
    ----------
    acc : array of integers, shape (..., N)
        Accumulators, bias included: int32 values, or int64 ones beside an int64 bias.
    multiplier : FixedMultiplier, optional
        m and e, for profiles that rescale in integers. Otherwise give x and w, and the profile makes its own.
    x, w : QuantParams, optional
        Input and weights, whose scales make the multiplier.
    y : QuantParams
        Output, of a type in the profile's `code_types` or `rescale_types`.
    profile : str or Profile
        The arithmetic; npquant's own (R6, R10) if not given.
    clamp : tuple of int, optional
        (low, high): codes to clamp to, inside y's interval; it need not hold the zero point.
    bias : {"int32", "int64"}, optional
        Beside int16 outputs, the type of the layer's bias, and so of its accumulators, which chooses the engine's rule:
        to be said where the engine has `wide_stages`, since no array says it (NumPy's integers are int64). The rule is
        that of int16 inputs and 8-bit weights, unless w is int16.

    Returns
    -------
    ndarray of y.dtype, shape of acc
        Output codes.

    Raises
    ------
    TypeError
        If acc is not an integer array, or the profile does not rescale with a fixed multiplier.
    ValueError
        If acc leaves its type, neither a multiplier nor x and w are given, or the engine refuses them or y: the same
        refusals by either way. An engine without 16-bit outputs, or whose rule for them is the bias's, refuses them.

    Examples
    --------
    >>> requantize([5, -5], FixedMultiplier(2**30, 0), y=QuantParams(1.0, 0, -128, 127))
    array([ 3, -2], dtype=int8)
    >>> fixed, y = FixedMultiplier(2143068030, -10), QuantParams(1.0, 0, -32768, 32767)
    >>> for bias in ("int64", "int32"):
    ...     print(bias, requantize([-10138397], fixed, y=y, profile="cmsis_nn", bias=bias))
    int64 [-9881]
    int32 [-9880]
    """
    record = get(profile)
    sums = np.asarray(acc)
    if sums.dtype.kind not in "iu":
        raise TypeError(f"acc has dtype {sums.dtype}; it must be integers")
    wide = stages_to(record, w, y, bias)
    stages: Profile | WideStage = wide or record
    bits = 64 if bias == "int64" else 32
    if sums.size and (sums.min() < -(2 ** (bits - 1)) or sums.max() >= 2 ** (bits - 1)):
        raise ValueError(f"acc leaves int{bits}; wrap or rescale it first")
    if (multiplier is None) == (x is None or w is None):
        raise ValueError("give either a multiplier, or both x and w")
    types = (*record.code_types, *record.rescale_types) if wide is None else ("int16",)
    refuse_tensor(record, "output", y, types)
    made: Any = multiplier
    if multiplier is not None:
        refuse_multiplier(record, multiplier, wide)
    elif x is not None and w is not None:
        refuse_tensor(record, "input", x, types)
        refuse_scales(record, x, w, y)
        made = stages.make_multiplier(x.scale, w.scale, y.scale)
    staged: Any = sums.astype(np.int64)
    if record.add_bias is not None and wide is None:
        staged = record.add_bias(staged, np.float32(0), made)
    return stages.output_stage(staged, made, y.zero_point, *clamped_interval(y, clamp)).astype(y.dtype)
