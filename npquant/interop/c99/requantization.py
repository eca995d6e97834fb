"""From an engine's arithmetic to integer constants: which rule a layer's accumulators are rounded by, and its numbers.

Legend: profile the engine's record; layer an IntegerLayer; params quantization parameters; low, high (N,)
the ends of its accumulators (C7). Each rule is (acc, m, l, s) -> steps before the zero point, in integers:

single       R6, R29   round_half_up(acc m / 2^s)
single64     R91       the same of an accumulator of up to 48 bits, m of 15 bits
wide         R170      round_half_up(h / 2^s), h = floor(acc m / 2^16), acc of up to 48 bits
away         R21       round_half_away(acc m / 2^s)
double_away  R8        round_half_away(h / 2^s), h = round_half_up(wrap32(acc 2^l) m / 2^31)
double_up    R19       round_half_up(h / 2^s)
floor_up     R20       round_half_up(floor(wrap32(acc 2^l) m / 2^31) / 2^s)
float32      R26       round_half_even(f32(f32(acc) m / 2^s)), m the 24 bits of a float32
float64      R25, R100 round_half_away(f64(acc m / 2^s)), m the 53 bits of a float64

The last two are what an engine computes in floating point: a product of two significands, rounded to 24 or 53 bits, is
integer arithmetic too, so that a processor without floats gives the engine's bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np

from npquant.arrays import Int64
from npquant.integer.layer import IntegerLayer, as_taken
from npquant.kernels.multiplier import FixedMultiplier
from npquant.kernels.output_stages import (
    stage_float32_half_even,
    stage_float32_half_even_low_wraps,
    stage_float64_half_away,
    stage_float64_half_away_saturating,
    stage_mantissa24_half_up,
    stage_single_rounding,
    stage_single_rounding_wide,
)
from npquant.kernels.qparams import QuantParams
from npquant.profiles.cmsis_nn import CMSIS_NN
from npquant.profiles.compilers import TOSA_DOUBLE, TVM_TONEAREST
from npquant.profiles.hardware import NVDLA
from npquant.profiles.layer import stages_for
from npquant.profiles.record import Profile, WideStage
from npquant.profiles.tflite import RUY_ARM64, RUY_X86, TFLITE_REF, TFLITE_SINGLE, TFLM

# What becomes of a sum beyond int32: it saturates, wraps with the zero point or before it; or there is no program.
Overflow = Literal["saturates", "wraps", "wraps_first", "refused"]


def _wide(profile: Profile, bias: str) -> object:
    """The output stage of a profile for int16 inputs and biases of a type."""
    stage = profile.wide_stage(bias)
    return None if stage is None else stage.output_stage


# Rules of accumulators of up to 48 bits.
WIDE_RULES: Final = ("single64", "wide")
_RULES: Final = MappingProxyType(
    {
        stage_single_rounding: ("single", "saturates"),
        stage_single_rounding_wide: ("wide", "saturates"),
        TFLITE_SINGLE.output_stage: ("single", "wraps"),
        _wide(TFLM, "int64"): ("single64", "refused"),
        _wide(CMSIS_NN, "int64"): ("single64", "refused"),
        _wide(TFLM, "int32"): ("double_away", "wraps"),
        stage_mantissa24_half_up: ("single", "wraps_first"),
        NVDLA.output_stage: ("away", "saturates"),
        TVM_TONEAREST.output_stage: ("away", "saturates"),
        TOSA_DOUBLE.output_stage: ("double_away", "saturates"),
        TFLITE_REF.output_stage: ("double_away", "wraps"),
        RUY_X86.output_stage: ("double_up", "wraps"),
        RUY_ARM64.output_stage: ("floor_up", "wraps"),
        stage_float32_half_even: ("float32", "saturates"),
        stage_float32_half_even_low_wraps: ("float32", "refused"),
        stage_float64_half_away: ("float64", "refused"),
        stage_float64_half_away_saturating: ("float64", "refused"),
    }
)


@dataclass(frozen=True, slots=True)
class Requantization:
    """Hold how a layer's accumulators become codes: clamp(rule(acc, m, l, s) + zero_point, low, high)."""

    rule: str
    multiplier: Int64  # m: () or (N,)
    left: Int64  # l
    right: Int64  # s
    zero_point: int
    low: int
    high: int
    fits: bool  # no accumulator takes the sum, or anything on the way to it, out of int32
    overflow: Overflow


def rule_of(profile: Profile, layer: IntegerLayer | None = None) -> tuple[str, Overflow]:
    """Return a profile's rule (for a layer: int16 inputs have their own), and what it does beyond int32.

    ValueError, naming the profile, if it has no integer form.

    >>> from npquant.profiles import get
    >>> rule_of(get("tflite_ref")), rule_of(get("litert_ref_2025"))
    (('double_away', 'wraps'), ('float64', 'refused'))
    """
    stages = _stages(profile, layer)
    found: tuple[str, Any] | None = _RULES.get(stages.output_stage)
    if found is None or profile.takes_real_bias or profile.accumulator == "pair16":
        why = "saturates pairs of products" if profile.accumulator == "pair16" else "adds bias or zero point as a float"
        raise ValueError(
            f"profile {profile.name!r} {why}; a program in integers needs another: quantize for npquant, tflite_ref, "
            "litert_ref_2025, ort or xnnpack_fp32, for instance"
        )
    return found


