"""A limit on the time of a search: asked before each candidate is begun, and what is said once it has passed.

What is found is put together once more after the search. So a candidate is begun only while the time spent and the
longest candidate so far fit into the limit together: then the search ends at most one candidate late. The first
candidate, 8 bits and nothing pruned, is always built, so that there is an answer.

Legend: limit in seconds, > 0, None for no limit; clock returns seconds, from any origin, that never go back; measure as
in trials.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from numbers import Real
from typing import Final

from npquant.budget.requirements import Measured
from npquant.budget.space import Space, Thresholds
from npquant.budget.trials import Measure

Clock = Callable[[], float]
# Beside the levels that one axis takes alone, of which the bundled digits have 48 and in all 78 candidates.
CANDIDATES_A_LEVEL: Final = 1.6


class OutOfTime(Exception):
    """No further candidate is begun: what was tried so far is what the search found."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a search had done when its time was over."""

    limit: float
    seconds: float  # that it took
    tried: int  # candidates
    expected: int  # about as many a whole search would have tried

    @property
    def words(self) -> str:
        """Say so, without a full stop."""
        expected = max(self.expected, self.tried + 1)
        return (
            f"the search stopped after {self.seconds:.1f} s, its limit being {self.limit:g}, with {self.tried:,} of "
            f"about {expected:,} candidates tried; more may be found, and another run may stop elsewhere"
        )


class Stopwatch:
    """The time that candidates take.

    >>> from npquant.budget.requirements import Measurement
    >>> now, made = [0.0], Thresholds((8,), (), ())
    >>> watch = Stopwatch(5.0, lambda: now[0])
    >>> def measure(made):
    ...     now[0] += 2.0
    ...     return Measurement(0, 0, 9, 0.0, 1, 1, 20.0)
    >>> timed = watch.timed(measure)
    >>> for _ in range(3):
    ...     try:
    ...         _ = timed(made)
    ...     except OutOfTime:
    ...         print(watch.tried, "tried,", watch.seconds, "s")
    2 tried, 4.0 s
    """

    def __init__(self, limit: float | None, clock: Clock) -> None:
        self.limit, self._clock, self._start = limit, clock, clock()
        self.tried, self._longest = 0, 0.0

    @property
    def seconds(self) -> float:
        """How long the search has run."""
        return self._clock() - self._start

    def timed(self, measure: Measure, times: float = 1.0) -> Measure:
        """Return `measure`, which raises OutOfTime instead of beginning a candidate that would end too late.

        It may take so many `times` as long as the longest one so far, >= 1.
        """

        def within_limit(made: Thresholds) -> Measured:
            begun = self.seconds
            if self.tried and self.limit is not None and begun + times * self._longest >= self.limit:
                raise OutOfTime
            found = measure(made)
            self.tried, self._longest = self.tried + 1, max(self._longest, self.seconds - begun)
            return found

        return within_limit

    def stopped(self, space: Space) -> Stopped:
        """Describe a search of `space` that ended here."""
        assert self.limit is not None
        return Stopped(self.limit, self.seconds, self.tried, expected_candidates(space))


def expected_candidates(space: Space) -> int:
    """Say about how many candidates a search of `space` tries.

    >>> expected_candidates(Space(((8, 4, 2),) * 2, ((0.0, 0.5),), ((8, 7, 6),)))
    12
    """
    return 1 + round(CANDIDATES_A_LEVEL * sum(count - 1 for count in space.levels))


def checked_time_limit(seconds: object) -> float | None:
    """Return a limit as float; TypeError for what is no number, ValueError for one that is not above 0 and finite.

    >>> checked_time_limit(90), checked_time_limit(None)
    (90.0, None)
    """
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, Real):
        raise TypeError(f"time_limit is {seconds!r}; give seconds, or None for no limit")
    if not (isfinite(seconds) and float(seconds) > 0):
        raise ValueError(f"the time limit is {seconds}; give seconds above 0, or no limit")
    return float(seconds)
