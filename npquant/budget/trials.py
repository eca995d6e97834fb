"""Trying candidates: each once, one axis at a time, by greedy coordinate descent, and over the uniform settings.

G4 (order)        gain / KL added, gain = bytes saved (MACs saved once bytes suffice), measured one axis at a time
G6 (beyond)       expected drop > 4 * (the points that G3 allows): no tighter candidate can be sound; nor can one with
                  fewer bits alone where it is > 1.2 times those points

Legend: KL the divergence M2 of the candidate from the float network, in nats (of real targets that of `rise`); axis,
level and state as in space; measure builds one candidate as a whole and measures it on the validation rows; budget what
is required; phase the part of the search that asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from npquant.budget.requirements import Budget, Measured
from npquant.budget.space import Space, State, Thresholds, Trial, with_level

# Less KL than this is rounding; without a floor a harmless step would have an infinite ratio and every tie one.
KL_FLOOR: Final = 1e-7
# A full refit of all layers brought KL down to a third of what layer-by-layer refits leave, and no further.
HOPELESS: Final = 4.0
# Fewer bits can lower KL only by luck: by less than this.
DEAD: Final = 1.2

Measure = Callable[[Thresholds], Measured]
Accept = Callable[[Trial], bool]


@dataclass(frozen=True, slots=True)
class AxisTrial:
    """What one axis alone does: the candidate that differs from the loosest one in one level of one axis."""

    axis: int
    level: int
    kind: str  # of AXES in space: "weight_bits", "pruning_rate" or "activation_bits"
    layer: int  # the layer that the axis sets it for
    trial: Trial


def try_candidate(thresholds: Thresholds, budget: Budget, measure: Measure, phase: str) -> Trial:
    """Build and measure one candidate (`thresholds`), and hold it to a budget.

    >>> from npquant.budget.requirements import Measurement
    >>> law = lambda thresholds: Measurement(0, 0, 400, 0.03, 9, 1, 12.0)
    >>> trial = try_candidate(Thresholds((4,), (), ()), Budget(), law, "walk")
    >>> trial.failing, trial.sound
    ((), False)
    """
    found = measure(thresholds)
    failing = budget.failing(found)
    return Trial(thresholds, found, failing, budget.sound(found), phase)


class Trials:
    """The candidates of a `space` tried so far, each measured once; `study` measures one axis alone, more cheaply.

    >>> from npquant.budget.requirements import Measurement
    >>> law = lambda t: Measurement(8 - t.bits[0], 0, 400, 2**-t.bits[0] / 4, t.bits[0], 1, 6.0 * t.bits[0])
    >>> trials = Trials(Space(((8, 4, 2),), (), ()), Budget(), law)
    >>> trials.trial((0,), "start").sound
    True
    >>> trials.study_axes((2,))
    >>> [(one.level, one.trial.found.kl, one.trial.sound) for one in trials.axis_trials]
    [(1, 0.015625, True), (2, 0.0625, False)]
    >>> trials.descend((0,), "walk", lambda trial: trial.sound, (2,), only_sound=True)
    (1,)
    """

    def __init__(self, space: Space, budget: Budget, measure: Measure, study: Measure | None = None) -> None:
        self._space, self._budget, self._measure, self._cheap = space, budget, measure, study
        self._tried: dict[State, Trial] = {}
        self._alone: dict[tuple[int, int], AxisTrial] = {}  # by (axis, level)
        self._base: Trial | None = None

    @property
    def tried(self) -> tuple[tuple[State, Trial], ...]:
        """All candidates that may be chosen, in the order tried."""
        return tuple(self._tried.items())

    @property
    def axis_trials(self) -> tuple[AxisTrial, ...]:
        """What each axis does alone, in the order studied."""
        return tuple(self._alone.values())

    @property
    def frontier(self) -> tuple[Trial, ...]:
        """Everything measured: the first candidate, then what was studied more cheaply, then all others."""
        first, *others = self._tried.values()
        studied = [one.trial for one in self._alone.values() if self._cheap is not None]
        base = [] if self._base is None else [self._base]
        return (first, *base, *studied, *others)

    def trial(self, state: State, phase: str) -> Trial:
        """Measure a candidate, or recall it."""
        if state not in self._tried:
            self._tried[state] = try_candidate(self._space.at(state), self._budget, self._measure, phase)
        return self._tried[state]

    def study_axes(self, ceilings: State) -> None:
        """Tighten one axis at a time, up to its ceiling, until a level is far beyond the budget."""
        for axis, ceiling in enumerate(ceilings):
            for level in range(1, ceiling + 1):
                if self._far_beyond(self._study(axis, level).trial, HOPELESS):
                    break

    @property
    def base(self) -> Trial:
        """The loosest candidate, as the axes are studied from it."""
        if self._cheap is None:
            return self.trial(self._space.loosest, "start")
        if self._base is None:
            self._base = try_candidate(self._space.at(self._space.loosest), self._budget, self._cheap, "sensitivity")
        return self._base

    def _study(self, axis: int, level: int) -> AxisTrial:
        if (axis, level) not in self._alone:
            state = with_level(self._space.loosest, axis, level)
            if self._cheap is None:
                trial = self.trial(state, "sensitivity")
            else:
                trial = try_candidate(self._space.at(state), self._budget, self._cheap, "sensitivity")
            self._alone[axis, level] = AxisTrial(axis, level, *self._space.name(axis), trial)
        return self._alone[axis, level]

    def descend(self, state: State, phase: str, accept: Accept, ceilings: State, *, only_sound: bool) -> State:
        """Descend greedily along the axes: the step with the largest ratio G4 that `accept` takes, until none is left.

        It stops early once no limit is missed. A step may pass over levels; one that is not acceptable lowers its
        axis's ceiling. `only_sound` leaves out levels that were not sound alone.
        """
        caps = list(ceilings)
        for axis in self._space.of_activations:
            caps[axis] = state[axis]
        while not self._within_limits(state):
            step = self._steepest(state, caps, only_sound=only_sound)
            if step is None:
                break
            axis, level = step
            after = with_level(state, axis, level)
            if accept(self.trial(after, phase)):
                state = after
            else:
                caps[axis] = level - 1
        return state

    def _within_limits(self, state: State) -> bool:
        """Say whether there are limits on bytes and MACs and a candidate keeps them; without limits never."""
        return self._budget.limited and not {"max_bytes", "max_macs"} & set(self._tried[state].failing)

    def _steepest(self, state: State, caps: list[int], *, only_sound: bool) -> tuple[int, int] | None:
        """Choose the step with the largest ratio G4; the smaller axis, then the shorter step on ties."""
        best, choice = 0.0, None
        for axis, level in self._steps(state, caps, only_sound=only_sound):
            ratio = self._ratio(axis, state[axis], level, self._tried[state].found)
            if ratio > best:
                best, choice = ratio, (axis, level)
        return choice

    def _steps(self, state: State, caps: list[int], *, only_sound: bool) -> Iterator[tuple[int, int]]:
        """Yield the steps that each axis has left: to levels studied alone, or else to the next one."""
        for axis, cap in enumerate(caps):
            for level in range(state[axis] + 1, cap + 1):
                if (axis, level) not in self._alone and (only_sound or level > state[axis] + 1):
                    break
                if self._study(axis, level).trial.sound or not only_sound:
                    yield axis, level

    def _ratio(self, axis: int, level: int, after: int, found: Measured) -> float:
        """G4, to nine digits, so that the last bits of a sum cannot decide an order."""
        loose = self.base if level == 0 else self._study(axis, level).trial
        one, two, budget = loose.found, self._alone[axis, after].trial.found, self._budget
        bytes_suffice = budget.max_bytes is None or found.n_bytes <= budget.max_bytes
        by_macs = budget.max_macs is not None and bytes_suffice
        gain = one.macs - two.macs if by_macs else one.n_bytes - two.n_bytes
        return float(f"{gain / max(two.divergence - one.divergence, KL_FLOOR):.9g}")

    def hopeless(self, state: State) -> bool:
        """G6: whether a candidate that is nowhere tighter was far beyond the budget."""
        alone = (one.trial for one in self._alone.values() if one.level <= state[one.axis])
        looser = (
            trial for other, trial in self._tried.items() if all(a <= b for a, b in zip(other, state, strict=True))
        )
        return any(self._far_beyond(trial, HOPELESS) for trial in (*alone, *looser))

    def smallest(self) -> tuple[State, Trial] | None:
        """Return the smallest candidate that is sound, the one with the least KL of equal ones; None: none is."""
        sound = [(state, trial) for state, trial in self._tried.items() if trial.sound]
        return min(sound, key=lambda pair: (pair[1].found.n_bytes, pair[1].found.divergence), default=None)

    def try_uniform(self) -> None:
        """Try one width and one rate for all layers, wherever that may be smaller than all that is sound so far.

        From the largest rate down, and from the tightest width on: a rate is done with its first sound width, or where
        a width is too large, for looser widths are larger. Lower rates are larger too. Until a rate has had a sound
        width, its loosest width is tried first: where that is beyond the budget (G6), so are the others.
        """
        alive = False
        for states in self._space.uniforms():
            if self.hopeless(states[-1]):
                continue
            if not alive and self._far_beyond(self.trial(states[-1], "uniform"), DEAD):
                continue
            for number, state in enumerate(states):
                best = self.smallest()
                trial = self.trial(state, "uniform")
                if best is not None and trial.found.n_bytes > best[1].found.n_bytes:
                    if number == 0:
                        return
                    break
                if trial.sound:
                    alive = True
                    break

    def _far_beyond(self, trial: Trial, factor: float) -> bool:
        """Say whether a candidate is not sound, and its expected drop this many times what is allowed."""
        expected, allowed = self._budget.expectation(trial.found)
        return not trial.sound and expected > factor * allowed
