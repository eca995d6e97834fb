"""From a budget to thresholds: a search over bit widths, pruning rates and activation bits.

The search knows neither networks nor data. It is given what may be chosen (`Space`), what is required (`Budget`), and a
function that builds one candidate as a whole and measures it on the validation rows.

G8 (Pareto)       no other candidate has at most the same bytes, MACs and KL, and less of one

Letters: KL the divergence M2 of the candidate from the float network, in nats; axis and level as in search_space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from npquant.compression.requirements import Budget, low_widths_pay
from npquant.compression.search_space import LOW_WIDTHS, Space, State, Trial, with_level
from npquant.compression.tightening import AxisTrial, Measure, Walk

# A walk from a uniform setting is worth while if that is at most this much larger than the smallest candidate.
NEAR: Final = 1.2


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
    kl_at_4_bits: float | None
    low_widths: bool

    @property
    def met(self) -> bool:
        """Whether the chosen candidate misses nothing."""
        return not self.chosen.failing


def search_thresholds(space: Space, budget: Budget, measure: Measure) -> Outcome:
    """Find the thresholds that meet a budget.

    Parameters
    ----------
    space : Space
        Axes and their levels, loosest first.
    budget : Budget
        Accuracy, and optionally bytes, MACs and SQNR.
    measure : callable
        Builds one candidate as a whole chain and measures it on the validation rows. Called once for each candidate.

    Returns
    -------
    Outcome
        Without limits on bytes and MACs the smallest file among the candidates that are sound; with limits, among the
        sound ones that meet them, the least KL; where none is sound, the least KL of those that meet everything.

    Notes
    -----
    1. Sensitivity: from the loosest candidate each axis alone is tightened level by level, until it is not sound (G3).
    2. Walk: always the step with the largest ratio G4; the candidate is measured as a whole.
    3. Without limits: every uniform setting that may be smaller, but for hopeless ones (G6), so that the choice is not
       larger than any of them; from those that are sound and nearly as small another walk starts. Then exchanges: one
       axis of the smallest candidate is loosened by a level, and the others are tightened for it.
    4. If limits are missed, the walk stretches as long as accuracy holds on the validation rows, 2 bits and ternary
       included; then uniform settings are tried; then it goes on without regard to accuracy, so that the report can say
       what the limits would cost (`nearest`).
    Activation bits are studied alone, but no step lowers them: see `lower_activation_bits`.
    Greedy: not proven smallest. Deterministic, given a deterministic `measure`; ties go to the smaller axis.

    Examples
    --------
    >>> from npquant.compression.requirements import Measurement
    >>> space = Space(bits=((8, 4, 2),), rates=(), activation_bits=())
    >>> law = lambda t: Measurement(8 - t.bits[0], 0, 400, 2**-t.bits[0] / 4, t.bits[0], 1, 6.0 * t.bits[0])
    >>> search_thresholds(space, Budget(max_drop=1.0), law).chosen.thresholds.bits
    (4,)
    """
    walk = Walk(space, budget, measure)
    walk.trial(space.loosest, "start")
    kl, low = _judge_low_widths(walk, space, budget)
    ceilings = space.ceilings(low=low)
    walk.study_axes(ceilings)
    end = walk.tighten(space.loosest, "walk", _is_sound, ceilings, only_sound=True)
    if not budget.limited:
        _try_smaller(walk, space, end, ceilings)
    elif not any(trial.sound and not trial.failing for _, trial in walk.tried):
        _stretch(walk, space, end)
    frontier = tuple(trial for _, trial in walk.tried)
    chosen = _choose(frontier, budget)
    nearest = _nearest(frontier, budget) if chosen.failing else None
    return Outcome(chosen, nearest, frontier, walk.axis_trials, kl, low)


def _judge_low_widths(walk: Walk, space: Space, budget: Budget) -> tuple[float | None, bool]:
    """Measure 4 bits everywhere, where that decides something, and apply G5."""
    state = space.at_width(4)
    if state is None or not any(width in LOW_WIDTHS for axis in space.bits for width in axis):
        return None, True
    found = walk.trial(state, "uniform").found
    return found.kl, low_widths_pay(found.kl, budget.max_drop, found.rows)


def _is_sound(trial: Trial) -> bool:
    return trial.sound


def _try_smaller(walk: Walk, space: Space, end: State, ceilings: State) -> None:
    """Try uniform settings that may be smaller than all that is sound so far, walk on from there, and exchange."""

    def may_be_smaller(trial: Trial) -> bool:
        best = _smallest(walk)
        return best is None or trial.found.n_bytes <= best[1].found.n_bytes

    walk.try_uniform(may_be_smaller)
    for state in _starts(walk, end):
        walk.tighten(state, "walk", _is_sound, _at_least(state, ceilings), only_sound=True)
    best = _smallest(walk)
    if best is None:
        return
    for axis in range(space.of_activations.start):
        if best[0][axis] > 0:
            looser = with_level(best[0], axis, best[0][axis] - 1)
            walk.trial(looser, "exchange")
            caps = with_level(_at_least(looser, ceilings), axis, looser[axis])
            walk.tighten(looser, "exchange", _is_sound, caps, only_sound=True)


def _starts(walk: Walk, end: State) -> list[State]:
    """Return the sound uniform settings from which another walk may end smaller than the first one did."""
    best = _smallest(walk)
    if best is None:
        return []
    worth = NEAR * best[1].found.n_bytes
    near = [(state, trial) for state, trial in walk.tried if trial.sound and trial.found.n_bytes <= worth]
    return [state for state, trial in near if trial.phase == "uniform" and state != end]


def _smallest(walk: Walk) -> tuple[State, Trial] | None:
    """Return the smallest candidate that is sound; the one with the least KL of equal ones."""
    sound = [(state, trial) for state, trial in walk.tried if trial.sound]
    return min(sound, key=lambda pair: (pair[1].found.n_bytes, pair[1].found.kl), default=None)


def _at_least(state: State, ceilings: State) -> State:
    return tuple(max(level, ceiling) for level, ceiling in zip(state, ceilings, strict=True))


def _stretch(walk: Walk, space: Space, end: State) -> None:
    """Go on for limits that are missed: while accuracy holds, then over uniform settings, then at any price."""
    tightest = space.ceilings(low=True)
    end = walk.tighten(end, "stretch", lambda trial: trial.holds, tightest, only_sound=False)
    if any(not trial.failing for _, trial in walk.tried):
        return
    walk.try_uniform(lambda trial: not {"max_bytes", "max_macs"} & set(trial.failing))
    if all(trial.failing for _, trial in walk.tried):
        walk.tighten(end, "beyond", lambda trial: True, tightest, only_sound=False)


def _choose(tried: Sequence[Trial], budget: Budget) -> Trial:
    """Choose what to deploy: see `search_thresholds`; where nothing meets the budget, what keeps most of its word."""
    meeting = [trial for trial in tried if not trial.failing]
    sound = [trial for trial in meeting if trial.sound]
    if sound and not budget.limited:
        return min(sound, key=lambda trial: (trial.found.n_bytes, trial.found.kl))
    if meeting:
        return min(sound or meeting, key=lambda trial: trial.found.kl)
    holding = [trial for trial in tried if trial.holds]
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
    >>> from npquant.compression.requirements import Measurement
    >>> from npquant.compression.search_space import Thresholds
    >>> points = ((9, 0.1), (5, 0.2), (9, 0.3))
    >>> found = [Measurement(0, 0, 9, kl, n_bytes, 1, 20.0) for n_bytes, kl in points]
    >>> pareto([Trial(Thresholds((8,), (), ()), each, (), True, "walk") for each in found])
    (True, True, False)
    """
    points = [(trial.found.n_bytes, trial.found.macs, trial.found.kl) for trial in trials]
    return tuple(not any(_dominates(other, point) for other in points) for point in points)


def _dominates(one: tuple[float, ...], two: tuple[float, ...]) -> bool:
    return one != two and all(a <= b for a, b in zip(one, two, strict=True))
