"""Laws of the budget search, on synthetic networks whose accuracy, KL and size are formulas."""

from collections.abc import Callable
from itertools import product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.compression.budget import SearchResult, Space, Thresholds, Trial, confirm, search_thresholds
from npquant.compression.requirements import (
    Measurement,
    Requirements,
    accuracy_holds,
    allowed_rows,
    expected_to_hold,
    shows_larger_drop,
)

Measure = Callable[[Thresholds], Measurement]
Search = Callable[[Space, Requirements, Measure], SearchResult]

ROWS = 1000
SPACE = Space(bits=((8, 6, 4, 3, 2),) * 3, rates=((0.0, 0.25, 0.5, 0.75),) * 2)
WEIGHTS = (600, 300, 100)


def network(fragile: int = 0) -> Measure:
    """Make a network of three layers, one of which suffers most from few bits."""

    def measure(thresholds: Thresholds) -> Measurement:
        pain = sum((9 if layer == fragile else 1) * 4.0**-bits for layer, bits in enumerate(thresholds.bits))
        pain += sum(0.01 * rate**3 for rate in thresholds.rates)
        keep = [1.0, *(1 - rate for rate in thresholds.rates), 1.0]
        kept = [n * keep[layer] * keep[layer + 1] for layer, n in enumerate(WEIGHTS)]
        n_bytes = 50 + sum(int(n * bits / 8) for n, bits in zip(kept, thresholds.bits, strict=True))
        return Measurement(int(300 * pain), 0, ROWS, pain, n_bytes, int(sum(kept)))

    return measure


def all_measurements(measure: Measure, space: Space) -> list[tuple[Thresholds, Measurement]]:
    states = product(*(range(levels) for levels in space.levels))
    return [(space.at(state), measure(space.at(state))) for state in states]


def law_meets_what_it_says(search: Search, requirements: Requirements) -> None:
    """A met budget is met by the chosen candidate, measured anew; a missed one names what is missed."""
    measure = network()
    result = search(SPACE, requirements, measure)
    found = measure(result.chosen.thresholds)
    assert found == result.chosen.found
    assert result.met == (not requirements.failing(found))
    assert result.chosen.failing == requirements.failing(found)
    assert (result.nearest is None) == result.met


def law_respects_limits_that_can_be_met(search: Search, requirements: Requirements) -> None:
    """Limits that a candidate with room to spare meets are met."""
    half = Requirements(requirements.max_drop / 4, requirements.max_bytes, requirements.max_macs)
    assert any(not half.failing(found) for _, found in all_measurements(network(), SPACE)), "the case is vacuous"
    assert search(SPACE, requirements, network()).met


def law_tightens_without_limits(search: Search) -> None:
    """Without limits the chosen candidate is near the smallest of those that are expected to hold."""
    accepted = [found.n_bytes for _, found in all_measurements(network(), SPACE) if expected_to_hold(found, 1.0)]
    assert search(SPACE, Requirements(1.0), network()).chosen.found.n_bytes <= 1.25 * min(accepted)


def law_distrusts_luck(search: Search) -> None:
    """Candidates that lose no row but whose probabilities are far off are not chosen where nothing asks for them."""

    def lucky(thresholds: Thresholds) -> Measurement:
        honest = network()(thresholds)
        return Measurement(0, 0, 100, honest.kl, honest.n_bytes, honest.macs)

    assert search(SPACE, Requirements(1.0), lucky).chosen.found.kl <= 0.02
    assert search(SPACE, Requirements(1.0, 120), lucky).met


def law_spares_the_fragile_layer(search: Search) -> None:
    """The layer that suffers most keeps the most bits."""
    for fragile in (0, 1):
        bits = search(Space(SPACE.bits, ((0.0,), (0.0,))), Requirements(0.5), network(fragile)).chosen.thresholds.bits
        assert bits[fragile] == max(bits)
        assert min(bits) < bits[fragile]


def law_frontier_is_complete(search: Search) -> None:
    """Every call of `measure` stands in the frontier, once, in the order of the calls."""
    calls: list[Thresholds] = []

    def spy(thresholds: Thresholds) -> Measurement:
        calls.append(thresholds)
        return network()(thresholds)

    result = search(SPACE, Requirements(1.0, 400), spy)
    assert [trial.thresholds for trial in result.frontier] == calls
    assert len(set(calls)) == len(calls)
    assert result.chosen in result.frontier


LIMITS = (Requirements(1.0), Requirements(1.0, 350), Requirements(1.0, None, 500), Requirements(2.0, 400, 700))
IMPOSSIBLE = (Requirements(1.0, 60), Requirements(0.0, 150), Requirements(1.0, None, 50))


