"""From an accuracy requirement to thresholds: a greedy search over bit widths and pruning rates.

The search knows neither networks nor data. It is given what may be chosen (`Space`), what is required
(`Requirements`), and a function that builds one candidate as a whole and measures it on the validation rows.

G4 (order)        gain / KL added, gain = bytes saved (MACs saved once bytes suffice), measured one axis at a time

An axis is one layer's bit width or one hidden layer's pruning rate; its levels go from loose to tight.
Letters: KL the divergence M2 of the candidate from the float network, in nats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from npquant.compression.requirements import Measurement, Requirements, accuracy_holds, expected_to_hold

# Less KL than this is rounding; without a floor a harmless step would have an infinite ratio and every tie one.
KL_FLOOR: Final = 1e-7


@dataclass(frozen=True, slots=True)
class Thresholds:
    """One candidate: a bit width for each layer, a pruning rate for each hidden layer."""

    bits: tuple[int, ...]
    rates: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """A candidate, its measurement, what it misses, and the phase of the search that tried it."""

    thresholds: Thresholds
    found: Measurement
    failing: tuple[str, ...]
    phase: str


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The candidate to deploy, whether it meets everything, and all candidates in the order tried.

    `nearest` is None when `met`; else the candidate that meets the limits of bytes and MACs at the least drop, or,
    where none meets them, comes closest to them.
    """

    chosen: Trial
    met: bool
    nearest: Trial | None
    frontier: tuple[Trial, ...]


@dataclass(frozen=True, slots=True)
class Space:
    """What may be chosen: for each layer its widths, for each hidden layer its rates, from loose to tight."""

    bits: tuple[tuple[int, ...], ...]
    rates: tuple[tuple[float, ...], ...]

    @property
    def levels(self) -> tuple[int, ...]:
        """Number of levels of each axis: layers first, then hidden layers."""
        return tuple(len(axis) for axis in (*self.bits, *self.rates))

    def at(self, state: tuple[int, ...]) -> Thresholds:
        """Return the thresholds at one level for each axis."""
        n = len(self.bits)
        bits = tuple(axis[level] for axis, level in zip(self.bits, state[:n], strict=True))
        return Thresholds(bits, tuple(axis[level] for axis, level in zip(self.rates, state[n:], strict=True)))


def search_thresholds(
    space: Space,
    requirements: Requirements,
    measure: Callable[[Thresholds], Measurement],
) -> SearchResult:
    """Find the thresholds that meet the requirements.

    Parameters
    ----------
    space : Space
        Axes and their levels, loosest first.
    requirements : Requirements
        Accuracy, and optionally bytes and MACs.
    measure : callable
        Builds one candidate as a whole chain and measures it on the validation rows. Called once for each candidate.

    Returns
    -------
    SearchResult
        Without limits on bytes and MACs the tightest candidate that the walk accepts; with limits the first that meets
        them, which is the one with the most accuracy to spare.

    Notes
    -----
    1. Sensitivity: from the loosest candidate each axis alone is tightened level by level, while it is expected to
       hold (`expected_to_hold`).
    2. Walk: always the step with the largest ratio G4, ties to the smaller axis; the candidate is measured as a whole.
       A step that is not expected to hold closes its axis.
    3. If limits are still missed, the walk goes on as long as accuracy holds on the validation rows.
    4. If they are missed even so, it goes on without regard to accuracy, so that the report can say what the limits
       would cost (`nearest`); the tightest acceptable candidate stays chosen.
    Greedy: not proven smallest. Deterministic, given a deterministic `measure`.

    Examples
    --------
    >>> space = Space(bits=((8, 4, 2),), rates=())
    >>> law = lambda t: Measurement(b=8 - t.bits[0], c=0, rows=400, kl=2**-t.bits[0] / 4, n_bytes=t.bits[0], macs=1)
    >>> search_thresholds(space, Requirements(1.0), law).chosen.thresholds.bits
    (4,)
    """
    walk = _Walk(space, requirements, measure)
    start = (0,) * len(space.levels)
    first = walk.trial(start, "start")
    if not accuracy_holds(first.found, requirements.max_drop):
        return SearchResult(first, False, first, walk.frontier)
    walk.sensitivity(start)
    state, chosen = walk.tighten(start, "walk", lambda trial: expected_to_hold(trial.found, requirements.max_drop))
    if chosen.failing:
        state, chosen = walk.tighten(state, "stretch", lambda trial: "max_drop" not in trial.failing)
    if not chosen.failing:
        return SearchResult(chosen, True, None, walk.frontier)
    walk.tighten(state, "beyond", lambda trial: True)
    return SearchResult(chosen, False, _nearest(walk.frontier, requirements), walk.frontier)


