"""The harness itself: its operands sit where they claim, and its failures say what they must."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import cast

import numpy as np
import pytest

from tests.peers import adversarial, layers
from tests.peers.comparison import differing, require_equal


def _engine(installed: str, studied: str) -> ModuleType:
    """Make a stand-in for an engine's module."""
    stand_in = SimpleNamespace(PACKAGE="engine", STUDIED_VERSION=studied, installed_version=lambda: installed)
    return cast(ModuleType, stand_in)


def test_require_equal_names_version_and_first_difference() -> None:
    """A failure names the engine's version, the count, the first place and both answers."""
    with pytest.raises(AssertionError, match=r"engine 1\.0: 1 of 3 .*\(1,\): engine 5, profile 6"):
        require_equal(_engine("1.0", "1.0"), np.array([1, 5, 2]), np.array([1, 6, 2]), case="case")


def test_require_equal_says_where_the_version_differs() -> None:
    """A version other than the studied one is part of the failure's text."""
    with pytest.raises(AssertionError, match=r"engine 2\.0, while .* read from 1\.0"):
        require_equal(_engine("2.0", "1.0"), np.array([1]), np.array([2]), case="case")


def test_require_equal_kills_another_type_or_shape() -> None:
    """Equal numbers of another type or shape are a failure."""
    engine = _engine("1.0", "1.0")
    for want in (np.array([1], np.int16), np.array([[1]], np.int8)):
        with pytest.raises(AssertionError):
            require_equal(engine, np.array([1], np.int8), want, case="case")


def test_differing_tells_signs_of_zero_apart() -> None:
    """Floats are compared by their bits: -0.0 is not 0.0, and NaN is NaN."""
    a = np.array([0.0, np.nan, 1.0], np.float32)
    b = np.array([-0.0, np.nan, 1.0], np.float32)
    assert differing(a, b).tolist() == [True, False, False]


def test_accumulators_sit_on_ties_and_beside_them() -> None:
    """With a dyadic multiplier a fifth of the accumulators are exact ties, and both edges occur."""
    m = np.full(20_000, 2.0**-8)
    acc = adversarial.accumulators(np.random.default_rng(0), m)
    scaled = acc * m
    near = np.abs(scaled) <= 301
    assert ((scaled % 1 == 0.5) & near).mean() > 0.15
    assert {-(2**31), 2**31 - 1, 2**24, -(2**24)} <= set(acc.tolist())


def test_scale_triples_span_the_multipliers() -> None:
    """M runs from below 1e-6 to above 1 and stays below what every engine accepts."""
    s = adversarial.scale_triples(np.random.default_rng(0), 20_000).astype(np.float64)
    m = s[:, 0] * s[:, 1] / s[:, 2]
    assert m.min() < 1e-6 and m.max() > 1 and m.max() < 256
    assert (s >= np.finfo(np.float32).tiny).all()


@pytest.mark.parametrize("codes", ["int8", "uint8"])
def test_zero_points_visit_every_code(codes: str) -> None:
    """256 steps visit all 256 zero points."""
    assert len(set(adversarial.zero_points(codes, 256).tolist())) == 256


def test_product_for_makes_the_accumulator() -> None:
    """x @ w is the accumulator asked for, within codes of at most 127."""
    acc = np.random.default_rng(0).integers(-(127**2) * 64, 127**2 * 64, 5_000)
    x, w = adversarial.product_for(acc, 65)
    np.testing.assert_array_equal((x @ w)[0], acc)
    assert np.abs(x).max() <= 127 and np.abs(w).max() <= 127
    with pytest.raises(ValueError, match="need more than K=2"):
        adversarial.product_for(np.array([127**2 + 1]), 2)


def test_layers_are_the_same_for_the_same_seed() -> None:
    """A seed names its operands."""
    first, again = (
        [layer.bias for layer in layers.injected(5, 3, 64, codes="int8", weights="int8", per_channel=True)]
        for _ in range(2)
    )
    np.testing.assert_array_equal(np.array(first), np.array(again))
