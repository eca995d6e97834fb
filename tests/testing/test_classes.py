"""The case classes: what stands apart in a lattice meets in the cases that are drawn."""

from __future__ import annotations

from itertools import combinations, islice
from typing import Any

import numpy as np
import pytest

from npquant.profiles import get, names
from npquant.testing.backend import capabilities_of, why_not_asked
from npquant.testing.case import Case, expected
from npquant.testing.classes import activation, channel, zero_point
from npquant.testing.trial import CLASSES, TIERS, class_cases

VARIED = (channel, activation, zero_point)


@pytest.mark.parametrize("name", names())
def test_varied_cases_have_an_answer(name: str) -> None:
    """Whatever meets in a drawn case, the engine takes it, and the profile has an answer."""
    profile = get(name)
    can = capabilities_of(profile)
    for module in VARIED:
        for case in islice(module.draw(profile, can, np.random.default_rng(5)), 25):
            assert why_not_asked(case, can) == ""
            assert expected(case).shape == (len(case.x_q), case.model.layers[0].w_q.shape[1])


def traits(case: Case) -> set[str]:
    """Return what a kernel may choose a path by."""
    layer: Any = case.model.layers[0]
    said = {
        "no bias": layer.bias is None,
        "channels": layer.w.per_channel,
        "activation": layer.activation != "none",
        "four rows": len(case.x_q) >= 4,
        "input layout": case.x_layout != "c",
        "weight layout": case.w_layout != "c",
        "input zero point": int(layer.x.zero_point) != 0,
        "K above 4": layer.w_q.shape[0] > 4,
    }
    return {says for says, true in said.items() if true}


@pytest.mark.parametrize("name", ["npquant", "ort", "tflite_ref"])
def test_every_two_traits_meet_in_a_layer(name: str) -> None:
    """Every pair of traits stands in some single layer of the standard tier; without varied ones channels never did
    without a bias."""
    profile, can = get(name), capabilities_of(get(name))
    cases = [case for module in CLASSES for case in class_cases(module, profile, can, TIERS["standard"], 0)]
    layers = [traits(c) for c in cases if c.op == "linear" and c.status == "valid" and len(c.model.layers) == 1]
    pairs = set(combinations(sorted(set.union(*layers)), 2))
    met = {pair for pair in pairs if any(set(pair) <= said for said in layers)}
    assert len(pairs) == 28 and met == pairs
