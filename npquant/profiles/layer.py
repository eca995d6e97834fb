"""A linear layer whose operands were checked: accumulate, make the multiplier, requantize, add the zero point, clamp.

Legend: B batch, K contracted depth, N outputs; x_q (B, K), w_q (K, N), bias (N,) of scale sx sw; zx, zw, zy zeros;
profile the engine's record.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npquant.arrays import Int64
from npquant.kernels.linear import accumulate, accumulate_pair16, rows_at_a_time
from npquant.kernels.multiplier import FixedMultiplier
from npquant.kernels.qparams import QuantParams
from npquant.kernels.rounding import wrap_int32
from npquant.profiles.record import Profile, WideStage, weight_type


def as_int32(acc: Int64, profile: Profile) -> Int64:
    """Refuse or wrap accumulators acc that leave int32, as the profile says."""
    if not acc.size or (acc.min() >= -(2**31) and acc.max() < 2**31):
        return acc
    if profile.accumulator == "exact":
        raise OverflowError("an accumulator leaves int32: use smaller weights or codes, or a profile that wraps")
    return wrap_int32(acc)


def saturates_pairs(profile: Profile, x_q: NDArray[Any], w_q: NDArray[Any]) -> bool:
    """Say whether an engine sums these codes by pairs of products that saturate to int16."""
    return profile.accumulator == "pair16" and x_q.dtype == np.uint8 and w_q.dtype == np.int8


def layer_sums(
    x_q: NDArray[Any],
    w_q: NDArray[Any],
    bias: ArrayLike,
    *,
    x: QuantParams,
    w: QuantParams,
    profile: Profile,
) -> Int64:
    """R9, R36. Compute a layer's accumulators (B, N), with an integer bias of scale sx sw, as a profile's engine sums.

    They are int32 values, or int64 ones where the bias is int64. OverflowError if an accumulator leaves int32 and the
    profile's accumulator is exact.

    >>> from npquant.profiles.npquant import NPQUANT
    >>> p, q = QuantParams(0.5, 0, -128, 127), np.array([[3, -4]], np.int8)
    >>> layer_sums(q, np.array([[10], [20]], np.int8), np.array([7], np.int32), x=p, w=p, profile=NPQUANT)
    array([[-43]])
    """
    zw = 0 if profile.weight_zero_point == "per_tensor" and w.per_channel else w.zero_point
    if saturates_pairs(profile, x_q, w_q):
        return as_int32(accumulate_pair16(x_q, w_q, bias, x.zero_point, zw, profile.pairs_apart(x_q.shape[1])), profile)
    acc = accumulate(x_q, w_q, bias, x.zero_point, zw)
    if x.dtype != np.int16:
        return as_int32(acc, profile)
    kind = np.asarray(bias).dtype.name
    stage = profile.wide_stage(kind, weights=weight_type(w))
    return acc if kind == "int64" or (stage is not None and stage.int64_sums) else as_int32(acc, profile)


def stages_for(profile: Profile, x: QuantParams, w: QuantParams, y: QuantParams, bias: str | None) -> WideStage | None:
    """Return how an engine takes x, w to y beside a bias of a type or none, where int16 is in it; None: as its record.

    Beside 8-bit inputs a bias is int32, whatever its type. ValueError if the inputs are int16 and the engine has no
    rule for such a bias beside such weights.

    >>> from npquant.profiles import get
    >>> wide, w = QuantParams(0.5, 0, -32768, 32767), QuantParams(0.5, 0, -128, 127)
    >>> stages_for(get("tflm"), wide, w, wide, "int64").accumulator_bits
    64
    """
    if x.dtype != np.int16:
        return profile.wide_stage("int32", x.dtype.name, weight_type(w)) if y.dtype == np.int16 else None
    stage = profile.wide_stage(bias, weights=weight_type(w))
    if stage is None:
        known = dict.fromkeys(stage.bias for stage in profile.wide_stages)
        raise ValueError(f"{profile.name} takes biases of {' or '.join(known)} beside int16 codes, not {bias}")
    return stage


def layer_codes(
    x_q: NDArray[Any],
    w_q: NDArray[Any],
    bias: ArrayLike | None,
    *,
    x: QuantParams,
    w: QuantParams,
    y: QuantParams,
    profile: Profile,
    interval: tuple[int, int],
    activation: str = "none",
    multiplier: FixedMultiplier | None = None,
) -> NDArray[np.integer]:
    """Compute one layer of codes under a profile; the codes, of y.dtype and shape (B, N), lie in the interval.

    R10 for npquant's own profile; the profile's output stage says what an engine does instead, that of `wide_stages`
    for int16 inputs. A float bias is added by the profile, in the engine's way; an integer one is int32, or int64
    beside int16 inputs. x and y are per-tensor, w per-tensor or per-channel. The activation's name is for engines whose
    layer depends on more than its interval. A multiplier stands in place of the one that the profile makes of the
    scales, where it makes a fixed one. OverflowError as `layer_sums`.

    >>> from npquant.profiles.npquant import NPQUANT
    >>> p, q = QuantParams(0.5, 0, -128, 127), np.array([[3, -4]], np.int8)
    >>> layer_codes(q, np.array([[10], [20]], np.int8), 7, x=p, w=p, y=p, profile=NPQUANT, interval=(-128, 127))
    array([[-21]], dtype=int8)
    """
    if profile.whole_layer is not None:
        whole: NDArray[np.integer] = profile.whole_layer(x_q, w_q, bias, x, w, y, activation, interval).astype(y.dtype)
        return whole
    stages = stages_for(profile, x, w, y, np.asarray(0 if bias is None else bias).dtype.name) or profile
    made: Any = stages.make_multiplier(x.scale, w.scale, y.scale) if multiplier is None else multiplier
    float_bias = x.dtype != np.int16 and profile.add_bias is not None
    acc = layer_sums(x_q, w_q, 0 if bias is None or float_bias else bias, x=x, w=w, profile=profile)
    codes = np.empty(acc.shape, y.dtype)
    rows = rows_at_a_time(acc.shape[1])
    for row in range(0, len(acc), rows):
        part = acc[row : row + rows]
        if float_bias and profile.add_bias is not None and bias is not None:
            part = profile.add_bias(part, bias, made)
        codes[row : row + rows] = stages.output_stage(part, made, y.zero_point, *interval)
    return codes
