"""The explanation of a finding: shrunk, traced, diagnosed, with its pattern; plain data that the renderings read.

Legend: tier and seed of the run; culprit the suspect that keeps a state; small what shrinking came to; found is the
finding as the runner met it, finding the shrunk one; asked all that was put to the backend in the run, in order, up
to position before and with the finding; before the calls that a backend with a state needs first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice, takewhile
from typing import Final

from npquant.profiles import get
from npquant.testing import backend as kinds
from npquant.testing.ask import ask
from npquant.testing.backend import Backend, Outcome
from npquant.testing.case import Case
from npquant.testing.explain.diagnose import LARGE, Diagnosis, Suspect, closest, diagnose, stateful_suspect
from npquant.testing.explain.pattern import Pattern, pattern
from npquant.testing.explain.shrink import Observation, Shrinking, minimal_history, shrunk
from npquant.testing.explain.trace import Trace, trace
from npquant.testing.judge import Finding, judged

# Observations that a diagnosis replays, of the finding's own class and of the others.
MOST_NEAR: Final = 32
MOST_FAR: Final = 48
# Cases that are made and asked, where several suspects are left.
MOST_MORE: Final = 120
# Who does this is not asked more than need be.
DYING: Final = (kinds.CRASHED, kinds.HUNG)


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """A finding, small and explained: what a report is made of."""

    found: Finding
    finding: Finding
    before: tuple[Case, ...]
    calls: int
    trace: Trace | None
    diagnoses: tuple[Diagnosis, ...]
    closest: tuple[Diagnosis, ...]
    pattern: Pattern
    tier: str
    seed: int
    unstable: bool = False


def explained(
    backend: Backend,
    found: Finding,
    asked: Sequence[Observation],
    position: int,
    tier: str,
    seed: int,
    more: Callable[[], Iterable[Case]] = tuple,
) -> Explanation:
    """Shrink a finding, replay the suspects, trace the wrong output, look for the pattern.

    more() gives cases that the backend is asked yet, if several suspects are left."""
    profile = get(found.case.model.profile)
    small = shrunk(backend, found)
    near, far = evidence(small, found, asked)
    steps = tuple(asked[:position])
    asking = () if found.kind in DYING else islice(more(), MOST_MORE)
    if small.finding.case.elements > LARGE:
        # What is asked of 250 suspects should be small: a right answer elsewhere rules out as well as a wrong one here.
        near += [o for o in far if o.kind == kinds.VALUE]
    names = diagnose(profile, near, steps, chain(far, (Observation(case, ask(backend, case)) for case in asking)))
    before: tuple[Case, ...] = ()
    culprit = stateful_suspect(names[0].name, profile) if names else None
    calls, unstable = len(small.asked), small.unstable
    if culprit is not None:
        small, before = with_history(backend, found, steps, culprit)
    # What changes from call to call comes near to nothing that does not.
    nearest = () if names or found.kind == kinds.FLAKY else closest(profile, near)
    finding = small.finding
    seen = pattern([*near, *far] if names or found.kind != kinds.FLAKY else ())
    return Explanation(found, finding, before, calls, traced(finding), names, nearest, seen, tier, seed, unstable)


def evidence(
    small: Shrinking, found: Finding, asked: Sequence[Observation]
) -> tuple[list[Observation], list[Observation]]:
    """Return what was seen near the finding and far from it: the shrunk case first, and smaller before larger.

    Near: the shrinker's own questions and those of the class; wrong answers before right ones."""
    last = small.finding
    near = [as_seen(last)]
    told = [o for o in asked if o.outcome.kind != kinds.DECLINED]
    tried = [o for o in small.asked if o.outcome.kind != kinds.DECLINED and o.case is not last.case]
    near += tried[::-1][:MOST_NEAR]
    own = [o for o in told if o.case.group == found.case.group]
    own.sort(key=lambda o: (o.case is not found.case, o.kind == kinds.VALUE, o.case.elements))
    far = [o for o in told if o.case.group != found.case.group]
    far.sort(key=lambda o: (o.kind == kinds.VALUE, o.case.elements))
    # Small ones come first, but of many cases large ones are among those that are taken.
    return near + own[:: len(own) // MOST_NEAR + 1], far[:: len(far) // MOST_FAR + 1]


def as_seen(finding: Finding) -> Observation:
    """Return a finding as an observation."""
    answered = finding.kind in (kinds.WRONG_VALUE, kinds.FLAKY, kinds.ACCEPTED)
    kind = kinds.VALUE if answered else finding.kind
    return Observation(finding.case, Outcome(kind, finding.got, finding.detail), finding.kind)


def traced(finding: Finding) -> Trace | None:
    """Return the trace of the first wrong code; None where no code is wrong."""
    case = finding.case
    if finding.kind not in (kinds.WRONG_VALUE, kinds.FLAKY) or case.op != "linear" or finding.got is None:
        return None
    return trace(case, finding.index, int(finding.got[finding.index]))


def with_history(
    backend: Backend, found: Finding, steps: Sequence[Observation], culprit: Suspect
) -> tuple[Shrinking, tuple[Case, ...]]:
    """Shrink the finding of a backend with a state, and the calls that must come before it.

    The backend on trial cannot be made anew, so the suspect that computes as it does stands in for it: fresh for
    each question. No call before, the same question twice, then as few of the run's steps as will do."""
    alone, twice = fresh(culprit, lambda case: ()), fresh(culprit, lambda case: (case,))
    for asks in (alone, twice):
        first = judged(found.case, asks(found.case))
        if first is not None:
            small = shrunk(backend, first, asks=asks)
            return small, (small.finding.case,) if asks is twice else ()
    # A case that was answered wrongly was asked twice.
    earlier = takewhile(lambda step: step.case is not found.case, steps)
    cases = tuple(step.case for step in earlier for _ in range(1 + (step.kind in (kinds.WRONG_VALUE, kinds.FLAKY))))

    def fails(some: tuple[Case, ...]) -> bool:
        return judged(found.case, fresh(culprit, lambda case: some)(found.case)) is not None

    if not fails(cases):
        return Shrinking(found, ()), ()
    before = minimal_history(cases, fails)
    asks = fresh(culprit, lambda case: before)
    first = judged(found.case, asks(found.case))
    return (shrunk(backend, first, asks=asks) if first is not None else Shrinking(found, ())), before


def fresh(suspect: Suspect, before: Callable[[Case], tuple[Case, ...]]) -> Callable[[Case], Outcome]:
    """Return a way to put a case to a fresh suspect each time, after the calls that must come before."""

    def asks(case: Case) -> Outcome:
        backend = suspect.make()
        for step in before(case):
            ask(backend, step)
        return ask(backend, case)

    return asks
