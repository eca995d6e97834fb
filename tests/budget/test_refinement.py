"""Laws of what comes after a search: better builds of its best candidates."""

from npquant.budget.greedy_search import search_thresholds
from npquant.budget.refinement import confirm, take_method
from npquant.budget.requirements import Budget, Measurement
from npquant.budget.space import Space
from npquant.budget.trials import Measure
from tests.budget.test_greedy_search import ROWS, SPACE, met, network


def confirmed(kl: float, n_bytes: int = 90, b: int = 0) -> Measure:
    return lambda thresholds: Measurement(b, 0, ROWS, kl, n_bytes, 9, 20.0)


def test_confirm_keeps_what_meets_more() -> None:
    """A careful build replaces the quick one unless it misses something that the quick one met; both are reported."""
    quick = search_thresholds(SPACE, Budget(1.0), network())
    better, worse = (confirm(quick, Budget(1.0), confirmed(kl, b=b)) for kl, b in ((0.0, 0), (1.0, 500)))
    assert (better.chosen.phase, met(better)) == ("confirmed", True)
    assert (worse.chosen, met(worse)) == (quick.chosen, met(quick))
    for result in (better, worse):
        assert result.frontier[: len(quick.frontier)] == quick.frontier
    assert {trial.failing for trial in worse.frontier[len(quick.frontier) :]} == {("max_drop",)}


def test_confirm_takes_a_smaller_one_that_is_sound_now() -> None:
    """What the quick build found not quite sound is built with care first, if it is smaller."""
    kl = {8: 0.001, 4: 0.01, 3: 0.025}

    def built(share: float) -> Measure:
        return lambda t: Measurement(0, 0, ROWS, share * kl[int(t.bits[0])], int(t.bits[0]), 1, 20.0)

    quick = search_thresholds(Space(((8, 4, 3),), (), ()), Budget(1.0), built(1.0))
    widths = [confirm(quick, Budget(1.0), built(share)).chosen.thresholds.bits for share in (0.7, 0.9)]
    assert (quick.chosen.thresholds.bits, widths) == ((4,), [(3,), (4,)])


def test_confirm_can_turn_a_miss_into_a_hit() -> None:
    """A careful build that meets everything makes the budget met."""
    quick = search_thresholds(SPACE, Budget(0.0), confirmed(0.1, b=1))
    assert not met(quick)
    found = confirm(quick, Budget(0.0), confirmed(0.1))
    assert (met(found), found.nearest) == (True, None)


def test_take_method_costs_nothing() -> None:
    """Another method is taken where it misses nothing more, is as sound and no larger; the trial is always reported."""
    found = search_thresholds(SPACE, Budget(1.0), network())
    size, kl = found.chosen.found.n_bytes, found.chosen.found.divergence
    for measure, taken in (
        (confirmed(kl, size), True),
        (confirmed(kl, size - 1), True),
        (confirmed(kl, size + 1), False),
        (confirmed(kl, size, b=500), False),
        (confirmed(10.0, size), False),
    ):
        after = take_method(found, Budget(1.0), measure)
        assert (after.chosen.phase == "method") == taken
        assert after.chosen == (after.frontier[-1] if taken else found.chosen)
        assert after.frontier[:-1] == found.frontier and after.frontier[-1].phase == "method"
