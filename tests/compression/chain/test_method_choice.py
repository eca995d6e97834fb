"""Laws of the one decision between methods: E30, E31."""

from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.compression.chain.integer_chain import Quantized
from npquant.compression.chain.method_choice import MethodChoice, decide_method, divergence_by_row
from npquant.nn.losses import kl_divergence

NAMES = ("rectified", "gptq_resolved", "gptq", "nearest")
# Few values, so that equal means come often; sixteenths, so that no sum is rounded.
ERRORS = st.lists(st.lists(st.integers(0, 16), min_size=4, max_size=4), min_size=1, max_size=12)


def errors_of(drawn: list[list[int]]) -> dict[str, np.ndarray]:
    return {name: np.array(each) / 16 for name, each in zip(NAMES, zip(*drawn, strict=True), strict=True)}


@given(ERRORS)
def test_decide_method_takes_what_is_proven(drawn: list[list[int]]) -> None:
    """E31: the best is taken where its advantage exceeds two standard errors, and else the first, whatever else is."""
    errors = errors_of(drawn)
    choice, rows = decide_method(errors), len(drawn)
    totals = {name: sum(row[i] for row in drawn) for i, name in enumerate(NAMES)}
    assert totals[choice.best] == min(totals.values())
    gained = [row[0] - row[NAMES.index(choice.best)] for row in drawn]
    # mean^2 > 4 var / rows in integers: (sum d)^2 (rows - 1) > 4 (rows sum d^2 - (sum d)^2).
    total, squares = sum(gained), sum(d * d for d in gained)
    proven = rows > 1 and total > 0 and total * total * (rows - 1) > 4 * (rows * squares - total * total)
    assert choice.taken == (choice.best if proven else NAMES[0])
    assert choice.rows == rows
    assert dict(choice.errors) == {name: pytest.approx(each / rows / 16) for name, each in totals.items()}
    assert choice.tied == (choice.taken != choice.best)
    assert ("standard error" in choice.reason) == choice.tied


@given(ERRORS, st.randoms(use_true_random=False), st.integers(-8, 8))
def test_decide_method_knows_no_order_and_no_unit(drawn: list[list[int]], order: Any, power: int) -> None:
    """Rows in another order, or errors in another unit, give the same choice."""
    before = decide_method(errors_of(drawn))
    order.shuffle(drawn)
    after = decide_method({name: each * 2.0**power for name, each in errors_of(drawn).items()})
    assert (before.taken, before.best) == (after.taken, after.best)


def test_decide_method_keeps_the_first_on_ties() -> None:
    """Equal errors, or one row however good, prove nothing."""
    equal = {name: np.full(9, 0.5) for name in NAMES}
    assert decide_method(equal).taken == decide_method(equal).best == "rectified"
    one = {"rectified": np.array([9.0]), "nearest": np.array([0.0])}
    assert (decide_method(one).taken, decide_method(one).best) == ("rectified", "nearest")


def test_divergence_by_row_averages_to_the_divergence() -> None:
    """E30: of classes M2; of real outputs the square of the difference, each output in units of its spread."""
    rng = np.random.default_rng(0)
    logits, found = rng.normal(0, 2, (2, 7, 3))
    assert divergence_by_row(logits, found, "softmax").mean() == pytest.approx(kl_divergence(logits, found))
    by_hand = [np.mean([(f - t) ** 2 / v for f, t, v in zip(*rows, logits.var(axis=0), strict=True)])
               for rows in zip(found, logits, strict=True)]  # fmt: skip
    np.testing.assert_allclose(divergence_by_row(logits, found, "identity"), by_hand)
    unit = np.array([1.0, 1000.0, 0.001])
    np.testing.assert_allclose(divergence_by_row(logits * unit, found * unit, "identity"), by_hand)


def test_a_chosen_network_unpacks_as_any_other() -> None:
    """What was chosen stands beside the pair in a frozen record, and a method that was given is no choice."""
    choice = MethodChoice("gptq", "gptq", 9, (("rectified", 0.2), ("gptq", 0.1)))
    plain = Quantized(None, ())
    network, report = made = replace(plain, choice=choice)
    assert (network, report) == tuple(plain) == tuple(made)
    assert made.choice is choice and plain.choice is None
    with pytest.raises(FrozenInstanceError):
        made.choice = None  # type: ignore[misc]
    assert choice.to_json()["errors"] == {"rectified": 0.2, "gptq": 0.1}
    assert MethodChoice("rectified", "rectified", 0, ()).reason == "rows are too few to hold any out"
