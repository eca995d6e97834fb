"""Which known mistake is it: every bug of the catalogue, and every other profile, replayed on what was seen.

Legend: profile the arithmetic that is due; observations cases with what the backend made of them, failing and
passing, the most telling first; a, b outcomes; steps the same in the order in which they were asked, which a bug with
a state depends on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from npquant.profiles import get, names
from npquant.profiles.operators import linear, quantize
from npquant.profiles.record import Profile
from npquant.testing import backend as kinds
from npquant.testing.adapters.callable import FunctionBackend
from npquant.testing.ask import ask
from npquant.testing.backend import Backend, Outcome, capabilities_of
from npquant.testing.bugs.catalogue import CATALOGUE, Bug
from npquant.testing.explain.shrink import Observation
from npquant.testing.judge import judge

MOST_SECONDS: Final = 5.0
# Operand elements of a case that is replayed after smaller ones.
LARGE: Final = 256
# Groups of bugs that keep something from call to call: only the whole sequence of questions can show them.
STATEFUL: Final = ("state",)


@dataclass(frozen=True, slots=True, eq=False)
class Suspect:
    """What a backend may be computing: make() gives a fresh one."""

    name: str
    says: str
    met: str
    make: Callable[[], Backend]
    stateful: bool = False


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One explanation: how many of the observations it reproduces, and where the field met it, if that is on record."""

    name: str
    says: str
    met: str
    agreed: int
    of: int

    @property
    def complete(self) -> bool:
        """Whether it reproduces all that was seen."""
        return self.agreed == self.of


def suspects(profile: Profile) -> Iterator[Suspect]:
    """Yield every bug of the catalogue under a profile, then every other profile."""
    for bug in CATALOGUE:
        yield as_suspect(bug, profile)
    for name in names(layers=profile.has_layers):
        other = get(name)
        if name != profile.name and not other.restriction:
            says = f"computes as {name}: {other.equation}"
            yield Suspect(f"profile.{name}", says, other.engine, partial(_computing_as, other))


def as_suspect(bug: Bug, profile: Profile) -> Suspect:
    """Return a bug of the catalogue under a profile."""
    return Suspect(bug.name, bug.says, bug.met, partial(bug.make, profile), bug.group in STATEFUL)


def _computing_as(profile: Profile) -> Backend:
    quantizes = partial(quantize, profile=profile) if profile.quantize_codes is not None else None
    f = partial(linear, profile=profile)
    return FunctionBackend(profile.name, profile.name, f, capabilities_of(profile), quantizes)


def same(a: Outcome, b: Outcome) -> bool:
    """Say whether two outcomes are one: kind and codes; of exceptions, the type."""
    if a.kind != b.kind:
        return False
    if a.kind in (kinds.RAISED, kinds.REJECTED):
        return a.detail.split(":")[0] == b.detail.split(":")[0]
    if a.value is None or b.value is None:
        return a.value is b.value
    return a.value.dtype == b.value.dtype and np.array_equal(a.value, b.value)


def reproduces(suspect: Suspect, seen: Observation) -> bool:
    """Say whether a fresh backend of a suspect makes the same of one case."""
    if seen.case.status == "unpredictable":
        return True
    return same(ask(suspect.make(), seen.case), seen.outcome)


def reproduces_steps(suspect: Suspect, steps: Iterable[Observation]) -> bool:
    """Say whether one backend of a suspect, asked as the backend on trial was, makes the same of every step."""
    backend = suspect.make()
    for step in steps:
        if step.outcome.kind == kinds.DECLINED:
            continue
        finding, outcome = judge(backend, step.case)
        kind = kinds.VALUE if finding is None else finding.kind
        if kind != step.kind or not same(outcome, step.outcome):
            return False
    return True


