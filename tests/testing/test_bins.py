"""Declared bins: the standard tier hits every one for every profile, and a bin is hit by what it says alone."""

from itertools import zip_longest
from typing import Any

import numpy as np
import pytest

from npquant import QuantParams
from npquant.profiles import get, names
from npquant.testing.backend import capabilities_of
from npquant.testing.bins import bins_of, declared, missed
from npquant.testing.case import one_layer
from npquant.testing.classes import plain, tie
from npquant.testing.trial import CLASSES, TIERS, class_cases


def tier(name: Any, classes: Any = CLASSES) -> Any:
    """The cases of the standard tier, one of each class in turn: what is missed does not depend on their order."""
    profile = get(name)
    can = capabilities_of(profile)
    turns = zip_longest(*(class_cases(module, profile, can, TIERS["standard"], 0) for module in classes))
    return (case for turn in turns for case in turn if case is not None)


@pytest.mark.parametrize("name", names())
def test_standard_tier_hits_every_declared_bin(name: Any) -> None:
    """100 % of those declared, for every profile."""
    assert missed(get(name), tier(name)) == set()


def test_missed_kills_a_tier_without_a_class() -> None:
    """Random operands and ties alone miss rails, layouts, state and shapes."""
    left = missed(get("ort"), tier("ort", [plain, tie]))
    assert {"earlier runs", "x fortran", "rail high, beyond int16", "K = 0", "must be refused"} <= left
    assert missed(get("ort"), []) == set(declared(get("ort")))


def acc_case(acc: Any, zy: Any = 0, sy: Any = 1.0, k: Any = 1) -> Any:
    """One output whose accumulator is given, at M = 1/2."""
    x, w, y = QuantParams(0.5, 0, -128, 127), QuantParams(1.0, 0, -128, 127), QuantParams(sy, zy, -128, 127)
    return one_layer(np.ones((1, k), np.int8), np.zeros((k, 1), np.int8), np.array([acc], np.int32), x, w, y, "ort")


@pytest.mark.parametrize(
    ("case", "hit", "not_hit"),
    [
        (acc_case(1), "tie + even, zy even", "tie + odd, zy even"),
        (acc_case(3, zy=1), "tie + odd, zy odd", "tie + even, zy odd"),
        (acc_case(-1), "tie - odd, zy even", "tie + even, zy even"),
        (acc_case(2), "K = 1", "tie + even, zy even"),
        (acc_case(254), "rail high +0", "rail high +1"),
        (acc_case(256), "rail high +1", "rail high +0"),
        (acc_case(-258), "rail low +1", "rail low +0"),
        (acc_case(2**20), "rail high, beyond int16", "rail low, beyond int16"),
        (acc_case(2**24 + 1), "acc > 2^24", "acc > 2^30"),
        (acc_case(0, k=19), "K mod 16: more", "K mod 16: 15"),
        (acc_case(0, k=20), "K mod 4: 0", "K mod 4: 1"),
    ],
)
def test_bins_of_a_case_are_those_it_hits(case: Any, hit: Any, not_hit: Any) -> None:
    """Ties with sign, parity and zero point; rails and one beside; accumulators; tails."""
    found = bins_of(case)
    assert hit in found and not_hit not in found
