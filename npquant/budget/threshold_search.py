"""From a budget to thresholds: a search over bit widths, pruning rates and activation bits.

The search knows neither networks nor data. It is given what may be chosen (`Space`), what is required (`Budget`), and a
function that builds one candidate as a whole and measures it on the validation rows.

G8 (Pareto)       no other candidate has at most the same bytes, MACs and KL, and less of one

Letters: KL the divergence M2 of the candidate from the float network, in nats; axis and level as in space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from npquant.budget.requirements import Budget, low_widths_pay
from npquant.budget.space import LOW_WIDTHS, Space, State, Trial
from npquant.budget.tightening import AxisTrial, Measure, Walk


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search found.

    Parameters
    ----------
    chosen : Trial
        The candidate to deploy.
    nearest : Trial or None
        None where the budget is met; else the candidate that misses limits by the smallest factor, then drops least.
    frontier : tuple of Trial
        All candidates in the order tried.
    sensitivity : tuple of AxisTrial
        Those that differ from the loosest one in one axis alone.
    base : Trial
        The loosest one, measured as they were.
    kl_at_4_bits : float or None
        In nats; None where 2 bits and ternary are not among the widths, or 4 is not.
    low_widths : bool
        Whether 2 bits and ternary were walked to from the start (G5).

    Examples
    --------
    Made by `search_thresholds`.
    """

    chosen: Trial
    nearest: Trial | None
    frontier: tuple[Trial, ...]
    sensitivity: tuple[AxisTrial, ...]
    base: Trial
    kl_at_4_bits: float | None
    low_widths: bool

    @property
    def met(self) -> bool:
        """Whether the chosen candidate misses nothing."""
        return not self.chosen.failing

    @property
    def bolder(self) -> Trial | None:
        """The smallest candidate that meets everything on these rows, though KL says that this is luck; None: no such.

        Only candidates smaller than a sound choice count, and not those that were measured to see what one axis does.
        """
        if not self.chosen.sound:
            return None
        lucky = [trial for trial in self.frontier if not trial.failing and trial.phase != "sensitivity"]
        smaller = [trial for trial in lucky if trial.found.n_bytes < self.chosen.found.n_bytes and not trial.sound]
        return min(smaller, key=lambda trial: (trial.found.n_bytes, trial.found.kl), default=None)


def search_thresholds(space: Space, budget: Budget, measure: Measure, study: Measure | None = None) -> Outcome:
    """Find the thresholds that meet a budget.

    Parameters
    ----------
    space : Space
        Axes and their levels, loosest first.
    budget : Budget
        Accuracy, and optionally bytes, MACs and SQNR.
    measure : callable
        Builds one candidate as a whole chain and measures it on the validation rows. Called once for each candidate.
    study : callable or None
        Does the same more cheaply, to see what one axis alone does; what it measures is never chosen. None: `measure`.

    Returns
    -------
    Outcome
        Without limits on bytes and MACs the smallest file among the candidates that are sound; with limits, among the
        sound ones that meet them, the least KL; where none is sound, the least KL of those that meet everything.

    Notes
    -----
    1. Sensitivity: from the loosest candidate each axis alone is tightened level by level, until it is beyond the
       budget (G6).
    2. Without limits: the uniform settings that may be the smallest, but for those beyond the budget (G6), so that the
       choice is not larger than any of them. From the smallest a walk goes on: always the step with the largest ratio
       G4, the candidate measured as a whole.
    3. With limits: a walk from the loosest candidate, until they are met. If they are not, uniform settings as in 2,
       and from the nearest of them and the nearest of all walks that stretch as long as accuracy holds on the
       validation rows, 2 bits and ternary included; then all uniform settings; then it goes on without regard to
       accuracy, so that the report can say what the limits would cost (`nearest`).
    Activation bits are studied alone, but no step lowers them: see `lower_activation_bits`.
    Greedy: not proven smallest. Deterministic, given a deterministic `measure`; ties go to the smaller axis.

    Examples
    --------
    >>> from npquant.budget.requirements import Measurement
    >>> space = Space(bits=((8, 4, 2),), rates=(), activation_bits=())
    >>> law = lambda t: Measurement(8 - t.bits[0], 0, 400, 2**-t.bits[0] / 4, t.bits[0], 1, 6.0 * t.bits[0])
    >>> search_thresholds(space, Budget(max_drop=1.0), law).chosen.thresholds.bits
    (4,)
    """
    walk = Walk(space, budget, measure, study)
    walk.trial(space.loosest, "start")
    kl, low = _judge_low_widths(walk, space, budget)
    ceilings = space.ceilings(low=low)
    walk.study_axes(ceilings)
    if budget.limited:
        walk.tighten(space.loosest, "walk", _is_sound, ceilings, only_sound=True)
        if not any(trial.sound and not trial.failing for _, trial in walk.tried):
            _stretch(walk, space, budget)
    else:
        walk.try_uniform()
        start = walk.smallest()
        if start is not None:
            walk.tighten(start[0], "walk", _is_sound, _at_least(start[0], ceilings), only_sound=False)
    frontier, tried = walk.frontier, [trial for _, trial in walk.tried]
    chosen = _choose(tried, budget)
    nearest = _nearest(frontier, budget) if chosen.failing else None
    return Outcome(chosen, nearest, frontier, walk.axis_trials, walk.base, kl, low)


