"""From a budget to thresholds: a search over bit widths, pruning rates and activation bits.

The search knows neither networks nor data. It is given what may be chosen (`Space`), what is required (`Budget`), and a
function that builds one candidate as a whole and measures it on the validation rows.

G8 (Pareto)       no other candidate has at most the same bytes, MACs and KL, and less of one

Legend: KL the divergence M2 of the candidate from the float network, in nats (of real targets that of `rise`); space,
axis and level as in space; budget what is required; measure and study as below; outcome what a search found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from npquant.budget.decision import Decision
from npquant.budget.requirements import Budget
from npquant.budget.space import LOW_WIDTHS, Space, State, Trial
from npquant.budget.time_limit import OutOfTime
from npquant.budget.trials import AxisTrial, Measure, Trials


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search found."""

    chosen: Trial  # to deploy
    nearest: Trial | None  # misses limits by the smallest factor, then drops least; None where the budget is met
    frontier: tuple[Trial, ...]  # all, in the order tried
    sensitivity: tuple[AxisTrial, ...]  # those that differ from the loosest one in one axis alone
    base: Trial  # the loosest one, measured as they were
    kl_at_4_bits: float | None  # in nats; None where 2 bits and ternary are not among the widths, or 4 is not
    low_widths: bool  # whether 2 bits and ternary were in reach from the start (G5)
    stopped: bool = False  # by a limit on its time, before all was tried

    @property
    def smaller_by_luck(self) -> Trial | None:
        """The smallest candidate that meets everything on these rows, though KL says that this is luck; None: no such.

        Only candidates smaller than a sound choice count, and not those that were measured to see what one axis does.
        """
        if not self.chosen.sound:
            return None
        lucky = [trial for trial in self.frontier if not trial.failing and trial.phase != "sensitivity"]
        smaller = [trial for trial in lucky if trial.found.n_bytes < self.chosen.found.n_bytes and not trial.sound]
        return min(smaller, key=lambda trial: (trial.found.n_bytes, trial.found.divergence), default=None)


def search_thresholds(
    space: Space, budget: Budget, measure: Measure, study: Measure | None = None, *, sparing: bool = False
) -> Outcome:
    """Find the thresholds that meet a budget: greedy, not proven smallest; ties go to the smaller axis.

    1. Sensitivity: from the loosest candidate each axis alone is tightened level by level, until it is beyond the
       budget (G6).
    2. Without limits on bytes and MACs: the uniform settings that may be the smallest, but for those beyond the budget
       (G6), so that the choice is not larger than any of them. From the smallest, greedy coordinate descent: always the
       step with the largest ratio G4, the candidate measured as a whole.
    3. With limits: descent from the loosest candidate, until they are met. If they are not, uniform settings as in 2,
       and from the nearest of them and the nearest of all, descent that stretches as long as accuracy holds on the
       validation rows, 2 bits and ternary included; then all uniform settings; then it goes on without regard to
       accuracy, so that the report can say what the limits would cost (`nearest`).

    Chosen is, without limits, the smallest file among the candidates that are sound; with limits, among the sound ones
    that meet them, the least KL; where none is sound, the least KL of those that meet everything. `measure` builds one
    candidate as a whole chain and is called once for each; `study` does the same more cheaply, to see what one axis
    alone does, and what it measures is never chosen; None: `measure` is asked. `sparing` leaves out 1 where 2 follows:
    an axis is studied when a step asks. Activation bits are studied alone, but no step lowers them: see
    `lower_activation_bits`. Deterministic, given a deterministic `measure`. Where that raises OutOfTime, as it must not
    for the first candidate, the choice is made among what was tried by then.

    >>> from npquant.budget.requirements import Measurement
    >>> space = Space(bits=((8, 4, 2),), rates=(), activation_bits=())
    >>> law = lambda t: Measurement(8 - t.bits[0], 0, 400, 2**-t.bits[0] / 4, t.bits[0], 1, 6.0 * t.bits[0])
    >>> search_thresholds(space, Budget(max_drop=1.0), law).chosen.thresholds.bits
    (4,)
    """
    trials = Trials(space, budget, measure, study)
    trials.trial(space.loosest, "start")
    stopped, kl, low = False, None, False
    try:
        kl, low = _judge_low_widths(trials, space, budget)
        _explore(trials, space, budget, space.ceilings(low=low), sparing=sparing)
    except OutOfTime:
        stopped = True
    frontier, tried = trials.frontier, [trial for _, trial in trials.tried]
    chosen = _choose(tried, budget)
    nearest = nearest_trial(frontier, budget) if chosen.failing else None
    try:
        base, alone = trials.base, trials.axis_trials
    except OutOfTime:  # nothing that was measured alike to hold the axes to
        base, alone = tried[0], ()
    return Outcome(chosen, nearest, frontier, alone, base, kl, low, stopped)


def _explore(trials: Trials, space: Space, budget: Budget, ceilings: State, *, sparing: bool) -> None:
    """Study the axes, then try candidates: 1 to 3 of `search_thresholds`."""
    if budget.limited or not sparing:
        trials.study_axes(ceilings)
    if budget.limited:
        trials.descend(space.loosest, "walk", _is_sound, ceilings, only_sound=True)
        if not any(trial.sound and not trial.failing for _, trial in trials.tried):
            _stretch(trials, space, budget)
    else:
        trials.try_uniform()
        start = trials.smallest()
        if start is not None:
            trials.descend(start[0], "walk", _is_sound, _at_least(start[0], ceilings), only_sound=False)


