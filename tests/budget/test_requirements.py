"""Laws of what a budget requires, row by row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.budget.requirements import Budget, Measurement, accuracy_holds, allowed_rows, expected_to_hold


@given(st.integers(0, 1000), st.integers(1, 100000))
def test_allowed_rows_takes_points_as_written(tenths: int, rows: int) -> None:
    """G1 in exact decimals: 0.1 points of 1000 rows is one row, not 0.99."""
    assert allowed_rows(tenths / 10, rows) == tenths * rows // 1000


def test_accuracy_holds_at_the_border() -> None:
    """G1. Exactly the allowed drop is accepted, one row more is not."""
    for b, holds in ((10, True), (11, False)):
        assert accuracy_holds(b, 0, 1000, 1.0) is holds


@pytest.mark.parametrize("bad", [-0.1, 100.5, float("nan"), float("inf")])
def test_budget_refuses_points_outside_their_interval(bad: float) -> None:
    """Points lie in [0, 100]."""
    with pytest.raises(ValueError, match="max_drop"):
        Budget(bad)


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("max_bytes", 0),
        ("max_macs", -1),
        ("max_bytes", float("nan")),
        ("max_macs", float("inf")),
        ("min_sqnr", 0.0),
        ("min_sqnr", float("nan")),
        ("min_sqnr", float("inf")),
    ],
)
def test_budget_refuses_limits_that_say_nothing(name: str, bad: float) -> None:
    """A limit below 1, a ratio that everything or nothing keeps, and no numbers are errors."""
    with pytest.raises(ValueError, match=name):
        Budget(1.0, **{name: bad})
    with pytest.raises(TypeError, match=name):
        Budget(1.0, **{name: "4"})
    with pytest.raises(TypeError, match="max_drop"):
        Budget("1")


def test_expected_to_hold_needs_rows_and_kl() -> None:
    """G3. At the border 50 KL = max_drop, or half a row, a candidate is sound; beyond, or with rows too many, not."""
    for max_drop, border in ((1.0, 0.02), (0.0, 0.001)):
        for b, kl, sound in ((0, border, True), (0, border * 1.001, False), (11, 0.0, False)):
            found = Measurement(b, 0, 1000, kl, 1, 1, 9.0)
            assert expected_to_hold(found, max_drop) is sound