def _stages(profile: Profile, layer: IntegerLayer | None) -> Profile | WideStage:
    """Where a layer's make_multiplier and output_stage stand."""
    if layer is None:
        return profile
    return stages_for(profile, layer.x, layer.w, layer.target, layer.bias.dtype.name) or profile


def requantization(layer: IntegerLayer, profile: Profile, low: Int64, high: Int64) -> Requantization | None:
    """Turn a layer's scales into the integers of its profile's rule; None for a layer that gives its accumulators.

    ValueError if there is no integer form.
    """
    if layer.y is None:
        return None
    rule, overflow = rule_of(profile, layer)
    target = layer.target
    made = _stages(profile, layer).make_multiplier(layer.x.scale, layer.w.scale, target.scale)
    m, left, right = _constants(rule, made, profile)
    fits = all(_fits(rule, acc, m, left, right, target) for acc in (low, high))
    widest = 47 if rule in WIDE_RULES else 31
    if max(int(high.max()), -1 - int(low.min())) >= 2**widest:
        raise ValueError(f"{profile.name}: an accumulator needs more than {widest + 1} bits; use fewer inputs")
    if not fits and overflow == "refused":
        raise ValueError(f"{profile.name}: an accumulator can reach 2^31 output steps; raise the output scale")
    qmin, qmax = code_interval(layer, profile)
    return Requantization(rule, m, left, right, int(target.zero_point), qmin, qmax, fits, overflow)


def code_interval(layer: IntegerLayer, profile: Profile) -> tuple[int, int]:
    """The closed interval of the target's codes that the activation leaves open, as the profile's engine rounds it."""
    taken, raised = as_taken(layer.target, profile)
    low, high = profile.activation_bounds(layer.clamp, taken)
    return low - raised, high - raised


def _constants(rule: str, made: object, profile: Profile) -> tuple[Int64, Int64, Int64]:
    """Return m, l and s of a rule from what the profile's make_multiplier gave."""
    if isinstance(made, FixedMultiplier):
        m, e = np.asarray(made.multiplier, np.int64), np.asarray(made.shift, np.int64)
        if rule in ("single", "away"):
            return m, np.zeros_like(e), 31 - e
        if rule in WIDE_RULES and (e > 14).any():
            raise ValueError(f"{profile.name}: a multiplier of 2^14 or more; raise the output scale")
        if rule == "wide":
            return m, np.zeros_like(e), 15 - e
        if rule == "single64":
            return np.minimum(np.right_shift(m + 2**15, 16), 2**15 - 1), np.zeros_like(e), 15 - e
        right = np.maximum(1 if rule == "floor_up" else 0, -e)
        return m, e + right if rule == "floor_up" else np.maximum(e, 0), right
    bits = 53 if rule == "float64" else 24
    fraction, e32 = np.frexp(np.asarray(made, np.float64))
    m, s = np.ldexp(fraction, bits).astype(np.int64), bits - e32.astype(np.int64)
    # f32: the rounded product is below 2^57 and shifted by at least 1; f64: by s - x, and x <= 32.
    least = 33 if rule == "float64" else 1
    if (s < least).any():
        raise ValueError(f"{profile.name}: a multiplier of 2^{bits - least} or more; raise the output scale")
    # From 2^57 down nothing is left after 63 places, from 2^53 after 63 + 32.
    return m, np.zeros_like(s), np.minimum(s, 95 if rule == "float64" else 58 if rule == "single" else 63)


def _fits(rule: str, acc: Int64, m: Int64, left: Int64, right: Int64, target: QuantParams) -> bool:
    """Whether acc, one end of the accumulators, stays inside int32 all the way; the rules are monotone in acc."""
    # R92 drops the upper bits one place before it rounds.
    room = (
        2 ** (30 if rule == "single64" else 31)
        - 1
        - max(abs(target.qmin), abs(target.qmax), abs(int(target.zero_point)))
        - 2
    )
    total = right + (31 if rule in ("double_away", "double_up", "floor_up") else 16 if rule == "wide" else 0) - left
    for a, factor, places, up in np.broadcast(acc, m, total, left):
        # One unit more than the exact quotient bounds every way to round it, float32's 2^-23 of it included.
        steps = abs(Fraction(int(a) * int(factor))) / Fraction(2) ** int(places)
        narrow = rule in WIDE_RULES or abs(int(a)) << int(up) < 2**31
        if steps * (1 + Fraction(1, 2**22)) + 1 > room or not narrow:
            return False
    return True
