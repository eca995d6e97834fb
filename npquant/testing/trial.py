"""The runner: case after case, class by class, from the smallest lattice to as long as one likes.

Legend: tier how hard, seed of everything drawn; profile the arithmetic, can what the backend takes, module a case
class, wanted names of such; a row of input with its model counts as one case."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice, zip_longest
from types import MappingProxyType, ModuleType
from typing import Any, Final

import numpy as np

from npquant.profiles import get
from npquant.profiles.record import Profile
from npquant.testing import backend as kinds
from npquant.testing.adapters.callable import from_callable
from npquant.testing.backend import Backend, Capabilities, capabilities_from, why_not_asked
from npquant.testing.bugs.catalogue import Bug
from npquant.testing.case import Case
from npquant.testing.classes import (
    activation,
    channel,
    deep,
    degenerate,
    float_edge,
    illegal,
    lane,
    layout,
    network,
    plain,
    pruned,
    rail,
    sequence,
    tail,
    tie,
    wide,
    zero_point,
)
from npquant.testing.counterexample import Counterexample
from npquant.testing.judge import Finding, judge
from npquant.testing.shrink import Observation, observed
from npquant.testing.verdict import ClassResult, Verdict

CLASSES: Final = (
    plain,
    tie,
    rail,
    zero_point,
    lane,
    tail,
    deep,
    wide,
    channel,
    layout,
    sequence,
    degenerate,
    pruned,
    activation,
    float_edge,
    network,
    illegal,
)


@dataclass(frozen=True, slots=True)
class Tier:
    """How much of each class is asked: the whole lattice or its first few, then so many drawn cases."""

    lattice: int | None
    drawn: int | None


TIERS: Final = MappingProxyType(
    {
        "smoke": Tier(4, 0),
        "standard": Tier(None, 40),
        "exhaustive": Tier(None, 2_000),
        "forever": Tier(None, None),
    }
)
# Findings that are kept a class, and cases after the first of them that are still asked, so that a diagnosis has both.
MOST_FINDINGS: Final = 8
CASES_AFTER_A_FINDING: Final = 24
# Answers that are kept for a diagnosis; beyond these only wrong ones are.
MOST_KEPT: Final = 2_000


def run(
    backend: Backend | Callable[..., Any],
    profile: str | Profile | None = None,
    tier: str = "standard",
    seed: int = 0,
    *,
    classes: Iterable[str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> Verdict:
    """Judge a backend: put the cases of a tier to it, and compare every code with the profile's.

    Parameters
    ----------
    backend : Backend or callable
        An object with `name`, `profile` and `prepare(model)`, or a function as `from_callable` takes it.
    profile : str or Profile, optional
        The arithmetic to judge by; by default the one that the backend claims. A function claims none.
    tier : {"smoke", "standard", "exhaustive", "forever"}
        How hard; "forever" ends at the first class that fails.
    seed : int
        Of everything drawn: the same seed puts the same cases.
    classes : iterable of str, optional
        Names of the case classes to run; by default all.
    progress : callable, optional
        Told the name of each class as it starts.

    Returns
    -------
    Verdict
        Whether it passed, what failed, how many cases.

    Raises
    ------
    ValueError
        If the profile, the tier or a class is unknown, or no profile is given or claimed.

    Examples
    --------
    >>> import npquant
    >>> from functools import partial
    >>> run(partial(npquant.linear, profile="ort"), profile="ort", tier="smoke").passed
    True
    >>> run(partial(npquant.linear, profile="ort"), profile="tflite_ref", tier="smoke").passed
    False
    """
    if tier not in TIERS:
        raise ValueError(f"there is no tier {tier!r}; known: {', '.join(TIERS)}")
    subject = as_backend(backend, profile)
    record = get(subject.profile)
    can = capabilities_from(subject, record)
    start = time.perf_counter()
    asked: list[Observation] = []
    results, failures = [], []
    for module in chosen_classes(classes):
        if progress is not None:
            progress(module.NAME)
        results.append(_run_class(subject, record, can, module, TIERS[tier], seed, asked))
        if results[-1].findings:
            failures.append((results[-1].findings[0], len(asked)))
    seconds = time.perf_counter() - start
    more = partial(in_turn, record, can)
    told = tuple(Counterexample(subject, found, asked, at, tier, seed, more) for found, at in failures)
    return Verdict(subject.name, record.name, tier, seed, tuple(results), told, seconds)


def as_backend(backend: Backend | Callable[..., Any], profile: str | Profile | None) -> Backend:
    """Return a backend that claims the profile; ValueError where neither it nor the caller names one."""
    if isinstance(backend, Backend):
        if profile is None:
            return backend
        return Claiming(backend, get(profile).name)
    if profile is None:
        raise ValueError("a function claims no profile: give profile=, one of npquant.profiles.names()")
    return from_callable(backend, profile=profile)


class Claiming:
    """A backend under another claim: everything else is the wrapped one's."""

    def __init__(self, backend: Any, profile: str) -> None:
        self.backend, self.profile, self.name = backend, profile, backend.name

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)


