"""Bugs that cannot be seen: for each profile those whose codes are its own, and why.

Legend: p, profile an engine's record.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Final

import numpy as np

from npquant.profiles.record import Profile
from npquant.testing.backend import capabilities_of
from npquant.testing.bugs import real_values


def _saturates_to_16_bits(profile: Profile) -> bool:
    """Say whether the engine's own output stage keeps steps inside int16."""
    if not profile.has_layers:
        return False
    made = profile.make_multiplier(np.float32(1), np.float32(1), np.float32(1))
    acc = np.array([2**20])
    staged = acc if profile.add_bias is None else profile.add_bias(acc, np.zeros(1, np.float32), made)
    return int(np.max(profile.output_stage(staged, made, 0, -(2**30), 2**30))) < 2**16


def _pairs(profile: Profile) -> bool:
    """Say whether pairs of products saturate: there a mutant that sums exactly shows by that alone."""
    return profile.accumulator == "pair16"


def _is_mutant(name: str, f: object) -> bool:
    """Say whether a name of the module of QUANTIZE bugs is a mutant."""
    return isinstance(f, FunctionType) and not name.startswith("_") and f.__module__ == real_values.__name__


_ZERO_POINTS: Final = (
    *(
        f"zero_points.{name}"
        for name in (
            "input_zero_point_is_forgotten",
            "input_zero_point_is_added",
            "input_zero_points_are_swapped",
            "input_zero_point_is_subtracted_in_8_bits_wrapping",
            "input_zero_point_is_subtracted_in_8_bits_saturating",
            "correction_uses_sums_in_int16",
            "correction_is_applied_twice",
            "output_zero_point_is_forgotten",
            "output_zero_point_is_subtracted",
            "output_zero_point_is_read_as_unsigned",
            "output_zero_point_is_the_inputs",
            "output_zero_point_is_added_before_scaling",
            "output_zero_point_is_odd_only",
            "corrections_are_skipped_for_one_row",
            "bias_is_centred_too",
        )
    ),
    "saturation.clamps_before_the_zero_point",
    "saturation.clamps_before_the_zero_point_and_wraps",
    "activations.upper_bound_ignores_the_zero_point",
    "memory.input_is_centred_in_place",
    "memory.bias_is_corrected_in_place",
    "shapes.single_input_skips_the_zero_point",
    "shapes.unit_multiplier_skips_the_zero_point",
    "pruned.zero_inputs_are_skipped_by_code",
    "tails.padded_inputs_meet_garbage_weights_4",
    "tails.padded_inputs_meet_garbage_weights_16",
    "state.corrections_are_cached_by_shape",
    "state.input_zero_point_is_cached",
    "networks.output_zero_point_is_the_next_layers",
    "networks.input_zero_point_is_the_first_layers",
)
_CROSS_TERMS: Final = (
    "zero_points.cross_term_is_missing",
    "zero_points.cross_term_has_the_wrong_sign",
    "zero_points.cross_term_uses_the_padded_depth",
    "tails.padding_counts_as_codes_4",
    "tails.padding_counts_as_codes_16",
)
_WEIGHT_ZERO_POINTS: Final = (
    "zero_points.weight_zero_point_is_forgotten",
    "zero_points.weight_zero_point_is_added",
    "zero_points.weight_zero_point_is_subtracted_in_8_bits_wrapping",
    "lanes.single_product_saturates_to_16_bits",
    "pruned.pruned_weight_counts_as_code_zero",
    "pruned.code_zero_counts_as_pruned",
)
# Why bugs cannot be seen under a profile: when, the reason, which.
UNSEEN: Final[tuple[tuple[Callable[[Profile], bool], str, tuple[str, ...]], ...]] = (
    (
        lambda p: "quantize" not in capabilities_of(p).ops,
        "the engine has no QUANTIZE",
        tuple(f"real_values.{name}" for name, f in vars(real_values).items() if _is_mutant(name, f)),
    ),
    (lambda p: p.name == "tvm_relax", "NaN gives qmax there", ("real_values.nan_becomes_the_highest_code",)),
    (lambda p: not p.zero_points, "the engine has no zero points", _ZERO_POINTS),
    (lambda p: p.weight_zero_point == "zero", "zx zw is 0: weights have no zero point", _CROSS_TERMS),
    (
        lambda p: p.weight_zero_point == "zero" and not _pairs(p),
        "weights have no zero point, and 255 times 128 fits 16 bits",
        _WEIGHT_ZERO_POINTS,
    ),
    (
        lambda p: p.weight_zero_point != "honoured" and not _pairs(p),
        "channels have no zero points of their own",
        ("zero_points.weight_zero_points_of_channels_are_the_first",),
    ),
    (
        lambda p: p.weight_qmin == -127,
        "no weight is -128",
        ("lanes.lowest_weight_is_one_higher", "lanes.lowest_weight_is_negated_to_itself"),
    ),
    (
        lambda p: p.code_types == ("uint8",),
        "no code is negative",
        (
            "zero_points.output_zero_point_is_read_as_unsigned",
            "saturation.clamps_negatives_to_zero",
            "saturation.clamps_symmetrically",
        ),
    ),
    (
        lambda p: p.code_types == ("uint8",) and not _pairs(p),
        "no code is negative",
        ("lanes.lowest_input_is_one_higher",),
    ),
    (
        _saturates_to_16_bits,
        "the engine keeps steps in int16 itself",
        ("saturation.scaled_value_wraps_to_16_bits_first",),
    ),
    (
        lambda p: p.accumulator == "exact",
        "no accumulator may leave int32",
        ("accumulators.accumulator_saturates_where_it_should_wrap",),
    ),
)


def unseen(profile: Profile) -> dict[str, str]:
    """Return the bugs that cannot be seen under a profile, each with why."""
    return {name: reason for applies_to, reason, names in UNSEEN if applies_to(profile) for name in names}
