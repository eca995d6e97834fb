"""Laws of a limit on the time of a search: it holds, and what is found by then is the best of it, and says so."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from npquant.budget.greedy_search import Outcome, search_thresholds
from npquant.budget.refinement import confirm, lower_activation_bits
from npquant.budget.requirements import Budget, Measurement
from npquant.budget.search import SearchResult, search_budget
from npquant.budget.space import Space, Thresholds
from npquant.budget.time_limit import OutOfTime, Stopwatch, expected_candidates
from npquant.budget.trials import Measure
from npquant.files.storage import encode_model
from tests.budget.test_greedy_search import SPACE, network
from tests.budget.test_search import cases


class Ticking:
    """A clock that a candidate moves on by `cost` seconds, whatever it costs this machine."""

    def __init__(self, cost: float) -> None:
        self.now, self.cost, self.longest = 0.0, cost, 0.0

    def __call__(self) -> float:
        return self.now

    def measure(self, inner: Measure) -> Measure:
        def measured(made: Thresholds) -> Measurement:
            # 8 bits and nothing pruned is the dearest, as in a network; others cost a half to the whole of it.
            cost = self.cost * (0.5 + 0.5 * float(np.mean([int(b) for b in made.bits])) / 8)
            self.now, self.longest = self.now + cost, max(self.longest, cost)
            return inner(made)  # type: ignore[return-value]

        return measured


Timed = Callable[[float | None, Ticking], Callable[[Measure], Measure]]


def with_stopwatch(limit: float | None, clock: Ticking) -> Callable[[Measure], Measure]:
    return Stopwatch(limit, clock).timed


def law_ends_in_time(timed: Timed, limit: float, budget: Budget) -> None:
    """With the network that is built once more, a search ends at most one candidate after its limit."""
    clock = Ticking(1.0)
    outcome = search_thresholds(SPACE, budget, timed(limit, clock)(clock.measure(network())))
    assert outcome.stopped, "the case is vacuous"
    built_once_more = clock.longest
    assert clock.now + built_once_more <= limit + clock.longest
    assert clock.now > limit - 2 * clock.longest, "time is left"


@pytest.mark.parametrize("limit", [2.5, 7.0, 19.3])
@pytest.mark.parametrize("budget", [Budget(1.0), Budget(1.0, max_bytes=120), Budget(0.0, min_sqnr=90.0)])
def test_time_limit_ends_in_time(limit: float, budget: Budget) -> None:
    """The law above, without limits on bytes, with one, and where nothing meets the budget."""
    law_ends_in_time(with_stopwatch, limit, budget)


def test_time_limit_law_kills_a_limit_that_looks_at_the_clock_afterwards() -> None:
    """A candidate that is begun however little time is left makes a search too long."""

    def late(limit: float | None, clock: Ticking) -> Callable[[Measure], Measure]:
        def timed(measure: Measure) -> Measure:
            def within(made: Thresholds) -> Measurement:
                if limit is not None and clock() >= limit:
                    raise OutOfTime
                return measure(made)  # type: ignore[return-value]

            return within

        return timed

    with pytest.raises(AssertionError):
        law_ends_in_time(late, 7.0, Budget(1.0))


@pytest.mark.parametrize("limit", [0.1, 3.0, 12.0, 20.0])
def test_time_limit_takes_the_best_found_so_far(limit: float) -> None:
    """What a stopped search chooses is the best of a whole search's first candidates, and the first where none is."""
    clock, budget = Ticking(1.0), Budget(1.0)
    outcome = search_thresholds(SPACE, budget, Stopwatch(limit, clock).timed(clock.measure(network())))
    whole = search_thresholds(SPACE, budget, network())
    tried = len(outcome.frontier)
    assert outcome.frontier == whole.frontier[:tried]
    assert tried < len(whole.frontier)
    sound = [trial for trial in outcome.frontier if trial.sound and not trial.failing]
    best = min(sound, key=lambda trial: (trial.found.n_bytes, trial.found.kl), default=outcome.frontier[0])
    assert outcome.chosen == best


