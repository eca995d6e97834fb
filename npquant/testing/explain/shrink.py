"""The shrinker: the same mistake on as little as will show it.

Legend: finding what a backend got wrong; a candidate is a simpler case, asked of the same backend; an observation is a
case with what the backend made of it, outcome. It knows the domain: an input that goes leaves its product in the bias.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Final

import numpy as np

from npquant.arrays import Codes
from npquant.profiles import get
from npquant.testing import backend as kinds
from npquant.testing.ask import ask
from npquant.testing.backend import Backend, Capabilities, Outcome, capabilities_from, why_not_asked
from npquant.testing.case import Case, expected
from npquant.testing.explain.simpler import Simplify, ways
from npquant.testing.explain.smaller import key, measure
from npquant.testing.judge import Finding, judge, judged

# Candidates asked, and seconds spent, at most; of a backend that crashes, where each question may start it anew.
MOST_CALLS: Final = 240
MOST_SECONDS: Final = 4.0
MOST_CRASHES: Final = 12
# A backend that answers one question in two ways is asked so often before a candidate counts as right.
FLAKY_TRIES: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """A case that was put to a backend, what came of it, and what was wrong with that: a kind, "value" if nothing."""

    case: Case
    outcome: Outcome
    kind: str = kinds.VALUE


@dataclass(frozen=True, slots=True, eq=False)
class Shrinking:
    """A shrunk finding, all that was asked on the way, and whether what was wrong was right when asked again."""

    finding: Finding
    asked: tuple[Observation, ...]
    unstable: bool = False


def shrink(backend: Backend, finding: Finding) -> Finding:
    """Return a finding of the same kind on the simplest case that was found; the given one if none is simpler.

    >>> import numpy as np
    >>> import npquant
    >>> from npquant.testing.adapters.callable import from_callable
    >>> from npquant.testing.case import one_layer
    >>> def f(x_q, w_q, bias, **kw):
    ...     return npquant.linear(x_q, w_q, None, profile="ort", **kw)
    >>> p = npquant.QuantParams(0.5, 0, -128, 127)
    >>> rng = np.random.default_rng(0)
    >>> x_q, w_q = rng.integers(-9, 9, (4, 8)).astype(np.int8), rng.integers(-9, 9, (8, 5)).astype(np.int8)
    >>> case = one_layer(x_q, w_q, np.full(5, 31, np.int32), p, p, p, "ort")
    >>> backend = from_callable(f, profile="ort")
    >>> found = shrink(backend, judge(backend, case)[0])
    >>> found.case.elements, found.case.model.layers[0].bias.tolist(), found.got.tolist(), found.want.tolist()
    (2, [1], [[0]], [[1]])
    """
    return shrunk(backend, finding).finding


def shrunk(
    backend: Backend,
    finding: Finding,
    calls: int = MOST_CALLS,
    seconds: float = MOST_SECONDS,
    asks: Callable[[Case], Outcome] | None = None,
) -> Shrinking:
    """Shrink within so many calls and seconds, and keep what was asked; `asks` puts a case in another way than `ask`.

    A backend that hangs is not asked again. Where the end no longer shows the mistake (the backend keeps a state), the
    given finding is returned as it was."""
    if finding.kind == kinds.HUNG:
        return Shrinking(finding, ())
    if finding.kind == kinds.CRASHED:
        calls = MOST_CRASHES
    search = _Search(backend, finding, calls, time.perf_counter() + seconds, asks or partial(ask, backend))
    found = search.run()
    if found is not finding and finding.kind != kinds.FLAKY:
        again = search.tried(found.case)
        if again is None:
            return Shrinking(finding, tuple(search.asked), unstable=True)
        found = again
    return Shrinking(found, tuple(search.asked))


class _Search:
    """Greedy descent: the first candidate that is simpler and fails alike takes the place of the case."""

    def __init__(
        self, backend: Backend, finding: Finding, calls: int, end: float, asks: Callable[[Case], Outcome]
    ) -> None:
        self.backend, self.finding, self.calls, self.end, self.asks = backend, finding, calls, end, asks
        self.can: Capabilities = capabilities_from(backend, get(finding.case.model.profile))
        self.asked: list[Observation] = []
        self.right: set[tuple[object, ...]] = set()

    def run(self) -> Finding:
        """Go through all ways until none of them helps."""
        best, size = self.finding, measure(self.finding.case)
        stuck = False
        while not stuck:
            stuck = True
            for way in ways(best.case):
                found = self.improved(best, size, way)
                while found is not None:
                    best, size, stuck = found, measure(found.case), False
                    found = self.improved(best, size, way)
        return best

    def improved(self, best: Finding, size: tuple[int, ...], way: Simplify) -> Finding | None:
        """Return the finding on the first candidate of one way that is simpler and fails alike."""
        for case in self.candidates(best, way):
            if len(self.asked) >= self.calls or time.perf_counter() > self.end:
                return None
            if not measure(case) < size or key(case) in self.right:
                continue
            self.right.add(key(case))
            legal, due = self.answer(case)
            found = self.tried(case, due) if legal else None
            if found is not None:
                return found
        return None

    def candidates(self, best: Finding, way: Simplify) -> Iterator[Case]:
        """Yield the candidates of one way, none beyond one that cannot be formed."""
        row, column = (*best.index, 0, 0)[:2] if best.index else (0, 0)
        try:
            yield from way(best.case, row, column)
        except (ValueError, OverflowError, IndexError):
            return

    def answer(self, case: Case) -> tuple[bool, Codes | None]:
        """Say whether the case may be asked and is still what it was, valid or illegal; with the answer that is due."""
        if why_not_asked(case, self.can) or not case.model.layers[-1].w_q.shape[1]:
            return False, None
        try:
            with np.errstate(all="ignore"):
                return case.status != "must_reject", expected(case)
        except (ValueError, TypeError, OverflowError):
            return case.status == "must_reject", None

    def tried(self, case: Case, due: Codes | None = None) -> Finding | None:
        """Ask; return the finding if it is of the kind that is looked for."""
        if self.finding.kind == kinds.FLAKY:
            return self.tried_often(case)
        outcome = self.asks(case)
        found = judged(case, outcome) if due is None else judged(case, outcome, lambda _: due)
        self.asked.append(observed(case, outcome, found))
        return found if found is not None and alike(found, self.finding) else None

    def tried_often(self, case: Case) -> Finding | None:
        """Ask several times: an answer that is wrong once is enough."""
        for _ in range(FLAKY_TRIES):
            found, outcome = judge(self.backend, case)
            self.asked.append(observed(case, outcome, found))
            if found is not None and found.kind == self.finding.kind:
                return found
        return None


def observed(case: Case, outcome: Outcome, finding: Finding | None) -> Observation:
    """Return what was seen of a case: a copy, as an answer may change when the backend is asked again."""
    value = None if outcome.value is None else outcome.value.copy()
    return Observation(case, replace(outcome, value=value), kinds.VALUE if finding is None else finding.kind)


def alike(a: Finding, b: Finding) -> bool:
    """Say whether two findings, a and b, are of one kind; of exceptions, whether their types are the same."""
    named = a.kind in (kinds.RAISED, kinds.REJECTED)
    return a.kind == b.kind and (not named or a.detail.split(":")[0] == b.detail.split(":")[0])


def minimal_history(steps: tuple[Case, ...], fails: Callable[[tuple[Case, ...]], bool]) -> tuple[Case, ...]:
    """Return as few of the steps as still make `fails(steps)` true, by leaving out halves, quarters ... single ones."""
    kept, size = list(steps), (len(steps) + 1) // 2
    while size and kept:
        starts = islice(range(0, len(kept), size), 64)
        for start in starts:
            fewer = kept[:start] + kept[start + size :]
            if fails(tuple(fewer)):
                kept = fewer
                break
        else:
            size = 0 if size == 1 else (size + 1) // 2
    return tuple(kept)
