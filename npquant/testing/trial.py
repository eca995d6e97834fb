"""The runner: case after case, class by class, from the smallest lattice to as long as one likes.

Legend: tier how hard, seed of everything drawn; profile the arithmetic, can what the backend takes, module a case
class, wanted names of such; a row of input with its model counts as one case."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count, islice, zip_longest
from types import MappingProxyType, ModuleType
from typing import Any, Final

import numpy as np

from npquant.profiles import get
from npquant.profiles.record import Profile
from npquant.profiles.refusals import refuse_layerless
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
from npquant.testing.explain.counterexample import Counterexample
from npquant.testing.golden import golden
from npquant.testing.sweeps import SWEEPS
from npquant.testing.tally import Book
from npquant.testing.verdict import Verdict

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
    """How much is asked of each class after the golden set: its lattice or the first few of that, so many drawn cases,
    a whole domain; and whether more are drawn until something fails."""

    lattice: int | None
    drawn: int
    sweeps: bool = False
    endless: bool = False


TIERS: Final = MappingProxyType(
    {
        "smoke": Tier(4, 0),
        "standard": Tier(None, 100),
        "exhaustive": Tier(None, 2_000, sweeps=True),
        "forever": Tier(None, 100, endless=True),
    }
)
GOLDEN: Final = "golden"


def run(
    backend: Backend | Callable[..., Any],
    profile: str | Profile | None = None,
    tier: str = "standard",
    seed: int = 0,
    *,
    classes: Iterable[str] | None = None,
    seconds: float | None = None,
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
        How hard. Every tier asks the golden set first: sixteen cases that kill every known bug. Then "smoke" asks the
        first few of each class, "standard" each lattice and as many drawn cases, "exhaustive" also all pairs of
        operands, all accumulators of 17 bits and all half-precision numbers. "forever" draws until something fails, or
        until it is interrupted, and returns its verdict then.
    seed : int
        Of everything drawn: the same seed puts the same cases.
    classes : iterable of str, optional
        Names of the case classes to run; by default all.
    seconds : float, optional
        Time budget; what is not reached counts as not asked, by class. By default there is none.
    progress : callable, optional
        Told what starts: "golden", then the name of each class.

    Returns
    -------
    Verdict
        Whether it passed, what failed, how many cases.

    Raises
    ------
    ValueError
        If the profile, the tier or a class is unknown, or no profile is given or claimed; if the profile has no linear
        layer, and the backend no QUANTIZE.

    Examples
    --------
    >>> import npquant
    >>> from functools import partial
    >>> run(partial(npquant.linear, profile="ort"), profile="ort", tier="smoke").passed
    True
    >>> run(partial(npquant.linear, profile="ort"), profile="tflite_ref", tier="smoke").passed
    False
    """
    how = tier_named(tier)
    subject = as_backend(backend, profile)
    record = get(subject.profile)
    can = capabilities_from(subject, record)
    if "quantize" not in can.ops:
        refuse_layerless(record)
    start = time.perf_counter()
    modules = chosen_classes(classes)
    book = Book(modules, seconds)
    try:
        for name, cases in rounds(record, can, modules, how, seed):
            if progress is not None:
                progress(name)
            book.put(subject, can, cases)
            if how.endless and (book.failures or book.late):
                break
    except KeyboardInterrupt:
        if not how.endless:
            raise
    more = partial(in_turn, record, can)
    told = tuple(Counterexample(subject, found, book.asked, at, tier, seed, more) for found, at in book.failures)
    results = tuple(tally.result() for tally in book.tallies.values())
    elapsed = time.perf_counter() - start
    return Verdict(subject.name, record.name, tier, seed, results, told, elapsed, book.first_failure_after)


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


def rounds(
    profile: Profile, can: Capabilities, modules: Sequence[ModuleType], tier: Tier, seed: int
) -> Iterator[tuple[str, Iterator[Case]]]:
    """Yield what modules ask, in order: the golden set, class after class, and where there is no end, drawn
    cases of later and later seeds."""
    names = {module.NAME for module in modules}
    yield GOLDEN, (case for case in golden(profile, can) if case.group in names)
    for module in modules:
        yield module.NAME, class_cases(module, profile, can, tier, seed)
    for later in count(seed + 1) if tier.endless else ():
        for module in modules:
            yield module.NAME, drawn_cases(module, profile, can, tier, later)


def class_cases(module: ModuleType, profile: Profile, can: Capabilities, tier: Tier, seed: int) -> Iterator[Case]:
    """Yield the cases of one class: its lattice, then drawn ones, then its whole domain where the tier has it."""
    if not _fits(module, profile):
        return
    yield from islice(module.lattice(profile, can), tier.lattice)
    yield from drawn_cases(module, profile, can, tier, seed)
    if tier.sweeps and module.NAME in SWEEPS:
        yield from SWEEPS[module.NAME](profile, can)


def drawn_cases(module: ModuleType, profile: Profile, can: Capabilities, tier: Tier, seed: int) -> Iterator[Case]:
    """Yield the drawn cases of one class, from a stream that depends on seed and class alone."""
    rng = np.random.default_rng([seed, *module.NAME.encode()])
    return islice(module.draw(profile, can, rng), tier.drawn if _fits(module, profile) else 0)


def _fits(module: ModuleType, profile: Profile) -> bool:
    """Say whether a class has a question for a profile: without a linear layer there is QUANTIZE alone."""
    return profile.has_layers or module is float_edge


def tier_cases(
    profile: Profile, can: Capabilities, tier: str, seed: int, wanted: Iterable[str] | None = None
) -> Iterator[Case]:
    """Yield all that a tier may put to a backend, in order; wanted names the classes."""
    for _, cases in rounds(profile, can, chosen_classes(wanted), tier_named(tier), seed):
        yield from (case for case in cases if not why_not_asked(case, can))


def tier_named(tier: str) -> Tier:
    """Return a tier by its name; ValueError if there is none."""
    if tier not in TIERS:
        raise ValueError(f"there is no tier {tier!r}; known: {', '.join(TIERS)}")
    return TIERS[tier]


def in_turn(profile: Profile, can: Capabilities) -> Iterator[Case]:
    """Yield the lattices of all classes, a case of each in turn, without what may not be asked."""
    turns = [module.lattice(profile, can) for module in CLASSES if _fits(module, profile)]
    for cases in zip_longest(*turns):
        yield from (case for case in cases if case is not None and not why_not_asked(case, can))


def named_first(bug: Bug, profile: Profile, tier: str = "standard") -> bool | None:
    """Say whether the first failure of a backend with a bug is diagnosed as that bug, alone or with those that compute
    the same on all that was seen; None if the tier finds nothing wrong with it.
    """
    verdict = run(bug.make(profile), tier=tier)
    if not verdict.failures:
        return None
    return bug.name in {diagnosis.name for diagnosis in verdict.failures[0].diagnoses}
