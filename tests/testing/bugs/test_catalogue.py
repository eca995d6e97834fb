"""Every bug of the catalogue dies, but those that a profile cannot show; and these are named, each with a reason."""

from __future__ import annotations

from functools import cache

import pytest

from npquant import profiles
from npquant.testing.backend import capabilities_of
from npquant.testing.bugs.catalogue import CATALOGUE, applies, equivalents
from npquant.testing.case import expected
from npquant.testing.kills import killed_by, trial_cases


def quantizes_alone(name: str) -> bool:
    """Whether an engine has no layer, and a QUANTIZE that the generators draw for."""
    return not profiles.get(name).has_layers and not profiles.get(name).restriction


@pytest.mark.parametrize("name", ["npquant", "tflm", "ort", "fbgemm"])
def test_exactly_the_equivalents_survive(name: str) -> None:
    """Golden set and standard tier kill every bug that `equivalents` does not name, and none that it names."""
    profile = profiles.get(name)
    cases = list(trial_cases(profile, capabilities_of(profile), "standard", 0))
    due = cache(expected)
    survivors = {bug.name for bug in CATALOGUE if killed_by(bug.make(profile), profile, cases, due)[1] is None}
    assert survivors == set(equivalents(profile))


@pytest.mark.parametrize("name", [name for name in profiles.names(layers=False) if quantizes_alone(name)])
def test_exactly_the_equivalents_survive_without_a_layer(name: str) -> None:
    """The same of engines that quantize alone: there the bugs of QUANTIZE are seen, and no other."""
    test_exactly_the_equivalents_survive(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", profiles.names())
def test_exactly_the_equivalents_survive_under_every_profile(name: str) -> None:
    """The same for all profiles."""
    test_exactly_the_equivalents_survive(name)


@pytest.mark.parametrize("seed", range(20))
def test_every_seed_kills(seed: int) -> None:
    """One bug in twenty, another twentieth a seed, dies of what the seed draws or of the lattices before it."""
    profile = profiles.get("tosa_single")
    for bug in CATALOGUE[seed::20]:
        if applies(bug, profile):
            cases = trial_cases(profile, capabilities_of(profile), "standard", seed)
            assert killed_by(bug.make(profile), profile, cases)[1] is not None, bug.name


def test_equivalents_name_bugs_and_reasons() -> None:
    """Every name is in the catalogue, and every reason is a sentence's worth of words."""
    names = {bug.name for bug in CATALOGUE}
    assert len(names) == len(CATALOGUE) >= 250
    for name in profiles.names():
        for bug, reason in equivalents(profiles.get(name)).items():
            assert bug in names and len(reason.split()) >= 4


def test_most_bugs_apply_everywhere() -> None:
    """A reason is no excuse: 190 bugs and more can be seen under every profile."""
    for name in profiles.names():
        assert len(CATALOGUE) - len(equivalents(profiles.get(name))) >= 190
