"""Engines that shift and do not multiply: ESP-DL and Gemmini's output-stationary array. Neither has zero points.

Their layers are computed wherever the engine would run them, under `names(layers=False)`.

Legend: acc accumulator, M = sx sw / sy = 2^k the real multiplier, m = 2^30 and e = k + 1 its fixed form.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from npquant.kernels.multiplier import FixedMultiplier, power_of_two_multiplier
from npquant.kernels.output_stages import integer_stage
from npquant.kernels.requantize import requantize_half_even, requantize_single_rounding
from npquant.profiles.known import power_of_two as known
from npquant.profiles.record import Profile

_ONE_SHIFT: Final = "one scale of weights a layer, and scales with sx sw / sy a power of two"


def shift_by(name: str) -> Callable[[ArrayLike, ArrayLike, ArrayLike], FixedMultiplier]:
    """R149, refused in the engine's name.

    >>> shift_by("esp_dl")(0.3, 1, 1)
    Traceback (most recent call last):
    ValueError: esp_dl shifts sums and multiplies none: sx sw / sy is 0.3, no power of two from 2^-31 to 2^29
    """

    def shift(sx: ArrayLike, sw: ArrayLike, sy: ArrayLike) -> FixedMultiplier:
        if np.size(sw) > 1:
            raise ValueError(f"{name} shifts a layer's sums alike: one scale of weights, not {np.size(sw)}")
        try:
            return power_of_two_multiplier(sx, sw, sy)
        except ValueError as refused:
            raise ValueError(f"{name} shifts sums and multiplies none: {refused}") from None

    return shift


ESP_DL = Profile(
    name="esp_dl",
    engine="ESP-DL, C kernels as built for ESP32-P4 and ESP32-S31",
    version="esp-dl 2026-07",
    source="espressif/esp-dl esp-dl/dl/tool/src/dl_tool.cpp, dl/base/dl_base_activate_buffer.hpp, "
    "dl/base/dl_base_conv2d.cpp, revision 12c0616d",
    equation="y_q = clamp(half_even(wrap32(acc) 2^k)), 2^k = sx sw / sy; no zero points",
    knowledge=known.ESP_DL,
    make_multiplier=shift_by("esp_dl"),
    output_stage=integer_stage(requantize_half_even),
    weight_zero_point="zero",
    zero_points=False,
    code_types=("int8",),
    multipliers=(2**30, 2**30, 1),
    restriction=_ONE_SHIFT,
    conversion="sums wrap in int32; a shift to the left saturates",
)

ESP_DL_HALF_UP = dataclasses.replace(
    ESP_DL,
    name="esp_dl_half_up",
    engine="ESP-DL, C kernels as built for every other chip",
    equation="y_q = clamp(half_up(wrap32(acc) 2^k)), 2^k = sx sw / sy; no zero points",
    make_multiplier=shift_by("esp_dl_half_up"),
    output_stage=integer_stage(requantize_single_rounding),
)

GEMMINI_SHIFT = dataclasses.replace(
    ESP_DL,
    name="gemmini_shift",
    engine="Gemmini, output-stationary array",
    version="gemmini 2025-09",
    source="ucb-bar/gemmini src/main/scala/gemmini/PE.scala, Arithmetic.scala, revision 8c3f992; "
    "gemmini-rocc-tests include/gemmini_params.h, ROUNDING_RIGHT_SHIFT, include/gemmini_testutils.h, matshift, "
    "revision 180c468",
    equation="y_q = clamp(half_even(wrap32(acc) / 2^r)), 2^-r = sx sw / sy, r >= 0; no zero points",
    knowledge=known.GEMMINI_SHIFT,
    make_multiplier=shift_by("gemmini_shift"),
    max_multiplier=2.0,  # 1 is the largest power of two below
    restriction=_ONE_SHIFT + ", 1 at most",
    conversion="sums wrap in int32; codes saturate",
)

PROFILES = (ESP_DL, ESP_DL_HALF_UP, GEMMINI_SHIFT)
