"""Laws of the budget search, on synthetic networks whose accuracy, KL and size are formulas."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from math import log10

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.budget.greedy_search import Outcome, pareto, search_thresholds
from npquant.budget.refinement import lower_activation_bits
from npquant.budget.requirements import Budget, Measurement, allowed_points, expected_to_hold
from npquant.budget.space import Space, Thresholds, Trial
from npquant.budget.trials import Measure, Trials

Search = Callable[[Space, Budget, Measure], Outcome]

ROWS = 1000
RATES = (0.0, 0.25, 0.5, 0.75)
SPACE = Space(((8, 6, 4, 3, 2),) * 3, (RATES,) * 2, ((8,),) * 2)
# No 4 bits: whether low widths pay is not asked.
NARROW = Space(((8, 6, 5, 3, 2),) * 3, (RATES,) * 2, ((8,),) * 2)
NOTHING_PRUNED = Space(SPACE.bits, ((0.0,),) * 2, SPACE.activation_bits)
WEIGHTS = (600, 300, 100)


def network(fragile: int = 0) -> Measure:
    """Make a network of three layers, one of which suffers most from few bits."""

    def measure(thresholds: Thresholds) -> Measurement:
        pain = sum((9 if layer == fragile else 1) * 4.0 ** -int(bits) for layer, bits in enumerate(thresholds.bits))
        pain += sum(0.01 * rate**3 for rate in thresholds.rates)
        keep = [1.0, *(1 - rate for rate in thresholds.rates), 1.0]
        kept = [n * keep[layer] * keep[layer + 1] for layer, n in enumerate(WEIGHTS)]
        n_bytes = 50 + sum(int(n * int(bits) / 8) for n, bits in zip(kept, thresholds.bits, strict=True))
        return Measurement(int(300 * pain), 0, ROWS, pain, n_bytes, int(sum(kept)), -10 * log10(pain))

    return measure


def met(outcome: Outcome) -> bool:
    return not outcome.chosen.failing


def is_sound(found: Measurement, budget: Budget) -> bool:
    """Say what the search calls sound."""
    return expected_to_hold(found, budget.max_drop) and "min_sqnr" not in budget.failing(found)


def all_measurements(measure: Measure, space: Space) -> list[tuple[Thresholds, Measurement]]:
    states = product(*(range(levels) for levels in space.levels))
    return [(space.at(state), measure(space.at(state))) for state in states]  # type: ignore[misc]


def law_meets_what_it_says(search: Search, requirements: Budget) -> None:
    """A met budget is met by the chosen candidate, measured anew; a missed one names what is missed."""
    measure = network()
    result = search(SPACE, requirements, measure)
    found = measure(result.chosen.thresholds)
    assert found == result.chosen.found
    assert met(result) == (not requirements.failing(found))
    assert result.chosen.failing == requirements.failing(found)
    assert (result.nearest is None) == met(result)


def law_respects_limits_that_can_be_met(search: Search, requirements: Budget) -> None:
    """Limits that a candidate with room to spare meets are met."""
    half = Budget(requirements.max_drop / 4, requirements.max_bytes, requirements.max_macs)  # type: ignore[operator]
    assert any(not half.failing(found) for _, found in all_measurements(network(), SPACE)), "the case is vacuous"
    assert met(search(SPACE, requirements, network()))


def law_tightens_without_limits(search: Search) -> None:
    """Without limits the chosen candidate is near the smallest of those that are expected to hold."""
    accepted = [found.n_bytes for _, found in all_measurements(network(), SPACE) if expected_to_hold(found, 1.0)]
    assert search(SPACE, Budget(1.0), network()).chosen.found.n_bytes <= 1.1 * min(accepted)


def law_distrusts_luck(search: Search) -> None:
    """G3. Candidates that lose no row but whose probabilities are far off are chosen only where a limit needs them."""

    def lucky(thresholds: Thresholds) -> Measurement:
        honest = network()(thresholds)
        return Measurement(0, 0, 100, honest.kl, honest.n_bytes, honest.macs, honest.sqnr)

    result = search(SPACE, Budget(1.0), lucky)
    assert result.chosen.found.kl <= 0.02
    assert result.smaller_by_luck is not None
    assert not result.smaller_by_luck.failing
    assert result.smaller_by_luck.found.n_bytes < result.chosen.found.n_bytes
    assert result.smaller_by_luck.found.kl > 0.02
    assert met(search(SPACE, Budget(1.0, 120), lucky))


def law_spares_the_fragile_layer(search: Search) -> None:
    """The layer that suffers most keeps the most bits."""
    for fragile in (0, 1):
        bits = search(NOTHING_PRUNED, Budget(0.5), network(fragile)).chosen.thresholds.bits
        assert bits[fragile] == max(bits)
        assert min(bits) < bits[fragile]  # type: ignore[operator]


def law_frontier_is_complete(search: Search) -> None:
    """Every call of `measure` stands in the frontier, once, in the order of the calls."""
    calls: list[Thresholds] = []

    def spy(thresholds: Thresholds) -> Measurement:
        calls.append(thresholds)
        return network()(thresholds)  # type: ignore[return-value]

    result = search(SPACE, Budget(1.0, 400), spy)
    assert [trial.thresholds for trial in result.frontier] == calls
    assert len(set(calls)) == len(calls)
    assert result.chosen in result.frontier


def law_not_larger_than_any_uniform(search: Search, measure: Measure, budget: Budget) -> None:
    """Without limits the choice is not larger than any uniform setting that is sound."""
    result = search(NARROW, budget, measure)
    states = {NARROW.uniform(width, rate) for width in range(5) for rate in range(4)}
    sound = [found.n_bytes for found in (measure(NARROW.at(state)) for state in states) if is_sound(found, budget)]
    if sound:
        assert result.chosen.found.n_bytes <= min(sound)


def law_keeps_the_ratio(search: Search, decibels: float) -> None:
    """A required SQNR is kept where the loosest candidate has it, and named where it has not."""
    budget = Budget(5.0, min_sqnr=decibels)
    result = search(SPACE, budget, network())
    reachable = network()(SPACE.at(SPACE.loosest)).sqnr >= decibels
    assert met(result) == reachable
    assert ("min_sqnr" in result.chosen.failing) == (not reachable)


def law_nothing_beyond_the_hopeless(search: Search, measure: Measure, budget: Budget) -> None:
    """G6. No rate is tried whose loosest even setting is nowhere looser than one beyond 4 times what G3 allows."""
    tried = search(NARROW, budget, measure).frontier
    for number, trial in enumerate(tried):
        if trial.phase != "uniform":
            continue
        loosest = Thresholds(NARROW.at(NARROW.loosest).bits, trial.thresholds.rates, trial.thresholds.activation_bits)
        for before in tried[:number]:
            allowed = allowed_points(budget.max_drop, before.found.rows)
            if not before.sound and 50 * before.found.kl > 4 * allowed:
                assert not _nowhere_looser(loosest, before.thresholds)


def _nowhere_looser(tight: Thresholds, loose: Thresholds) -> bool:
    widths = all(int(a) <= int(b) for a, b in zip(tight.bits, loose.bits, strict=True))
    return widths and all(a >= b for a, b in zip(tight.rates, loose.rates, strict=True))


def law_activation_bits_cost_next_to_nothing(search: Search) -> None:
    """G7. Activation bits go down, but neither a byte nor more than a tenth of the KL is paid for it."""

    def measure(t: Thresholds) -> Measurement:
        kl = 0.001 + sum(0.1 * 4.0**-bits for bits in t.bits) + sum(0.2 * 4.0**-bits for bits in t.activation_bits)  # type: ignore[misc, operator]
        return Measurement(0, 0, ROWS, kl, sum(int(b) for b in t.bits), 1, 20.0)

    space = Space(((8, 4, 3),) * 2, ((0.0,),), ((8, 7, 6, 5, 4, 3, 2),))
    chosen = search(space, Budget(1.0), measure).chosen
    eight = measure(Thresholds(chosen.thresholds.bits, (0.0,), (8,)))
    assert chosen.thresholds.activation_bits[0] < 8
    assert chosen.found.n_bytes == eight.n_bytes == min(measure(space.at((2, 2, 0, 0))).n_bytes, eight.n_bytes)
    assert chosen.found.kl <= 1.1 * eight.kl


def law_low_widths_wait_for_a_reason(search: Search) -> None:
    """G5. Where 4 bits are costly no step leads to 2 bits, unless a limit needs them."""

    def measure(t: Thresholds) -> Measurement:
        kl = sum({8: 0.0, 4: 0.0011, 2: 0.0135, "ternary": 0.014}[bits] for bits in t.bits)
        sizes = {8: 80, 4: 40, 2: 20, "ternary": 16}
        return Measurement(0, 0, ROWS, kl, sum(sizes[bits] for bits in t.bits), 1, 20.0)

    space = Space(((8, 4, 2, "ternary"),) * 2, ((0.0,),), ((8,),))
    free, pressed = search(space, Budget(1.0), measure), search(space, Budget(1.0, 60), measure)
    assert free.chosen.thresholds.bits == (4, 4)
    assert (met(pressed), pressed.chosen.found.n_bytes) == (True, 60)


@st.composite
def drawn_networks(draw: st.DrawFn) -> Measure:
    """Draw a network of formulas: which layers hurt, how widths and rates meet, and how unruly the whole is."""
    hurt = draw(st.lists(st.floats(0.05, 2.0), min_size=5, max_size=5))
    meeting, noise, seed = draw(st.floats(0, 3)), draw(st.sampled_from([0.0, 0.5])), draw(st.integers(0, 99))

    def measure(t: Thresholds) -> Measurement:
        parts = [h * 4.0 ** (1 - int(bits)) for h, bits in zip(hurt, t.bits, strict=False)]
        parts += [0.05 * h * rate**2 for h, rate in zip(hurt[3:], t.rates, strict=True)]
        kl = sum(parts) + meeting * max(parts) * (max(parts) + min(parts))
        dice = np.random.default_rng([seed, *(int(b) for b in t.bits), *(int(100 * r) for r in t.rates)])
        kl *= 1 + noise * dice.random()
        b = int(dice.binomial(ROWS, min(0.3 * kl, 1.0)))
        keep = [1.0, *(1 - rate for rate in t.rates), 1.0]
        kept = [n * keep[layer] * keep[layer + 1] for layer, n in enumerate(WEIGHTS)]
        n_bytes = 50 + sum(int(n * int(bits) / 8) for n, bits in zip(kept, t.bits, strict=True))
        return Measurement(b, int(dice.integers(0, 2)), ROWS, kl, n_bytes, int(sum(kept)), 20.0)

    return measure


LIMITS = (Budget(1.0), Budget(1.0, 350), Budget(1.0, None, 500), Budget(2.0, 400, 700), Budget(2.0, 400, None, 15.0))
IMPOSSIBLE = (Budget(1.0, 60), Budget(0.0, 150), Budget(1.0, None, 50))


@pytest.mark.parametrize("requirements", LIMITS + IMPOSSIBLE)
def test_search_thresholds_meets_what_it_says(requirements: Budget) -> None:
    """`met` is the truth about the chosen candidate."""
    law_meets_what_it_says(search_thresholds, requirements)


@pytest.mark.parametrize("requirements", LIMITS)
def test_search_thresholds_respects_limits(requirements: Budget) -> None:
    """Limits that a candidate with room to spare meets are met."""
    law_respects_limits_that_can_be_met(search_thresholds, requirements)


def test_search_thresholds_tightens_without_limits() -> None:
    """Near the smallest of all 2,000 candidates, in fewer than 100 measurements."""
    law_tightens_without_limits(search_thresholds)
    assert len(search_thresholds(SPACE, Budget(1.0), network()).frontier) < 100


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
    loose = search_thresholds(SPACE, Budget(2.0, 900), network()).chosen.found
    tight = search_thresholds(SPACE, Budget(2.0, 400), network()).chosen.found
    assert loose.kl < tight.kl
    assert tight.n_bytes <= 400 < loose.n_bytes <= 900


@pytest.mark.parametrize("requirements", IMPOSSIBLE)
def test_search_thresholds_missed_names_the_nearest(requirements: Budget) -> None:
    """A missed limit keeps the accuracy of what is deployed, and says what comes nearest to the limit."""
    result = search_thresholds(SPACE, requirements, network())
    assert not met(result)
    assert result.nearest is not None
    assert "max_drop" not in result.chosen.failing
    over = result.chosen.found.n_bytes, result.chosen.found.macs
    near = result.nearest.found.n_bytes, result.nearest.found.macs
    assert near[0] <= over[0]
    assert near[1] <= over[1]


def test_search_thresholds_missed_accuracy_stops_at_the_loosest() -> None:
    """Where every candidate loses too much, the loosest is deployed, and the accuracy is what fails."""
    result = search_thresholds(SPACE, Budget(0.0), lambda t: Measurement(9, 0, ROWS, 1.0, 10, 10, 9.0))
    assert (met(result), result.chosen.failing, result.chosen.phase) == (False, ("max_drop",), "start")
    assert len(result.frontier) <= 1 + len(SPACE.levels)


def test_search_thresholds_ties_to_the_smaller_axis() -> None:
    """Equal layers: the first is tightened first."""

    def equal(t: Thresholds) -> Measurement:
        return Measurement(0, 0, ROWS, sum(0.01 / int(b) for b in t.bits), sum(int(b) for b in t.bits), 1, 9.0)

    result = search_thresholds(Space(((8, 4),) * 3, ((0.0,),) * 2, ((8,),) * 2), Budget(1.0, 16), equal)
    assert result.chosen.thresholds.bits == (4, 4, 8)


def _search_and_lower(space: Space, budget: Budget, measure: Measure) -> Outcome:
    return lower_activation_bits(search_thresholds(space, budget, measure), budget, measure)


@given(drawn_networks(), st.sampled_from([0.1, 1.0, 3.0]))
def test_search_thresholds_not_larger_than_any_uniform(measure: Measure, max_drop: float) -> None:
    """Whatever the layers do to each other, mixed widths and rates are not worse than the best even ones."""
    law_not_larger_than_any_uniform(search_thresholds, measure, Budget(max_drop))


@given(drawn_networks(), st.integers(60, 1000), st.integers(10, 1000), st.booleans())
def test_search_thresholds_tells_the_truth_of_unruly_networks(
    measure: Measure, max_bytes: int, max_macs: int, limited: bool
) -> None:
    """Monotone or not: `met` is true of the choice, twice the same, and what is missed has a nearest point."""
    budget = Budget(1.0, max_bytes, max_macs) if limited else Budget(1.0)
    one, two = (search_thresholds(NARROW, budget, measure) for _ in range(2))
    assert one == two
    assert measure(one.chosen.thresholds) == one.chosen.found
    assert met(one) == (not budget.failing(one.chosen.found)) == (one.nearest is None)
    if not met(one):
        assert all(trial.failing for trial in one.frontier), "a candidate that meets everything was left lying"
    if one.nearest is not None:
        assert budget.excess(one.nearest.found) == min(budget.excess(trial.found) for trial in one.frontier)


@given(drawn_networks(), st.sampled_from([0.1, 1.0, 3.0]))
def test_search_thresholds_measures_nothing_beyond_the_hopeless(measure: Measure, max_drop: float) -> None:
    """G6, whatever the layers do to each other."""
    law_nothing_beyond_the_hopeless(search_thresholds, measure, Budget(max_drop))


@pytest.mark.parametrize("decibels", [5.0, 20.0, 30.0, 45.0, 60.0])
def test_search_thresholds_keeps_the_ratio(decibels: float) -> None:
    """The law above, from easy to impossible."""
    law_keeps_the_ratio(search_thresholds, decibels)


def test_search_thresholds_activation_bits() -> None:
    """The law above."""
    law_activation_bits_cost_next_to_nothing(_search_and_lower)


def test_search_thresholds_low_widths() -> None:
    """The law above."""
    law_low_widths_wait_for_a_reason(search_thresholds)


def test_search_thresholds_passes_over_a_level_that_saves_nothing() -> None:
    """A width that is no smaller than the one before it does not bar the way to the next."""
    sizes = {8: 80, 6: 80, 4: 40}

    def measure(t: Thresholds) -> Measurement:
        return Measurement(0, 0, ROWS, 0.001 * (8 - int(t.bits[0])), sizes[int(t.bits[0])], 1, 20.0)

    assert search_thresholds(Space(((8, 6, 4),), (), ()), Budget(1.0), measure).chosen.thresholds.bits == (4,)


def _search_with(seen: Callable[[Budget], Budget]) -> Search:
    """Make a search that looks at another budget than it is given, and reports as if it had not."""

    def wrong(space: Space, budget: Budget, measure: Measure) -> Outcome:
        found = search_thresholds(space, seen(budget), measure)
        return replace(found, chosen=replace(found.chosen, failing=()), nearest=None)

    return wrong


def _cheats_on_calls(space: Space, budget: Budget, measure: Measure) -> Outcome:
    """Measure one candidate once more, without a word."""
    measure(space.at((1,) + (0,) * (len(space.levels) - 1)))
    return search_thresholds(space, budget, measure)


def _tightens_while_accuracy_holds(space: Space, budget: Budget, measure: Measure) -> Outcome:
    """Look at accuracy alone, by asking for the smallest file that keeps it."""
    return _search_with(lambda b: Budget(b.max_drop, 1))(space, budget, measure)


def _uniform_widths(space: Space, budget: Budget, measure: Measure) -> Outcome:
    """One width for all layers: no sensitivity."""
    trials = []
    for level in range(len(space.bits[0])):
        thresholds = space.at((level,) * len(space.bits) + (0,) * (len(space.levels) - len(space.bits)))
        found = measure(thresholds)
        trials.append(Trial(thresholds, found, budget.failing(found), is_sound(found, budget), "walk"))
    good = [trial for trial in trials if not trial.failing]
    return Outcome(good[-1], None, tuple(trials), (), trials[0], None, True)


def _tries_everything(space: Space, budget: Budget, measure: Measure) -> Outcome:
    """Measure every even setting, whatever was found before."""
    trials = Trials(space, budget, measure)
    for state in (state for states in space.uniforms() for state in reversed(states)):
        last = trials.trial(state, "uniform")
    return Outcome(last, None, trials.frontier, (), last, None, True)


def _greedy_alone(space: Space, budget: Budget, measure: Measure) -> Outcome:
    """Walk, and never look at the uniform settings."""
    trials = Trials(space, budget, measure)
    trials.trial(space.loosest, "start")
    tightest = space.ceilings(low=True)
    trials.study_axes(tightest)
    end = trials.descend(space.loosest, "walk", lambda trial: trial.sound, tightest, only_sound=True)
    chosen = trials.trial(end, "walk")
    return Outcome(chosen, None, trials.frontier, (), chosen, None, True)


def _activations_at_any_price(space: Space, budget: Budget, measure: Measure) -> Outcome:
    """Take the fewest activation bits that are sound."""
    found = search_thresholds(space, budget, measure)
    for bits in (2, 3, 4, 5, 6, 7):
        thresholds = replace(found.chosen.thresholds, activation_bits=(bits,))
        measured = measure(thresholds)
        if is_sound(measured, budget):
            return replace(found, chosen=Trial(thresholds, measured, (), True, "activations"))
    return found


def test_search_laws_kill_wrong_searches() -> None:
    """Ignoring a limit, ignoring accuracy, hiding a candidate, and giving every layer one width are all caught."""
    ignores_bytes = _search_with(lambda b: Budget(b.max_drop, None, b.max_macs))
    ignores_macs = _search_with(lambda b: Budget(b.max_drop, b.max_bytes, None))
    ignores_accuracy = _search_with(lambda b: Budget(100.0, b.max_bytes, b.max_macs))
    ignores_ratio = _search_with(lambda b: Budget(b.max_drop, b.max_bytes, b.max_macs))
    with pytest.raises(AssertionError):
        law_meets_what_it_says(ignores_bytes, Budget(1.0, 60))
    with pytest.raises(AssertionError):
        law_meets_what_it_says(ignores_macs, Budget(1.0, None, 50))
    with pytest.raises(AssertionError):
        law_meets_what_it_says(ignores_accuracy, Budget(1.0))
    with pytest.raises(AssertionError):
        law_keeps_the_ratio(ignores_ratio, 60.0)
    with pytest.raises(AssertionError):
        law_distrusts_luck(_tightens_while_accuracy_holds)
    with pytest.raises(AssertionError):
        law_frontier_is_complete(_cheats_on_calls)
    with pytest.raises(AssertionError):
        law_spares_the_fragile_layer(_uniform_widths)
    with pytest.raises(AssertionError):
        law_tightens_without_limits(lambda s, b, m: search_thresholds(NOTHING_PRUNED, b, m))
    with pytest.raises(AssertionError):
        law_activation_bits_cost_next_to_nothing(_activations_at_any_price)
    with pytest.raises(AssertionError):
        law_activation_bits_cost_next_to_nothing(search_thresholds)
    with pytest.raises(AssertionError):
        law_low_widths_wait_for_a_reason(_tightens_while_accuracy_holds)
    with pytest.raises(AssertionError):
        law_nothing_beyond_the_hopeless(_tries_everything, network(), Budget(0.1))


def test_search_law_of_uniform_settings_kills_a_greedy_walk() -> None:
    """Two steps that only pay together: greed does not find them."""

    def measure(t: Thresholds) -> Measurement:
        alike = len({*t.bits}) == 1 and len({*t.rates}) == 1
        kl = 0.0001 * sum(8 - int(bits) for bits in t.bits) if alike else 0.026 * (max(t.bits) != min(t.bits))
        kl += 0.05 * max(t.rates)
        return Measurement(0, 0, ROWS, kl, 10 * sum(int(bits) for bits in t.bits), 1, 20.0)

    law_not_larger_than_any_uniform(search_thresholds, measure, Budget(1.0))
    with pytest.raises(AssertionError):
        law_not_larger_than_any_uniform(_greedy_alone, measure, Budget(1.0))


@given(drawn_networks())
def test_pareto_marks_what_nothing_beats(measure: Measure) -> None:
    """G8. A point is marked if and only if no other is at least as good everywhere and better somewhere."""
    trials = search_thresholds(NARROW, Budget(1.0), measure).frontier
    points = [(trial.found.n_bytes, trial.found.macs, trial.found.kl) for trial in trials]
    for point, marked in zip(points, pareto(trials), strict=True):
        beaten = any(o != point and all(a <= b for a, b in zip(o, point, strict=True)) for o in points)
        assert marked == (not beaten)