def diagnose(
    profile: Profile,
    observations: Sequence[Observation],
    steps: Sequence[Observation] = (),
    further: Iterable[Observation] = (),
) -> tuple[Diagnosis, ...]:
    """Return those suspects that reproduce everything that was seen, the ones that the field met first.

    All that are returned agree with the backend, and so with each other, on all observations; where there is no time
    for all of them, nobody is named. The first observation should be the shrunk failure: it rules out most. `further`
    ones, of other classes or asked for this, are made only while several suspects are left. They choose among these
    but rule out no last one: a backend may have two bugs.

    >>> import numpy as np
    >>> from npquant.kernels.qparams import QuantParams
    >>> from npquant.testing.case import one_layer
    >>> p, half = QuantParams(1.0, 0, -128, 127), QuantParams(0.5, 0, -128, 127)
    >>> def seen(bias, code):
    ...     x_q = np.zeros((1, 1), np.int8)
    ...     case = one_layer(x_q, x_q, np.array([bias], np.int32), p, half, p, "ort")
    ...     return Observation(case, Outcome("value", np.array([[code]], np.int8)))
    >>> codes = {-3: -1, -5: -2, -7: -3, 3: 1, 1: 0, 7: 3}
    >>> [d.name for d in diagnose(get("ort"), [seen(bias, code) for bias, code in codes.items()])][0]
    'rounding.truncates_toward_zero'
    """
    left = [s for s in suspects(profile) if not s.stateful]
    agreed = of = 0
    # In the order given, but large ones last: 250 suspects on a layer of 60,000 inputs take longer than all the others.
    answered = (o for o in observations if o.outcome.kind != kinds.DECLINED)
    replayed = sorted(answered, key=lambda o: o.case.elements // LARGE)
    # The processor's time, not the clock's: a machine that is busy must not change what is named.
    end = time.process_time() + MOST_SECONDS
    for seen in replayed:
        left = [s for s in left if time.process_time() < end and reproduces(s, seen)]
        agreed, of = agreed + 1, of + 1
        if not left:
            break
    end, rest = time.perf_counter() + MOST_SECONDS, iter(further)
    while len(left) > 1 and time.perf_counter() < end and (new := next(rest, None)) is not None:
        if new.outcome.kind == kinds.DECLINED:
            continue
        fewer = [s for s in left if reproduces(s, new)]
        agreed, of, left = agreed + bool(fewer), of + 1, fewer or left
    told = [s for s in suspects(profile) if s.stateful and steps and reproduces_steps(s, steps)]
    found = [Diagnosis(s.name, s.says, s.met, agreed, of) for s in left]
    found += [Diagnosis(s.name, s.says, s.met, len(steps), len(steps)) for s in told]
    return tuple(sorted(found, key=rank))


def stateful_suspect(name: str, profile: Profile) -> Suspect | None:
    """Return the suspect of a name if it keeps a state, else None."""
    return next((s for s in suspects(profile) if s.name == name and s.stateful), None)


def rank(diagnosis: Diagnosis) -> tuple[bool, bool]:
    """Return the order of a diagnosis among those that agree everywhere: bugs before engines, the met ones first."""
    return (diagnosis.name.startswith("profile."), not diagnosis.met)


def closest(profile: Profile, observations: Sequence[Observation], most: int = 3) -> tuple[Diagnosis, ...]:
    """Return the suspects that come nearest: those that fail where the backend fails, by how much they reproduce."""
    end = time.process_time() + MOST_SECONDS
    failing = [seen for seen in observations if seen.kind != kinds.VALUE][:6]
    passing = [seen for seen in observations if seen.kind == kinds.VALUE][:12]
    found = []
    for suspect in suspects(profile):
        if suspect.stateful or time.process_time() > end:
            continue
        hits = sum(reproduces(suspect, seen) for seen in failing)
        if hits:
            agreed = hits + sum(reproduces(suspect, seen) for seen in passing)
            total = len(failing) + len(passing)
            found.append(Diagnosis(suspect.name, suspect.says, suspect.met, agreed, total))
    return tuple(sorted(found, key=lambda d: (-d.agreed, *rank(d)))[:most])
