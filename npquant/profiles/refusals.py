"""What an engine would not run, in one place: every door to an operator asks here, and hands on what it checked.

Legend: profile the engine's record, role what a tensor is to the operator, params and x, w, y quantization parameters,
q codes, types the NumPy names of the code types that the operator takes, multiplier m and e of a requantization,
by_scales False where a multiplier is given, and the scales of x, w and y mean nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Codes
from npquant.kernels.multiplier import FixedMultiplier
from npquant.kernels.qparams import QuantParams
from npquant.profiles.absences import absence
from npquant.profiles.layer import stages_for
from npquant.profiles.record import Profile, WideStage, weight_type


def codes_of(role: str, q: ArrayLike, params: QuantParams, ndim: int | None = None) -> Codes:
    """Return q as codes of params.dtype: TypeError unless integers, ValueError outside their interval or not ndim axes.

    >>> codes_of("q", [200], QuantParams(0.5, 0, -128, 127))
    Traceback (most recent call last):
    ValueError: q has codes in [200, 200], outside its interval [-128, 127]
    """
    array = np.asarray(q)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{role} has dtype {array.dtype}; it must be integer codes (quantize real values first)")
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{role} has shape {array.shape}; it must have {ndim} axes")
    if array.size and (array.min() < params.qmin or array.max() > params.qmax):
        raise ValueError(
            f"{role} has codes in [{array.min()}, {array.max()}], outside its interval [{params.qmin}, {params.qmax}]"
        )
    return array.astype(params.dtype, copy=False)


def refuse_type(profile: Profile, role: str, params: QuantParams, types: tuple[str, ...]) -> None:
    """Raise ValueError where the engine's operator does not take codes of params.dtype.

    >>> from npquant.profiles import get
    >>> refuse_type(get("tflite_ref"), "output", QuantParams(0.5, 0, -32768, 32767), ("int8", "uint8"))
    Traceback (most recent call last):
    ValueError: tflite_ref takes output codes of type int8 or uint8, not int16 [-32768, 32767]
    """
    if params.dtype.name not in types:
        raise ValueError(
            f"{profile.name} takes {role} codes of type {' or '.join(types)}, not {params.dtype} "
            f"[{params.qmin}, {params.qmax}]"
        )


def refuse_layerless(profile: Profile) -> None:
    """Raise ValueError where the engine quantizes and dequantizes alone.

    >>> from npquant.profiles import get
    >>> refuse_layerless(get("ort"))
    """
    if not profile.has_layers:
        raise ValueError(f"{profile.name} has no layer of codes{absence(profile, 'linear')}")


def refuse_tensor(profile: Profile, role: str, params: QuantParams, types: tuple[str, ...]) -> None:
    """Raise ValueError where an input or output is per-channel, or of a type or zero point that the engine refuses.

    >>> from npquant.profiles import get
    >>> refuse_tensor(get("gemmini_f32"), "input", QuantParams(0.5, 1, -128, 127), ("int8",))
    Traceback (most recent call last):
    ValueError: gemmini_f32 has no zero points; the input's is 1, it must be 0
    """
    refuse_layerless(profile)
    if params.per_channel:
        raise ValueError(f"the {role} must be per-tensor: this operator has one {role} scale")
    refuse_type(profile, role, params, types)
    if not profile.zero_points and params.zero_point:
        raise ValueError(f"{profile.name} has no zero points; the {role}'s is {params.zero_point}, it must be 0")


def refuse_pair(profile: Profile, x: QuantParams, y: QuantParams) -> None:
    """Raise ValueError where the engine does not take codes of x's type to y's, or refuses their zero points.

    >>> from npquant.profiles import get
    >>> refuse_pair(get("ruy_x86"), QuantParams(0.5, 0, -32768, 32767), QuantParams(0.5, 0, 0, 255))
    Traceback (most recent call last):
    ValueError: ruy_x86 takes output codes of type int8 or int16 or int32 from int16, not uint8 [0, 255]
    """
    pairs = ((start, end) for start in profile.code_types for end in profile.code_types)
    ends: dict[str, tuple[str, ...]] = {}
    for start, end in (*pairs, *profile.code_pairs):
        ends[start] = (*ends.get(start, ()), end)
    refuse_tensor(profile, "input", x, tuple(ends))
    if y.dtype.name not in ends[x.dtype.name]:
        types = " or ".join(ends[x.dtype.name])
        raise ValueError(
            f"{profile.name} takes output codes of type {types} from {x.dtype}, not {y.dtype} [{y.qmin}, {y.qmax}]"
        )
    refuse_tensor(profile, "output", y, (y.dtype.name,))
    if x.dtype == y.dtype:
        for role, params in (("input", x), ("output", y)):
            refuse_wide_zero_point(profile, role, params)


def refuse_wide_zero_point(profile: Profile, role: str, params: QuantParams) -> None:
    """Raise ValueError where codes are int16 and the engine's operator wants them without a zero point.

    >>> from npquant.profiles import get
    >>> refuse_wide_zero_point(get("ruy_x86"), "input", QuantParams(0.5, 1, -32768, 32767))
    Traceback (most recent call last):
    ValueError: ruy_x86 takes int16 codes without zero points here; the input's is 1, it must be 0
    """
    if not profile.wide_zero_points and params.dtype == np.int16 and np.any(params.zero_point):
        raise ValueError(
            f"{profile.name} takes int16 codes without zero points here; "
            f"the {role}'s is {params.zero_point}, it must be 0"
        )


def refuse_unsupported(
    profile: Profile, x: QuantParams, w: QuantParams, y: QuantParams, *, by_scales: bool = True
) -> None:
    """Raise ValueError, with the engine's reason, where it would not run a linear layer.

    >>> from npquant.profiles import get
    >>> p = QuantParams(0.5, 1, -128, 127)
    >>> refuse_unsupported(get("gemmini_f32"), p, p, p)
    Traceback (most recent call last):
    ValueError: gemmini_f32 has no zero points; the input's is 1, it must be 0
    """
    refuse_layerless(profile)
    for role, params in (("input", x), ("output", y)):
        if params.dtype == np.int16 and not profile.wide_stages and "int16" not in profile.code_types:
            raise ValueError(
                f"{profile.name} takes {role} codes of type {' or '.join(profile.code_types)}, not int16: "
                f"it has no layer of int16 codes{absence(profile, 'wide')}"
            )
    wide = ("int16",) if profile.wide_stages and "int16" in (x.dtype.name, y.dtype.name) else ()
    mixed = profile.code_types if any(stage.mixed for stage in profile.wide_stages) else ()
    into = tuple(dict.fromkeys(stage.inputs for stage in profile.wide_stages)) if y.dtype == np.int16 else wide
    refuse_tensor(profile, "input", x, (*mixed, *into) if wide else profile.code_types)
    refuse_tensor(profile, "output", y, (*mixed, *wide) if wide else profile.code_types)
    if wide:
        refuse_wide_weights(profile, x, w)
    if by_scales:
        refuse_scales(profile, x, w, y)
    else:
        refuse_weights(profile, w)


def refuse_wide_weights(profile: Profile, x: QuantParams, w: QuantParams) -> None:
    """Raise ValueError where an engine takes no weights of this type beside these inputs of a layer to int16.

    Weights of 4 bits are int8, too.

    >>> from npquant.profiles import get
    >>> wide = QuantParams(0.5, 0, -32768, 32767)
    >>> refuse_wide_weights(get("tflm"), wide, QuantParams(0.5, 0, -8, 7))
    >>> refuse_wide_weights(get("tflm"), wide, wide)
    Traceback (most recent call last):
    ValueError: tflm takes weights of type int8 beside int16 inputs, not int16
    """
    stages = [stage for stage in profile.wide_stages if stage.inputs == x.dtype.name]
    types, given = dict.fromkeys(name for stage in stages for name in stage.weights), weight_type(w)
    if stages and given not in types and not (given == "int4" and "int8" in types):
        raise ValueError(
            f"{profile.name} takes weights of type {' or '.join(types)} beside {x.dtype} inputs, not {given}"
        )
    if stages and x.dtype == np.uint8 and w.per_channel:
        raise ValueError(f"{profile.name} refuses per-channel weights beside uint8 inputs: give one scale")


def refuse_wide(profile: Profile, bias: str | None, x: QuantParams, w: QuantParams, y: QuantParams) -> WideStage | None:
    """Return what `stages_for` does; ValueError too where the engine refuses a zero point, or to have no bias, None.

    >>> from npquant.profiles import get
    >>> p = QuantParams(0.5, 1, -32768, 32767)
    >>> refuse_wide(get("litert_ref_2025"), "int64", p, QuantParams(0.5, 0, -128, 127), p)
    Traceback (most recent call last):
    ValueError: litert_ref_2025 takes int16 codes without zero points; the input's is 1, it must be 0
    """
    stage = stages_for(profile, x, w, y, bias)
    if stage is None:
        return None
    if bias is None and stage.needs_bias:
        raise ValueError(
            f"{profile.name} ends the process on {x.dtype} inputs and {y.dtype} outputs without a bias: give zeros"
        )
    for role, params in (("input", x), ("output", y)):
        if not stage.zero_points and params.dtype == np.int16 and params.zero_point:
            raise ValueError(
                f"{profile.name} takes int16 codes without zero points; "
                f"the {role}'s is {params.zero_point}, it must be 0"
            )
    return stage


def stages_to(profile: Profile, w: QuantParams | None, y: QuantParams, bias: str | None) -> WideStage | None:
    """Return the wide stage that takes accumulators to y, int16, beside a bias of this type; None: as the record says.

    bias is "int32", "int64" or None, not said; weights of None are int8. ValueError where int16 outputs depend on what
    was not said, a bias is said of other outputs, or `refuse_wide` or `refuse_wide_weights` refuses.

    >>> from npquant.profiles import get
    >>> stages_to(get("tflm"), None, QuantParams(0.5, 0, -32768, 32767), None)
    Traceback (most recent call last):
    ValueError: tflm takes accumulators to int16 codes by the type of the bias: say bias="int64" or bias="int32"
    """
    if y.dtype != np.int16 or not profile.wide_stages or (bias is None and "int16" in profile.rescale_types):
        if bias is not None:
            raise ValueError(f"{profile.name} does not ask for the type of the bias beside {y.dtype} outputs: leave it")
        return None
    if bias is None:
        said = " or ".join(dict.fromkeys(f'bias="{stage.bias}"' for stage in profile.wide_stages))
        raise ValueError(f"{profile.name} takes accumulators to int16 codes by the type of the bias: say {said}")
    weights = QuantParams(1.0, 0, -128, 127) if w is None else w
    refuse_wide_weights(profile, y, weights)
    return refuse_wide(profile, bias, y, weights, y)


def refuse_scales(profile: Profile, x: QuantParams, w: QuantParams, y: QuantParams) -> None:
    """Raise ValueError where the engine refuses the weights' zero point or the multiplier sx sw / sy.

    >>> from npquant.profiles import get
    >>> one = QuantParams(16.0, 0, -128, 127)
    >>> refuse_scales(get("xnnpack_fp32"), one, one, QuantParams(1.0, 0, -128, 127))
    Traceback (most recent call last):
    ValueError: the multiplier sx sw / sy is 256; xnnpack_fp32 takes less than 256
    """
    refuse_weights(profile, w)
    _refuse_real(profile, np.asarray(x.scale, np.float64) * np.asarray(w.scale, np.float64) / float(y.scale))


def refuse_weights(profile: Profile, w: QuantParams) -> None:
    """Raise ValueError where the engine refuses the weights' zero point, or would silently ignore it.

    >>> from npquant.profiles import get
    >>> refuse_weights(get("xnnpack_fp32"), QuantParams(0.5, 1, -128, 127))
    Traceback (most recent call last):
    ValueError: xnnpack_fp32 refuses a weight zero point here; it is 1, it must be 0
    """
    must_be_zero = profile.weight_zero_point == "zero" or (profile.weight_zero_point == "uint8" and w.dtype != np.uint8)
    if must_be_zero and np.any(w.zero_point):
        raise ValueError(f"{profile.name} refuses a weight zero point here; it is {w.zero_point}, it must be 0")
    if profile.weight_zero_point == "per_tensor" and w.per_channel and np.any(w.zero_point):
        raise ValueError(f"{profile.name} ignores per-channel weight zero points silently; make them 0")


def refuse_sums(profile: Profile, x: QuantParams, w: QuantParams) -> None:
    """Raise ValueError where an engine would not sum a layer's products, whatever becomes of the sums.

    >>> from npquant.profiles import get
    >>> p = QuantParams(0.5, 1, -128, 127)
    >>> refuse_sums(get("gemmini_f32"), p, p)
    Traceback (most recent call last):
    ValueError: gemmini_f32 has no zero points; the input's is 1, it must be 0
    """
    wide = ("int16",) if profile.wide_stages and x.dtype == np.int16 else ()
    refuse_tensor(profile, "input", x, wide or profile.code_types)
    if wide:
        refuse_wide_weights(profile, x, w)
    refuse_weights(profile, w)


def refuse_multiplier(profile: Profile, multiplier: FixedMultiplier, stages: WideStage | None = None) -> None:
    """Raise where the engine rescales in floating point (TypeError) or does not define this m (ValueError).

    stages is how it takes these operands, where that is not as the profile says.

    >>> from npquant.profiles import get
    >>> refuse_multiplier(get("tosa_single"), FixedMultiplier(-(2**30), 0))
    Traceback (most recent call last):
    ValueError: tosa_single defines multipliers from 0 to 2147483647; one is -1073741824
    """
    made = (profile if stages is None else stages).make_multiplier(1.0, 1.0, 1.0)
    if profile.whole_layer is not None or not isinstance(made, FixedMultiplier):
        where = f" beside int16 codes and {stages.bias} biases" if isinstance(stages, WideStage) else ""
        raise TypeError(
            f"{profile.name} rescales in floating point{where}: give x and w in place of a fixed multiplier"
        )
    m, (low, high, step) = np.atleast_1d(multiplier.multiplier), profile.multipliers
    outside = (m < low) | (m > high) | ((m - low) % step != 0)
    if outside.any():
        steps = "" if step == 1 else f" in steps of {step}"
        raise ValueError(f"{profile.name} defines multipliers from {low} to {high}{steps}; one is {m[outside][0]}")
    _refuse_real(profile, np.abs(multiplier.real))


def _refuse_real(profile: Profile, real: NDArray[np.float64] | float) -> None:
    """Raise where a real multiplier is more than the engine takes."""
    largest = float(np.max(real))
    if largest >= profile.max_multiplier:
        raise ValueError(
            f"the multiplier sx sw / sy is {largest:g}; {profile.name} takes less than {profile.max_multiplier:g}"
        )


def clamped_interval(y: QuantParams, clamp: tuple[int, int] | None) -> tuple[int, int]:
    """Return the interval to clamp output codes to: y's, or clamp inside it, which need not hold the zero point (C2).

    >>> clamped_interval(QuantParams(0.5, -128, -128, 127), (-100, 20))
    (-100, 20)
    """
    if clamp is None:
        return y.qmin, y.qmax
    low, high = clamp
    if not y.qmin <= low <= high <= y.qmax:
        raise ValueError(f"the outputs cannot be clamped to [{low}, {high}]: it must lie inside [{y.qmin}, {y.qmax}]")
    return int(low), int(high)