def chosen_classes(wanted: Iterable[str] | None) -> tuple[ModuleType, ...]:
    """Return the class modules of some names, all if none are given, in the order of CLASSES."""
    if wanted is None:
        return CLASSES
    names = list(wanted)
    unknown = [name for name in names if name not in {module.NAME for module in CLASSES}]
    if unknown:
        known = ", ".join(module.NAME for module in CLASSES)
        raise ValueError(f"there is no case class {unknown[0]!r}; known: {known}")
    return tuple(module for module in CLASSES if module.NAME in names)


def class_cases(module: ModuleType, profile: Profile, can: Capabilities, tier: Tier, seed: int) -> Iterator[Case]:
    """Yield the cases of one class: its lattice, then drawn ones from a stream that depends on the class alone."""
    yield from islice(module.lattice(profile, can), tier.lattice)
    rng = np.random.default_rng([seed, *module.NAME.encode()])
    yield from islice(module.draw(profile, can, rng), tier.drawn)


def in_turn(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield the lattices of all classes, a case of each in turn, without what may not be asked."""
    turns = [module.lattice(profile, can) for module in CLASSES]
    for cases in zip_longest(*turns):
        yield from (case for case in cases if case is not None and not why_not_asked(case, can))


def _run_class(
    backend: Backend,
    profile: Profile,
    can: Capabilities,
    module: ModuleType,
    tier: Tier,
    seed: int,
    asked: list[Observation],
) -> ClassResult:
    findings: list[Finding] = []
    skipped: dict[str, int] = {}
    cases = calls = after = 0
    for case in class_cases(module, profile, can, tier, seed):
        reason = why_not_asked(case, can)
        if not reason:
            finding, outcome = judge(backend, case)
            if finding is not None or len(asked) < MOST_KEPT:
                asked.append(observed(case, outcome, finding))
            reason = outcome.detail or kinds.DECLINED if outcome.kind == kinds.DECLINED else ""
        if reason:
            skipped[reason] = skipped.get(reason, 0) + 1
            continue
        calls += 1
        cases += max(1, len(case.x_q))
        if finding is not None:
            findings.append(finding)
        after += bool(findings)
        if len(findings) >= MOST_FINDINGS or after > CASES_AFTER_A_FINDING:
            break
        if findings and findings[0].kind in (kinds.CRASHED, kinds.HUNG):
            break
    return ClassResult(module.NAME, module.SUBJECT, cases, calls, skipped, tuple(findings))


def named_first(bug: Bug, profile: Profile, tier: str = "standard") -> bool | None:
    """Say whether the first failure of a backend with a bug is diagnosed as that bug, alone or with those that compute
    the same on all that was seen; None if the tier finds nothing wrong with it.
    """
    verdict = run(bug.make(profile), tier=tier)
    if not verdict.failures:
        return None
    return bug.name in {diagnosis.name for diagnosis in verdict.failures[0].diagnoses}