def test_time_limit_always_leaves_the_safest_candidate() -> None:
    """However short the limit, and whatever the budget: 8 bits, nothing pruned."""
    for budget in (Budget(1.0), Budget(1.0, max_bytes=1), Budget(0.0, min_sqnr=90.0)):
        clock = Ticking(1.0)
        outcome = search_thresholds(SPACE, budget, Stopwatch(1e-9, clock).timed(clock.measure(network())))
        assert (outcome.stopped, len(outcome.frontier), outcome.sensitivity) == (True, 1, ())
        assert outcome.chosen.thresholds == outcome.base.thresholds == SPACE.at(SPACE.loosest)


def test_stopwatch_expects_longer_candidates_to_take_longer() -> None:
    """Four times the rows: begun only where four times the longest candidate fits; an ordinary one still is."""
    clock, made = Ticking(1.0), SPACE.at(SPACE.loosest)
    watch = Stopwatch(4.5, clock)
    inner = clock.measure(network())
    watch.timed(inner)(made)
    with pytest.raises(OutOfTime):
        watch.timed(inner, 4.0)(made)
    watch.timed(inner)(made)
    assert (watch.tried, clock.now) == (2, 2.0)


def stopped_after(candidates: int) -> SearchResult:
    """Search with a clock that moves a second at every look, until the limit lets no more candidates pass."""
    ticks = iter(range(10**6))
    return search_budget(*cases()["clouds"], Budget(2.0), time_limit=2.0 * candidates + 1, clock=lambda: next(ticks))


@pytest.mark.parametrize("candidates", [1, 4, 20])
def test_search_budget_says_that_it_was_stopped(candidates: int) -> None:
    """The result says after how many seconds and candidates, and the verdict in words."""
    result = stopped_after(candidates)
    stopped = result.stopped
    assert stopped is not None
    assert stopped.tried == len(result.frontier)
    assert stopped.expected > stopped.tried
    assert stopped.words in result.verdict
    assert f"with {stopped.tried} of about {stopped.expected}" in stopped.words
    assert result.met
    assert result.thresholds.bits[0] in (8, 4)


def test_search_budget_limit_that_is_not_reached_changes_no_byte() -> None:
    """The same seed gives the same bytes with a limit that stops nothing, and the verdict says nothing of it."""
    model, rows = cases()["clouds"]
    free, limited = (search_budget(model, rows, Budget(2.0), time_limit=limit) for limit in (None, 1e6))
    assert encode_model(free.model) == encode_model(limited.model)
    assert (free.frontier, free.verdict, limited.stopped) == (limited.frontier, limited.verdict, None)


@pytest.mark.parametrize("after", [confirm, lower_activation_bits])
def test_refinement_stopped_keeps_what_was_chosen(after: Callable[[Outcome, Budget, Measure], Outcome]) -> None:
    """A limit that ends better builds, or the lowering of activation bits, keeps the choice and says that it did."""
    space = Space(SPACE.bits, SPACE.rates, ((8, 7, 6),) * 2)
    found = search_thresholds(space, Budget(1.0), network())

    def out_of_time(made: Thresholds) -> Measurement:
        raise OutOfTime

    stopped = after(found, Budget(1.0), out_of_time)
    assert not found.stopped
    assert stopped == replace(found, stopped=True)


@pytest.mark.parametrize(
    ("limit", "error", "names"),
    [(0, ValueError, "above 0"), (-3.0, ValueError, "-3"), (float("nan"), ValueError, "nan"),
     (float("inf"), ValueError, "inf"), ("5m", TypeError, "5m"), (True, TypeError, "True")],
)  # fmt: skip
def test_search_budget_refuses_a_limit(limit: object, error: type[Exception], names: str) -> None:
    """A limit that is no time is named, with the fix."""
    with pytest.raises(error, match=names):
        search_budget(*cases()["clouds"], time_limit=limit)


def test_expected_candidates_is_about_what_a_whole_search_tries() -> None:
    """The number said is within a factor of two of what searches try."""
    for budget in (Budget(1.0), Budget(3.0)):
        tried = len(search_thresholds(SPACE, budget, network()).frontier)
        assert tried / 2 <= expected_candidates(SPACE) <= 2 * tried
