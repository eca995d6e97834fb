"""Accelerators: Gemmini's float scaling and NVDLA's 16-bit converter. Neither has zero points.

Legend: acc accumulator, M float32 multiplier, (m, e) fixed multiplier, K = 31 - e its right shift.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from npquant.kernels.multiplier import FixedMultiplier, decompose_to_bits, multiplier_float32, real_multiplier
from npquant.kernels.output_stages import integer_stage, stage_float32_half_even
from npquant.kernels.requantize import requantize_half_away
from npquant.profiles.known import hardware as known
from npquant.profiles.record import Profile


def multiplier_15_bits(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> FixedMultiplier:
    """R37. M = f 2^e with f in [1/2, 1); m = round_half_away(f 2^15) 2^16, carried like R5: it fits 16 bits, signed.

    NVDLA leaves the choice of scale and truncation to its compiler; this takes the most bits that fit. sx, sw, sy are
    float32 scales, sw one or N. ValueError if M is 2^30 or more.

    >>> multiplier_15_bits(0.5, 0.5, 0.5)
    FixedMultiplier(multiplier=1073741824, shift=0)
    """
    return decompose_to_bits(real_multiplier(sx, sw, sy), 15)


GEMMINI_F32 = Profile(
    name="gemmini_f32",
    engine="Gemmini, default configuration",
    version="gemmini 2025-09",
    source="ucb-bar/gemmini src/main/scala/gemmini/Configs.scala; gemmini-rocc-tests include/gemmini_params.h",
    equation="y_q = clip(half_even(f32(f32(acc) M_C))); no zero points",
    knowledge=known.GEMMINI_F32,
    make_multiplier=multiplier_float32,
    output_stage=stage_float32_half_even,
    weight_zero_point="zero",
    zero_points=False,
    code_types=("int8",),
    conversion="saturates",
)

NVDLA = Profile(
    name="nvdla",
    engine="NVDLA, SDP output converter",
    version="nvdla/hw 2018-04",
    source="nvdla/hw cmod/hls/sdp/sdp_c.cpp, hls/include/nvdla_int.h (AC_RND_INF)",
    equation="y_q = clamp(half_away(acc m 2^(e-31))), m of 15 bits; no zero points",
    knowledge=known.NVDLA,
    make_multiplier=multiplier_15_bits,
    output_stage=integer_stage(requantize_half_away),
    weight_zero_point="zero",
    zero_points=False,
    code_types=("int8",),
    multipliers=(-(2**31), 2**31 - 2**16, 2**16),  # a signed 16-bit register, times 2^16
)

PROFILES = (GEMMINI_F32, NVDLA)
