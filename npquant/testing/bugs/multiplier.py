"""Bugs of the multiplier: how it is made, held, and applied.

Legend: call one layer's operands under a profile; each function returns its output codes (B, N). m, e fixed multiplier.
"""

from __future__ import annotations

import numpy as np

from npquant.arrays import Codes, Float64
from npquant.testing.bugs.honest import (
    Call,
    as_output,
    bias_codes,
    finish,
    multiplier_of,
    placed,
    real_multiplier,
    sums,
)


def _scaled(call: Call, m: Float64) -> Codes:
    return placed(call, np.floor((sums(call) + bias_codes(call)) * m + 0.5))


def _through(call: Call, factor: Float64) -> Codes:
    """Answer with a multiplier of the profile's own form, made of another real factor."""
    made = call.profile.make_multiplier(np.float32(1), np.asarray(factor, np.float32), np.float32(1))
    return as_output(call, finish(call, sums(call), multiplier=made))


def multiplier_is_made_in_float32(call: Call) -> Codes:
    """sx sw / sy in float32 throughout."""
    factor = np.asarray(call.x.scale, np.float32) * np.asarray(call.w.scale, np.float32) / np.float32(call.y.scale)
    return _scaled(call, factor.astype(np.float64))


def scales_are_multiplied_in_float32(call: Call) -> Codes:
    """The product of the scales is rounded to float32 before the division."""
    product = np.asarray(call.x.scale, np.float32) * np.asarray(call.w.scale, np.float32)
    return _scaled(call, product.astype(np.float64) / np.float64(call.y.scale))


def multiplies_by_the_reciprocal_of_the_output_scale(call: Call) -> Codes:
    """1 / sy is rounded to float32 first."""
    scale = np.asarray(call.x.scale, np.float64) * np.asarray(call.w.scale, np.float64)
    return _scaled(call, scale * np.float64(np.float32(1) / np.float32(call.y.scale)))


def multiplier_has_15_bits(call: Call) -> Codes:
    """Keeps 15 bits of the multiplier."""
    fraction, e = np.frexp(real_multiplier(call))
    return _scaled(call, np.ldexp(np.floor(fraction * 2**15 + 0.5), e - 15))


def multiplier_has_16_bits_truncated(call: Call) -> Codes:
    """Takes the upper half of the 32-bit multiplier."""
    fraction, e = np.frexp(real_multiplier(call))
    return _scaled(call, np.ldexp(np.floor(fraction * 2**15), e - 15))


def multiplier_has_8_bits(call: Call) -> Codes:
    """Keeps 8 bits of the multiplier."""
    fraction, e = np.frexp(real_multiplier(call))
    return _scaled(call, np.ldexp(np.floor(fraction * 2**8 + 0.5), e - 8))


def multiplier_is_truncated(call: Call) -> Codes:
    """31 bits, truncated where rounding is due."""
    fraction, e = np.frexp(real_multiplier(call))
    return _scaled(call, np.ldexp(np.floor(fraction * 2**31), e - 31))


def multiplier_is_one_too_large(call: Call) -> Codes:
    """One unit in the last of 24 places."""
    m = np.asarray(real_multiplier(call), np.float32)
    return _scaled(call, np.nextafter(m, np.float32(np.inf)).astype(np.float64))


def multiplier_is_one_too_small(call: Call) -> Codes:
    """One unit in the last of 24 places, downwards."""
    m = np.asarray(real_multiplier(call), np.float32)
    return _scaled(call, np.nextafter(m, np.float32(0)).astype(np.float64))


def multiplier_carry_is_lost(call: Call) -> Codes:
    """Where rounding gives 2^31, the exponent is not raised: half of the value is left."""
    m = real_multiplier(call)
    fraction, _ = np.frexp(m)
    return _scaled(call, np.where(np.floor(fraction * 2**31 + 0.5) >= 2**31, m / 2, m))


def left_shift_is_ignored(call: Call) -> Codes:
    """A multiplier of 1 or more loses its power of two."""
    fraction, e = np.frexp(real_multiplier(call))
    return _scaled(call, np.ldexp(fraction, np.minimum(e, 0)))


def right_shift_is_masked_to_four_bits(call: Call) -> Codes:
    """The shift is stored in a nibble."""
    fraction, e = np.frexp(real_multiplier(call))
    return _scaled(call, np.ldexp(fraction, np.where(e < 0, -((-e) % 16), e)))


def right_shift_is_off_by_one(call: Call) -> Codes:
    """Shifts once too often."""
    return _through(call, real_multiplier(call) / 2)


def input_scale_is_forgotten(call: Call) -> Codes:
    """M = sw / sy."""
    return _through(call, np.asarray(call.w.scale, np.float64) / np.float64(call.y.scale))


def output_scale_is_forgotten(call: Call) -> Codes:
    """M = sx sw."""
    return _through(call, np.asarray(call.x.scale, np.float64) * np.asarray(call.w.scale, np.float64))


def scale_ratio_is_inverted(call: Call) -> Codes:
    """M = sy / (sx sw)."""
    with np.errstate(over="ignore"):
        factor = np.minimum(1 / real_multiplier(call), 2.0**29)
    return _scaled(call, factor)


def small_multiplier_is_flushed_to_zero(call: Call) -> Codes:
    """A multiplier below 2^-16 counts as 0."""
    m = real_multiplier(call)
    return _scaled(call, np.where(m < 2.0**-16, 0.0, m))


def wide_product_wraps_at_48_bits(call: Call) -> Codes:
    """acc m is kept in 48 bits."""
    fraction, e = np.frexp(real_multiplier(call))
    m = np.floor(fraction * 2**31 + 0.5).astype(np.int64)
    acc = (sums(call) + bias_codes(call)).astype(np.int64)
    product = ((acc * m + 2**47) % 2**48) - 2**47
    return placed(call, np.floor(np.ldexp(product.astype(np.float64), np.asarray(e) - 31) + 0.5))


def shared_multiplier_is_the_largest(call: Call) -> Codes:
    """All channels use the largest of the multipliers."""
    return as_output(call, finish(call, sums(call), multiplier=multiplier_of(call, sw=np.max(call.w.scale))))