@pytest.mark.parametrize("requirements", LIMITS + IMPOSSIBLE)
def test_search_thresholds_meets_what_it_says(requirements: Requirements) -> None:
    """`met` is the truth about the chosen candidate."""
    law_meets_what_it_says(search_thresholds, requirements)


@pytest.mark.parametrize("requirements", LIMITS)
def test_search_thresholds_respects_limits(requirements: Requirements) -> None:
    """Limits that a candidate with room to spare meets are met."""
    law_respects_limits_that_can_be_met(search_thresholds, requirements)


def test_search_thresholds_tightens_without_limits() -> None:
    """Near the smallest of all 2,000 candidates, in fewer than 60 measurements."""
    law_tightens_without_limits(search_thresholds)
    assert len(search_thresholds(SPACE, Requirements(1.0), network()).frontier) < 60


def test_search_thresholds_distrusts_luck() -> None:
    """No row lost is not enough; but a limit that needs such a candidate gets it."""
    law_distrusts_luck(search_thresholds)


def test_search_thresholds_spares_the_fragile_layer() -> None:
    """Bits go where they are needed."""
    law_spares_the_fragile_layer(search_thresholds)


def test_search_thresholds_frontier_is_complete() -> None:
    """Nothing is tried in silence."""
    law_frontier_is_complete(search_thresholds)


def test_search_thresholds_with_limits_keeps_accuracy_to_spare() -> None:
    """With a limit the walk stops at the first candidate that meets it: the same limit, tighter, costs more KL."""
    loose = search_thresholds(SPACE, Requirements(2.0, 900), network()).chosen.found
    tight = search_thresholds(SPACE, Requirements(2.0, 400), network()).chosen.found
    assert loose.kl < tight.kl
    assert tight.n_bytes <= 400 < loose.n_bytes <= 900


@pytest.mark.parametrize("requirements", IMPOSSIBLE)
def test_search_thresholds_missed_names_the_nearest(requirements: Requirements) -> None:
    """A missed limit keeps the accuracy of what is deployed, and says what comes nearest to the limit."""
    result = search_thresholds(SPACE, requirements, network())
    assert not result.met
    assert result.nearest is not None
    assert "max_drop" not in result.chosen.failing
    over = result.chosen.found.n_bytes, result.chosen.found.macs
    near = result.nearest.found.n_bytes, result.nearest.found.macs
    assert near[0] <= over[0]
    assert near[1] <= over[1]


def test_search_thresholds_missed_accuracy_stops_at_the_loosest() -> None:
    """Where even the loosest candidate loses too much, it is deployed, and the accuracy is what fails."""
    result = search_thresholds(SPACE, Requirements(0.0), lambda t: Measurement(9, 0, ROWS, 1.0, 10, 10))
    assert (result.met, result.chosen.failing, len(result.frontier)) == (False, ("max_drop",), 1)


def test_search_thresholds_ties_to_the_smaller_axis() -> None:
    """Equal layers: the first is tightened first."""

    def equal(t: Thresholds) -> Measurement:
        return Measurement(0, 0, ROWS, sum(1 / b for b in t.bits), sum(t.bits), 1)

    result = search_thresholds(Space(((8, 4),) * 3, ()), Requirements(1.0, 16), equal)
    assert result.chosen.thresholds.bits == (4, 4, 8)


def _search_with(requirements_seen: Callable[[Requirements], Requirements]) -> Search:
    """Make a search that looks at other requirements than it is given, and reports as if it had not."""

    def wrong(space: Space, requirements: Requirements, measure: Measure) -> SearchResult:
        found = search_thresholds(space, requirements_seen(requirements), measure)
        return SearchResult(found.chosen, True, None, found.frontier)

    return wrong


def _cheats_on_calls(space: Space, requirements: Requirements, measure: Measure) -> SearchResult:
    """Measure each candidate of the sensitivity once more, without a word."""
    measure(space.at((1,) + (0,) * (len(space.levels) - 1)))
    return search_thresholds(space, requirements, measure)


def _tightens_while_accuracy_holds(space: Space, requirements: Requirements, measure: Measure) -> SearchResult:
    """Look at accuracy alone, by asking for the smallest file that keeps it."""
    unlimited = Requirements(requirements.max_drop, 1)
    found = search_thresholds(space, unlimited, measure)
    return SearchResult(found.chosen, True, None, found.frontier)


