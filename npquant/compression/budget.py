"""From an accuracy requirement to thresholds: a greedy search over bit widths and pruning rates.

The search knows neither networks nor data. It is given what may be chosen (`Space`), what is required
(`Requirements`), and a function that builds one candidate as a whole and measures it on the validation rows.

G1 (drop)         drop = b - c rows; allowed = floor(max_drop * R / 100) rows
G2 (shown)        P(Binomial(b - allowed + c, 1/2) >= b - allowed) < 0.05: the paired test shows a larger drop
G3 (order)        gain / KL added, gain = bytes saved (MACs saved once bytes suffice), measured one axis at a time

Letters: R validation rows; b rows that the float network alone gets right, c rows that the candidate alone gets right.
An axis is one layer's bit width or one hidden layer's pruning rate; its levels go from loose to tight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import Final

SIGNIFICANCE: Final = Fraction(1, 20)
# Less KL than this is rounding; without a floor a harmless step would have an infinite ratio and every tie one.
KL_FLOOR: Final = 1e-7


@dataclass(frozen=True, slots=True)
class Thresholds:
    """One candidate: a bit width for each layer, a pruning rate for each hidden layer."""

    bits: tuple[int, ...]
    rates: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a candidate is on the validation rows (b, c, rows, kl), and what it costs."""

    b: int
    c: int
    rows: int
    kl: float
    n_bytes: int
    macs: int

    @property
    def drop(self) -> float:
        """Accuracy lost against the float network, in points; negative where it is gained."""
        return 100 * (self.b - self.c) / self.rows


@dataclass(frozen=True, slots=True)
class Requirements:
    """What must hold: accuracy on the validation rows, and optionally bytes and MACs.

    Parameters
    ----------
    max_drop : float
        Points of accuracy, in [0, 100].
    max_bytes, max_macs : int or None
        Upper limits, >= 1; None: no limit.

    Raises
    ------
    ValueError
        If a value lies outside its interval.
    """

    max_drop: float
    max_bytes: int | None = None
    max_macs: int | None = None

    def __post_init__(self) -> None:
        """Check the intervals, NaN included."""
        if not 0 <= self.max_drop <= 100:
            raise ValueError(f"max_drop is {self.max_drop}; give points of accuracy in [0, 100]")
        for name in ("max_bytes", "max_macs"):
            limit = getattr(self, name)
            if limit is not None and limit < 1:
                raise ValueError(f"{name} is {limit}; give a limit of at least 1, or none")

    def failing(self, found: Measurement) -> tuple[str, ...]:
        """Name the requirements that a measurement misses, in the order accuracy, bytes, MACs."""
        names = [] if accuracy_holds(found, self.max_drop) else ["max_drop"]
        if self.max_bytes is not None and found.n_bytes > self.max_bytes:
            names.append("max_bytes")
        if self.max_macs is not None and found.macs > self.max_macs:
            names.append("max_macs")
        return tuple(names)


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


