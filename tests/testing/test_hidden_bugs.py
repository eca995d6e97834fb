"""Kernels that are on no list of the kit die of its standard tier, too."""

from __future__ import annotations

from functools import cache

import pytest

from npquant import profiles
from npquant.testing.backend import capabilities_of
from npquant.testing.case import expected
from npquant.testing.kills import killed_by, trial_cases
from tests.testing.hidden_bugs import NAMES, hidden_backend

# What a profile cannot show, and why.
UNSEEN = {
    "npquant": {"running_sum_saturates_from_the_bias_on": "no sum may leave int32, not even on its way"},
    "ort": {},
    "tflm": {
        "input_zero_point_is_an_int8": "codes are int8",
        "output_zero_point_is_an_int8": "codes are int8",
        "weight_zero_points_go_by_lane": "channels have no zero points of their own",
        "left_shift_wraps_in_32_bits": "so does TFLite-Micro",
        "vector_tail_rounds_ties_away": "its QUANTIZE rounds half away",
    },
}


@pytest.mark.parametrize("name", sorted(UNSEEN))
def test_every_hidden_bug_dies(name: str) -> None:
    """Of 79 kernels, only those survive that give the profile's codes."""
    profile = profiles.get(name)
    cases = list(trial_cases(profile, capabilities_of(profile), "standard", 0))
    due = cache(expected)
    survivors = {bug for bug in NAMES if killed_by(hidden_backend(bug, profile), profile, cases, due)[1] is None}
    assert len(NAMES) == len(set(NAMES)) == 79
    assert survivors == set(UNSEEN[name])