def _uniform_widths(space: Space, requirements: Requirements, measure: Measure) -> SearchResult:
    """One width for all layers: no sensitivity."""
    trials = []
    for level in range(len(space.bits[0])):
        thresholds = space.at((level,) * len(space.bits) + (0,) * len(space.rates))
        found = measure(thresholds)
        trials.append(Trial(thresholds, found, requirements.failing(found), "walk"))
    good = [trial for trial in trials if not trial.failing]
    return SearchResult(good[-1], True, None, tuple(trials))


def test_search_laws_kill_wrong_searches() -> None:
    """Ignoring a limit, ignoring accuracy, hiding a candidate, and giving every layer one width are all caught."""
    ignores_bytes = _search_with(lambda r: Requirements(r.max_drop, None, r.max_macs))
    ignores_macs = _search_with(lambda r: Requirements(r.max_drop, r.max_bytes, None))
    ignores_accuracy = _search_with(lambda r: Requirements(100.0, r.max_bytes, r.max_macs))
    with pytest.raises(AssertionError):
        law_meets_what_it_says(ignores_bytes, Requirements(1.0, 60))
    with pytest.raises(AssertionError):
        law_meets_what_it_says(ignores_macs, Requirements(1.0, None, 50))
    with pytest.raises(AssertionError):
        law_meets_what_it_says(ignores_accuracy, Requirements(1.0))
    with pytest.raises(AssertionError):
        law_distrusts_luck(_tightens_while_accuracy_holds)
    with pytest.raises(AssertionError):
        law_frontier_is_complete(_cheats_on_calls)
    with pytest.raises(AssertionError):
        law_spares_the_fragile_layer(_uniform_widths)
    with pytest.raises(AssertionError):
        law_tightens_without_limits(lambda s, r, m: search_thresholds(Space(s.bits, ((0.0,), (0.0,))), r, m))


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 20))
def test_shows_larger_drop_is_the_exact_tail(b: int, c: int, allowed: int) -> None:
    """G2 equals the binomial tail summed from its own end, and needs more rows lost than allowed."""
    excess = max(b - allowed, 0)
    n = excess + c
    tail = sum(comb(n, i) for i in range(excess, n + 1))
    assert shows_larger_drop(b, c, allowed) == (20 * tail < 2**n)
    if shows_larger_drop(b, c, allowed):
        assert b - c > allowed


@given(st.integers(0, 1000), st.integers(1, 100000))
def test_allowed_rows_takes_points_as_written(tenths: int, rows: int) -> None:
    """G1 in exact decimals: 0.1 points of 1000 rows is one row, not 0.99."""
    assert allowed_rows(tenths / 10, rows) == tenths * rows // 1000


def test_accuracy_holds_at_the_border() -> None:
    """Exactly the allowed drop is accepted, one row more is not."""
    for b, holds in ((10, True), (11, False)):
        assert accuracy_holds(Measurement(b, 0, ROWS, 0.0, 1, 1), 1.0) is holds


@pytest.mark.parametrize("bad", [-0.1, 100.5, float("nan")])
def test_requirements_refuses(bad: float) -> None:
    """Points outside [0, 100] and limits below 1 are errors."""
    with pytest.raises(ValueError, match="max_drop"):
        Requirements(bad)
    with pytest.raises(ValueError, match="max_bytes"):
        Requirements(1.0, 0)


def test_confirm_keeps_what_meets_more() -> None:
    """A careful build replaces the quick one unless it misses something that the quick one met; both are reported."""
    requirements = Requirements(1.0)
    quick = search_thresholds(SPACE, requirements, network())
    better = confirm(quick, requirements, lambda t: Measurement(0, 0, ROWS, 0.0, 90, 9))
    worse = confirm(quick, requirements, lambda t: Measurement(500, 0, ROWS, 1.0, 90, 9))
    assert (better.chosen.phase, better.met) == ("confirmed", True)
    assert (worse.chosen, worse.met) == (quick.chosen, quick.met)
    assert better.frontier[:-1] == worse.frontier[:-1] == quick.frontier
    assert worse.frontier[-1].failing == ("max_drop",)


def test_confirm_can_turn_a_miss_into_a_hit() -> None:
    """A careful build that meets everything makes the budget met."""
    requirements = Requirements(0.0)
    quick = search_thresholds(SPACE, requirements, lambda t: Measurement(1, 0, ROWS, 0.1, 90, 9))
    assert not quick.met
    found = confirm(quick, requirements, lambda t: Measurement(0, 0, ROWS, 0.1, 90, 9))
    assert (found.met, found.nearest) == (True, None)