def confirm(
    result: SearchResult, requirements: Requirements, measure: Callable[[Thresholds], Measurement]
) -> SearchResult:
    """Build the chosen thresholds in another way, and take that unless it misses more.

    Parameters
    ----------
    result : SearchResult
        Of a search that built its candidates cheaply.
    requirements : Requirements
        As in the search.
    measure : callable
        Builds the candidate with more care.

    Returns
    -------
    SearchResult
        With one more trial, of the phase "confirmed", which is chosen if it misses nothing that the old one met.

    Examples
    --------
    >>> cheap = search_thresholds(Space(((8,),), ()), Requirements(1.0), lambda t: Measurement(0, 0, 9, 0.2, 1, 1))
    >>> confirm(cheap, Requirements(1.0), lambda t: Measurement(0, 0, 9, 0.1, 1, 1)).chosen.found.kl
    0.1
    """
    found = measure(result.chosen.thresholds)
    trial = Trial(result.chosen.thresholds, found, requirements.failing(found), "confirmed")
    frontier = (*result.frontier, trial)
    if not set(trial.failing) <= set(result.chosen.failing):
        return replace(result, frontier=frontier)
    met = not trial.failing
    return SearchResult(trial, met, None if met else result.nearest, frontier)


@dataclass(frozen=True, slots=True)
class _Step:
    """What one axis alone saves and costs from one level to the next, and whether it is expected to hold."""

    n_bytes: int
    macs: int
    kl: float
    holds: bool


class _Walk:
    """The candidates tried so far, each measured once."""

    def __init__(self, space: Space, requirements: Requirements, measure: Callable[[Thresholds], Measurement]) -> None:
        self._space, self._requirements, self._measure = space, requirements, measure
        self._tried: dict[tuple[int, ...], Trial] = {}
        self._steps: dict[tuple[int, int], _Step] = {}  # by (axis, level that the step arrives at)

    @property
    def frontier(self) -> tuple[Trial, ...]:
        """All candidates in the order tried."""
        return tuple(self._tried.values())

    def trial(self, state: tuple[int, ...], phase: str) -> Trial:
        """Measure a candidate, or recall it."""
        if state not in self._tried:
            thresholds = self._space.at(state)
            found = self._measure(thresholds)
            self._tried[state] = Trial(thresholds, found, self._requirements.failing(found), phase)
        return self._tried[state]

    def sensitivity(self, start: tuple[int, ...]) -> None:
        """Tighten one axis at a time, until accuracy fails, and remember what each step saves and costs."""
        for axis, levels in enumerate(self._space.levels):
            before = self.trial(start, "start").found
            for level in range(1, levels):
                trial = self.trial(_with(start, axis, level), "sensitivity")
                after = trial.found
                holds = expected_to_hold(after, self._requirements.max_drop)
                saved = before.n_bytes - after.n_bytes, before.macs - after.macs
                self._steps[axis, level] = _Step(*saved, after.kl - before.kl, holds)
                if not holds:
                    break
                before = after

    def tighten(
        self, state: tuple[int, ...], phase: str, accept: Callable[[Trial], bool]
    ) -> tuple[tuple[int, ...], Trial]:
        """Take acceptable steps by falling ratio until no limit is missed, or none is left."""
        current, closed = self.trial(state, "start"), set[int]()
        unlimited = self._requirements.max_bytes is None and self._requirements.max_macs is None
        while unlimited or set(current.failing) - {"max_drop"}:
            axis = self._steepest(state, current.found, closed, only_sound=phase == "walk")
            if axis is None:
                break
            step = _with(state, axis, state[axis] + 1)
            after = self.trial(step, phase)
            if accept(after):
                state, current = step, after
            else:
                closed.add(axis)
        return state, current

    def _steepest(
        self, state: tuple[int, ...], found: Measurement, closed: set[int], *, only_sound: bool
    ) -> int | None:
        """Choose the axis whose next step has the largest ratio G4; the smaller index on ties."""
        best, choice = 0.0, None
        for axis, level in enumerate(state):
            if axis in closed or level + 1 >= self._space.levels[axis]:
                continue
            # Beyond the first level that failed alone nothing was measured: that step stands for what follows.
            step = self._steps[axis, min(level + 1, max(at for of, at in self._steps if of == axis))]
            ratio = self._ratio(step, found)
            if ratio > best and (step.holds or not only_sound):
                best, choice = ratio, axis
        return choice

    def _ratio(self, step: _Step, found: Measurement) -> float:
        """G4, to nine digits, so that the last bits of a sum cannot decide an order."""
        limits = self._requirements
        bytes_suffice = limits.max_bytes is None or found.n_bytes <= limits.max_bytes
        gain = step.macs if limits.max_macs is not None and bytes_suffice else step.n_bytes
        return float(f"{gain / max(step.kl, KL_FLOOR):.9g}")


def _with(state: tuple[int, ...], axis: int, level: int) -> tuple[int, ...]:
    return (*state[:axis], level, *state[axis + 1 :])


def _nearest(frontier: tuple[Trial, ...], requirements: Requirements) -> Trial:
    """Choose the trial that misses limits by the smallest factor, then drops least, then was tried first."""

    def distance(trial: Trial) -> tuple[float, float]:
        pairs = ((trial.found.n_bytes, requirements.max_bytes), (trial.found.macs, requirements.max_macs))
        return max([1.0, *(have / limit for have, limit in pairs if limit is not None)]), trial.found.drop

    return min(frontier, key=distance)