def _judge_low_widths(trials: Trials, space: Space, budget: Budget) -> tuple[float | None, bool]:
    """Measure 4 bits everywhere, where that decides something, and apply G5."""
    state = space.at_width(4)
    if state is None or not any(width in LOW_WIDTHS for axis in space.bits for width in axis):
        return None, True
    found = trials.trial(state, "uniform").found
    return found.divergence, budget.low_widths_pay(found)


def _is_sound(trial: Trial) -> bool:
    return trial.sound


def _at_least(state: State, ceilings: State) -> State:
    return tuple(max(level, ceiling) for level, ceiling in zip(state, ceilings, strict=True))


def _stretch(trials: Trials, space: Space, budget: Budget) -> None:
    """Go on for limits that are missed: from the nearest sound candidates while accuracy holds, then at any price."""
    tightest = space.ceilings(low=True)
    trials.try_uniform()
    sound = [(state, trial) for state, trial in trials.tried if trial.sound] or list(trials.tried[:1])
    even = [(state, trial) for state, trial in sound if trial.phase == "uniform"]
    ends = []
    for pairs in filter(None, (even, sound)):
        near = min(pairs, key=lambda pair: (budget.excess(pair[1].found), pair[1].found.divergence))[0]
        ends.append(trials.descend(near, "stretch", lambda trial: trial.holds, tightest, only_sound=False))
    if any(not trial.failing for _, trial in trials.tried):
        return
    for states in space.uniforms():
        for state in (state for state in states if not trials.hopeless(state)):
            if {"max_bytes", "max_macs"} & set(trials.trial(state, "uniform").failing):
                break
    if all(trial.failing for _, trial in trials.tried):
        trials.descend(ends[-1], "beyond", lambda trial: True, tightest, only_sound=False)


def _choose(tried: Sequence[Trial], budget: Budget) -> Trial:
    """Choose what to deploy: see `search_thresholds`; where nothing meets the budget, what keeps most of its word."""
    meeting = [trial for trial in tried if not trial.failing]
    sound = [trial for trial in meeting if trial.sound]
    if sound and not budget.limited:
        return min(sound, key=lambda trial: (trial.found.n_bytes, trial.found.divergence))
    if meeting:
        return min(sound or meeting, key=lambda trial: trial.found.divergence)
    holding = [trial for trial in tried if trial.sound] or [trial for trial in tried if trial.holds]
    return min(holding or tried[:1], key=lambda trial: (budget.excess(trial.found), trial.found.divergence))


def nearest_trial(frontier: Sequence[Trial], budget: Budget) -> Trial:
    """Choose the trial of `frontier` that misses limits by the smallest factor, then drops least, then came first."""
    return min(frontier, key=lambda trial: (budget.excess(trial.found), trial.found.loss))


def pareto(trials: Sequence[Trial]) -> tuple[bool, ...]:
    """G8. Mark the `trials` that no other matches in bytes, MACs and KL and beats in one; of equal ones all or none.

    >>> from npquant.budget.requirements import Measurement
    >>> from npquant.budget.space import Thresholds
    >>> points = ((9, 0.1), (5, 0.2), (9, 0.3))
    >>> found = [Measurement(0, 0, 9, kl, n_bytes, 1, 20.0) for n_bytes, kl in points]
    >>> pareto([Trial(Thresholds((8,), (), ()), each, (), True, "walk") for each in found])
    (True, True, False)
    """
    points = [(trial.found.n_bytes, trial.found.macs, trial.found.divergence) for trial in trials]
    return tuple(not any(_dominates(other, point) for other in points) for point in points)


def _dominates(one: tuple[float, ...], two: tuple[float, ...]) -> bool:
    return one != two and all(a <= b for a, b in zip(one, two, strict=True))


def describe(outcome: Outcome, decision: Decision) -> str:
    """Say what a search found: the `decision`, the choice, the nearest point of a missed budget, a smaller one by luck.

    >>> from npquant.budget.decision import decide
    >>> from npquant.budget.requirements import Measurement
    >>> from npquant.budget.space import Thresholds
    >>> found = Measurement(b=1, c=0, rows=270, kl=0.001, n_bytes=900, macs=64, sqnr=25.0)
    >>> trial = Trial(Thresholds((4,), (), ()), found, ("max_bytes",), True, "walk")
    >>> words = describe(Outcome(trial, trial, (trial,), (), trial, None, True), decide(Budget(max_bytes=800), found))
    >>> for line in words.splitlines():
    ...     print(line[:77])
    missed: the size of deployed.npz
    validation rows: 0.37 points lost (1 lost, 0 won of 270; p 1.0000), within th
    chosen: 900 bytes, 64 MACs, KL 0.00100, SQNR 25.0 dB, weight bits 4
    nearest: 900 bytes, 64 MACs, KL 0.00100, SQNR 25.0 dB, weight bits 4
    """
    lines = ["met" if decision.met else f"missed: {decision.missed}", f"validation rows: {decision.validation.reason}"]
    named = (("chosen", outcome.chosen), ("nearest", outcome.nearest), ("smaller by luck", outcome.smaller_by_luck))
    for name, trial in ((name, trial) for name, trial in named if trial is not None):
        found, made = trial.found, trial.thresholds
        parts = [("weight bits", made.bits), ("rates", made.rates), ("activation bits", made.activation_bits)]
        with_what = ", ".join(f"{what} {'/'.join(map(str, values))}" for what, values in parts if values)
        lines.append(
            f"{name}: {found.n_bytes:,} bytes, {found.macs:,} MACs, {found.in_words}, SQNR {found.sqnr:.1f} dB, "
            f"{with_what}"
        )
    return "\n".join(lines)
