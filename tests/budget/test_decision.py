"""The one decision: its two rules by enumeration, and that every place that says "met" says what it decided."""

from collections.abc import Callable
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.budget.decision import REQUIREMENTS, decide, paired_drop, shows_larger_drop
from npquant.budget.requirements import Budget, Measurement, accuracy_holds
from npquant.measure.evaluate import Comparison
from npquant.measure.statistics import McNemar, exact_p, paired_interval

Rule = Callable[[int, int, int, int], bool]


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 20))
def test_shows_larger_drop_is_the_exact_tail(b: int, c: int, allowed: int) -> None:
    """G2 equals the binomial tail summed from its own end, and needs more rows lost than allowed."""
    excess = max(b - allowed, 0)
    n = excess + c
    tail = sum(comb(n, i) for i in range(excess, n + 1))
    assert shows_larger_drop(b, c, allowed) == (20 * tail < 2**n)
    if shows_larger_drop(b, c, allowed):
        assert b - c > allowed


def law_the_paired_test_adds_nothing_to_the_allowance(shown: Callable[[int, int, int], bool]) -> None:
    """G1 and G2: of all b, c and allowances of up to 24 rows, none keeps the allowance and shows a larger drop."""
    kept = 0
    for rows in range(1, 25):
        for allowed in range(rows + 1):
            for b in range(rows + 1):
                for c in range(rows + 1 - b):
                    if b - c <= allowed:
                        kept += 1
                        assert not shown(b, c, allowed), (b, c, allowed, rows)
    assert kept > 10_000


def test_the_paired_test_adds_nothing_to_the_allowance() -> None:
    """The law above: on rows that must keep G1, a second condition by G2 would decide nothing."""
    law_the_paired_test_adds_nothing_to_the_allowance(shows_larger_drop)


def test_the_paired_test_law_kills_a_test_without_its_allowance() -> None:
    """A test against no drop at all would refuse what the budget allows."""
    with pytest.raises(AssertionError):
        law_the_paired_test_adds_nothing_to_the_allowance(lambda b, c, allowed: shows_larger_drop(b, c, 0))


def refuted_by_luck(rule: Callable[[int, int, int], bool], allowed: int, rows: int, disagreeing: float) -> float:
    """Return how often a network that loses exactly `allowed` of R rows in the mean is refuted on R new rows."""
    won = (disagreeing - allowed / rows) / 2
    lost = won + allowed / rows
    chance = 0.0
    for b in range(rows + 1):
        for c in range(rows + 1 - b):
            if rule(b, c, allowed):
                chance += comb(rows, b) * comb(rows - b, c) * lost**b * won**c * (1 - lost - won) ** (rows - b - c)
    return chance


@pytest.mark.parametrize(("allowed", "rows", "disagreeing"), [(1, 60, 0.05), (2, 60, 0.1), (3, 90, 0.1)])
def test_test_rows_refute_by_evidence_alone(allowed: int, rows: int, disagreeing: float) -> None:
    """G2 refutes a network that keeps the limit on one new set of ten at most; G1 would on a third and more."""
    assert refuted_by_luck(shows_larger_drop, allowed, rows, disagreeing) <= 0.1
    assert refuted_by_luck(lambda b, c, most: b - c > most, allowed, rows, disagreeing) >= 0.3


def on_test(b: int, c: int, rows: int = 269) -> Comparison:
    return Comparison(rows, rows - b - c, 0.01, McNemar(b, c, exact_p(b, c)))


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 60), st.integers(0, 60), st.floats(0, 10))
def test_decide_is_the_two_rules(b: int, c: int, lost: int, won: int, max_drop: float) -> None:
    """Missed is what G1 misses on validation rows, or G2 shows on test rows, nothing else; the evidence is theirs."""
    found = Measurement(b, c, 270, 0.01, 900, 64, 20.0)
    alone, both = decide(Budget(max_drop), found), decide(Budget(max_drop), found, on_test(lost, won))
    wanted = () if accuracy_holds(b, c, 270, max_drop) else ("max_drop",)
    assert (alone.failing, alone.test, alone.met) == (wanted, None, not wanted)
    assert both.test is not None
    refuted = shows_larger_drop(lost, won, both.test.allowed_rows)
    assert both.failing == (*wanted, *(("test_drop",) if refuted else ()))
    for drop, (one, two, rows) in ((both.validation, (b, c, 270)), (both.test, (lost, won, 269))):
        assert (drop.b, drop.c, drop.rows, drop.p) == (one, two, rows, exact_p(one, two))
        np.testing.assert_array_equal((drop.low, drop.high), 100 * np.array(paired_interval(one, two, rows)))
        assert drop.within == (one - two <= drop.allowed_rows)


def test_decide_names_every_limit() -> None:
    """Each requirement has its name, in the order accuracy, bytes, MACs, SQNR, test rows, and its words."""
    found = Measurement(9, 0, 270, 0.01, 901, 65, 19.9)
    decision = decide(Budget(1.0, 900, 64, 20.0), found, on_test(30, 0))
    of_classes = [name for name in REQUIREMENTS if name not in ("max_rmse_rise", "test_rise")]
    assert decision.failing == tuple(of_classes)
    assert all(REQUIREMENTS[name] in decision.missed for name in of_classes)


@pytest.mark.parametrize(
    ("counts", "lies", "words"),
    [
        ((2, 1, 269), "inside", "within the 1 asked (2 rows); 95 % interval -1.08 to 1.81: the limit of 1 lies inside"),
        (
            (0, 0, 2000),
            "above",
            "within the 1 asked (20 rows); 95 % interval -0.10 to 0.10: all of it within the limit",
        ),
        (
            (60, 1, 2000),
            "below",
            "and the paired test shows a larger drop; 95 % interval 2.19 to 3.71: all of it beyond",
        ),
        (
            (5, 1, 269),
            "inside",
            "but the paired test does not show a larger drop; 95 % interval -0.43 to 3.38: the limit",
        ),
        ((0, 5, 269), "above", "1.86 points gained (0 lost, 5 won of 269; p 0.0625), within the 1 asked"),
    ],
)
def test_paired_drop_says_what_these_rows_can_tell(counts: tuple[int, int, int], lies: str, words: str) -> None:
    """A limit inside the interval T2 is said to be undecided by these rows, whatever is decided."""
    drop = paired_drop(*counts, 1.0)
    assert drop.limit_lies == lies
    assert words in drop.reason
    assert ("cannot tell" in drop.reason) == (lies == "inside")


@given(st.integers(0, 60), st.integers(0, 60), st.integers(120, 3000), st.sampled_from([0.0, 0.5, 1.0, 5.0]))
def test_paired_drop_never_says_both(b: int, c: int, rows: int, max_drop: float) -> None:
    """Rows that are said to show a larger drop are never said to tell nothing, nor to lie within the limit."""
    drop = paired_drop(b, c, rows, max_drop)
    if drop.larger_drop_shown:
        assert not drop.within
        assert drop.limit_lies != "above"
        assert "cannot tell" not in drop.reason