def _judge_low_widths(walk: Walk, space: Space, budget: Budget) -> tuple[float | None, bool]:
    """Measure 4 bits everywhere, where that decides something, and apply G5."""
    state = space.at_width(4)
    if state is None or not any(width in LOW_WIDTHS for axis in space.bits for width in axis):
        return None, True
    found = walk.trial(state, "uniform").found
    return found.kl, low_widths_pay(found.kl, budget.max_drop, found.rows)


def _is_sound(trial: Trial) -> bool:
    return trial.sound


def _at_least(state: State, ceilings: State) -> State:
    return tuple(max(level, ceiling) for level, ceiling in zip(state, ceilings, strict=True))


def _stretch(walk: Walk, space: Space, budget: Budget) -> None:
    """Go on for limits that are missed: from the nearest sound candidates while accuracy holds, then at any price."""
    tightest = space.ceilings(low=True)
    walk.try_uniform()
    sound = [(state, trial) for state, trial in walk.tried if trial.sound] or list(walk.tried[:1])
    even = [(state, trial) for state, trial in sound if trial.phase == "uniform"]
    ends = []
    for pairs in filter(None, (even, sound)):
        near = min(pairs, key=lambda pair: (budget.excess(pair[1].found), pair[1].found.kl))[0]
        ends.append(walk.tighten(near, "stretch", lambda trial: trial.holds, tightest, only_sound=False))
    if any(not trial.failing for _, trial in walk.tried):
        return
    for states in space.uniforms():
        for state in (state for state in states if not walk.hopeless(state)):
            if {"max_bytes", "max_macs"} & set(walk.trial(state, "uniform").failing):
                break
    if all(trial.failing for _, trial in walk.tried):
        walk.tighten(ends[-1], "beyond", lambda trial: True, tightest, only_sound=False)


def _choose(tried: Sequence[Trial], budget: Budget) -> Trial:
    """Choose what to deploy: see `search_thresholds`; where nothing meets the budget, what keeps most of its word."""
    meeting = [trial for trial in tried if not trial.failing]
    sound = [trial for trial in meeting if trial.sound]
    if sound and not budget.limited:
        return min(sound, key=lambda trial: (trial.found.n_bytes, trial.found.kl))
    if meeting:
        return min(sound or meeting, key=lambda trial: trial.found.kl)
    holding = [trial for trial in tried if trial.sound] or [trial for trial in tried if trial.holds]
    return min(holding or tried[:1], key=lambda trial: (budget.excess(trial.found), trial.found.kl))


def _nearest(frontier: Sequence[Trial], budget: Budget) -> Trial:
    """Choose the trial that misses limits by the smallest factor, then drops least, then was tried first."""
    return min(frontier, key=lambda trial: (budget.excess(trial.found), trial.found.drop))


def pareto(trials: Sequence[Trial]) -> tuple[bool, ...]:
    """Mark the candidates that nothing tried is better than.

    Parameters
    ----------
    trials : sequence of Trial
        Candidates.

    Returns
    -------
    tuple of bool
        G8, one a candidate; of equal ones all or none.

    Examples
    --------
    >>> from npquant.budget.requirements import Measurement
    >>> from npquant.budget.space import Thresholds
    >>> points = ((9, 0.1), (5, 0.2), (9, 0.3))
    >>> found = [Measurement(0, 0, 9, kl, n_bytes, 1, 20.0) for n_bytes, kl in points]
    >>> pareto([Trial(Thresholds((8,), (), ()), each, (), True, "walk") for each in found])
    (True, True, False)
    """
    points = [(trial.found.n_bytes, trial.found.macs, trial.found.kl) for trial in trials]
    return tuple(not any(_dominates(other, point) for other in points) for point in points)


def _dominates(one: tuple[float, ...], two: tuple[float, ...]) -> bool:
    return one != two and all(a <= b for a, b in zip(one, two, strict=True))
