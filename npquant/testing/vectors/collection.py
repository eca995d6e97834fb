"""The set of vectors of a profile and a tier: what every format renders, made once.

Legend: profile the arithmetic by name or record, tier and seed as in `trial.run`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from npquant.profiles import get
from npquant.profiles.record import Profile
from npquant.testing.backend import Capabilities, capabilities_of, why_not_asked
from npquant.testing.bugs.catalogue import CATALOGUE
from npquant.testing.case import Case
from npquant.testing.golden import golden
from npquant.testing.trial import CLASSES, Tier, class_cases
from npquant.testing.vectors.vector import GoldenVector, flat, is_flat, killed_by, made_vector

# What follows the golden set, of each class of cases.
TIERS: Final = MappingProxyType({"smoke": Tier(0, 0), "standard": Tier(6, 4)})
# A file is read by people too: larger cases are for backends that can be called.
MOST_ELEMENTS: Final = 4_096


@dataclass(frozen=True, slots=True, eq=False)
class Collection:
    """Vectors as asked (canonical), and the same as single calls (flat); left_out counts cases by why they are not."""

    profile: Profile
    tier: str
    seed: int
    canonical: tuple[GoldenVector, ...]
    flat: tuple[GoldenVector, ...]
    left_out: MappingProxyType[str, int]


def collect(profile: str | Profile, tier: str = "smoke", seed: int = 0) -> Collection:
    """Make the vectors of a profile: the golden set, and under "standard" some of every class of cases behind it.

    The bugs that each kills are found by replaying the whole catalogue: some seconds for "smoke", where the seed
    changes nothing, minutes for "standard". ValueError if there is no such profile or tier; KitFailure where the
    kernels and the definitions differ.
    """
    record = get(profile)
    if tier not in TIERS:
        raise ValueError(f"there are no vectors of a tier {tier!r}; known: {', '.join(TIERS)}")
    left_out: dict[str, int] = {}
    canonical: list[GoldenVector] = []
    flattened: list[GoldenVector] = []
    can = capabilities_of(record)
    for case in _cases(record, can, tier, seed):
        reason = _why_left_out(case, can)
        if reason:
            left_out[reason] = left_out.get(reason, 0) + 1
            continue
        number = len(canonical) + 1
        canonical.append(made_vector(number, 0, case, killed_by(case, CATALOGUE)))
        for step, call in enumerate(flat(case), 1):
            kills = canonical[-1].kills if is_flat(case) else killed_by(call, CATALOGUE)
            flattened.append(made_vector(number, step, call, kills))
    return Collection(record, tier, seed, tuple(canonical), tuple(flattened), MappingProxyType(left_out))


def _cases(profile: Profile, can: Capabilities, tier: str, seed: int) -> Iterator[Case]:
    yield from golden(profile, can)
    if TIERS[tier].lattice:
        for module in CLASSES:
            yield from class_cases(module, profile, can, TIERS[tier], seed)


def _why_left_out(case: Case, can: Capabilities) -> str:
    if case.elements > MOST_ELEMENTS:
        return f"more than {MOST_ELEMENTS} operand elements"
    if case.status == "unpredictable":
        return "any answer will do"
    # What the engine itself does not take, and refusals that only some kernels promise, accuse a correct one.
    return why_not_asked(case, can)