def allowed_rows(max_drop: float, rows: int) -> int:
    """Count the rows that may be lost: G1, with max_drop taken as the decimal number it is written as.

    Examples
    --------
    >>> allowed_rows(1.0, 270), allowed_rows(0.1, 1000)
    (2, 1)
    """
    return int(Fraction(repr(float(max_drop))) * rows // 100)


def shows_larger_drop(b: int, c: int, allowed: int) -> bool:
    """Decide whether a paired one-sided test shows that more rows are lost than allowed.

    Parameters
    ----------
    b, c : int
        Rows that the float network alone, and the candidate alone, gets right.
    allowed : int
        Rows that may be lost, >= 0.

    Returns
    -------
    bool
        G2, in exact integers.

    Notes
    -----
    McNemar's exact test after taking the allowed rows from b. It can be True only where b - c > allowed, so it
    separates a drop that is evidence from one that a few rows may have made.

    Examples
    --------
    >>> shows_larger_drop(4, 1, 2), shows_larger_drop(12, 1, 2)
    (False, True)
    """
    excess = max(b - allowed, 0)
    n = excess + c
    return sum(comb(n, i) for i in range(c + 1)) < SIGNIFICANCE * (1 << n)


def accuracy_holds(found: Measurement, max_drop: float) -> bool:
    """Decide whether a candidate's accuracy is acceptable.

    Parameters
    ----------
    found : Measurement
        On the validation rows.
    max_drop : float
        Points.

    Returns
    -------
    bool
        b - c <= allowed (G1), and the paired test does not show a larger drop (G2).

    Examples
    --------
    >>> accuracy_holds(Measurement(b=3, c=1, rows=270, kl=0.0, n_bytes=1, macs=1), 1.0)
    True
    """
    allowed = allowed_rows(max_drop, found.rows)
    return found.b - found.c <= allowed and not shows_larger_drop(found.b, found.c, allowed)


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
    1. Sensitivity: from the loosest candidate each axis alone is tightened level by level, until accuracy fails.
    2. Walk: always the step with the largest ratio G3, ties to the smaller axis; the candidate is measured as a whole.
       A step that costs too much accuracy closes its axis.
    3. If limits are still missed, the walk goes on without regard to accuracy, so that the report can say what they
       would cost (`nearest`); the tightest acceptable candidate stays chosen.
    Greedy: not proven smallest. Deterministic, given a deterministic `measure`.

    Examples
    --------
    >>> space = Space(bits=((8, 4, 2),), rates=())
    >>> law = lambda t: Measurement(b=8 - t.bits[0], c=0, rows=400, kl=1 / t.bits[0], n_bytes=t.bits[0], macs=1)
    >>> search_thresholds(space, Requirements(1.0), law).chosen.thresholds.bits
    (4,)
    """
    walk = _Walk(space, requirements, measure)
    start = (0,) * len(space.levels)
    first = walk.trial(start, "start")
    if not accuracy_holds(first.found, requirements.max_drop):
        return SearchResult(first, False, first, walk.frontier)
    walk.sensitivity(start)
    state, chosen = walk.tighten(start, keep_accuracy=True)
    if not chosen.failing:
        return SearchResult(chosen, True, None, walk.frontier)
    walk.tighten(state, keep_accuracy=False)
    return SearchResult(chosen, False, _nearest(walk.frontier, requirements), walk.frontier)


@dataclass(frozen=True, slots=True)
class _Step:
    """What one axis alone saves and costs from one level to the next, and whether its accuracy holds."""

    n_bytes: int
    macs: int
    kl: float
    holds: bool


class _Walk:
    """The candidates tried so far, each measured once."""

    def __init__(
        self, space: Space, requirements: Requirements, measure: Callable[[Thresholds], Measurement]
    ) -> None:
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
                after, holds = trial.found, "max_drop" not in trial.failing
                saved = before.n_bytes - after.n_bytes, before.macs - after.macs
                self._steps[axis, level] = _Step(*saved, after.kl - before.kl, holds)
                if not holds:
                    break
                before = after

    def tighten(self, state: tuple[int, ...], *, keep_accuracy: bool) -> tuple[tuple[int, ...], Trial]:
        """Take steps by falling ratio until no limit is missed, or none is left."""
        current, closed = self.trial(state, "start"), set[int]()
        unlimited = self._requirements.max_bytes is None and self._requirements.max_macs is None
        while unlimited or current.failing:
            axis = self._steepest(state, current.found, closed, keep_accuracy)
            if axis is None:
                break
            step = _with(state, axis, state[axis] + 1)
            after = self.trial(step, "walk" if keep_accuracy else "beyond")
            if keep_accuracy and "max_drop" in after.failing:
                closed.add(axis)
            else:
                state, current = step, after
            if not keep_accuracy and set(current.failing) <= {"max_drop"}:
                break
        return state, current

    def _steepest(
        self, state: tuple[int, ...], found: Measurement, closed: set[int], keep_accuracy: bool
    ) -> int | None:
        """Choose the axis whose next step has the largest ratio G3; the smaller index on ties."""
        best, choice = 0.0, None
        for axis, level in enumerate(state):
            if axis in closed or level + 1 >= self._space.levels[axis]:
                continue
            # Beyond the first level that failed alone nothing was measured: that step stands for what follows.
            step = self._steps[axis, min(level + 1, max(at for of, at in self._steps if of == axis))]
            ratio = self._ratio(step, found)
            if ratio > best and (step.holds or not keep_accuracy):
                best, choice = ratio, axis
        return choice

    def _ratio(self, step: _Step, found: Measurement) -> float:
        """G3, to nine digits, so that the last bits of a sum cannot decide an order."""
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
