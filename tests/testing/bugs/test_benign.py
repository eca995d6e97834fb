"""Rewrites that change nothing are never accused."""

from __future__ import annotations

import pytest

from npquant import profiles
from npquant.testing.backend import capabilities_from
from npquant.testing.bugs.benign import benign_backends
from npquant.testing.golden import golden
from npquant.testing.kills import killed_by, trial_cases
from npquant.testing.trial import run


@pytest.mark.parametrize("name", profiles.names())
def test_no_rewrite_fails(name: str) -> None:
    """Each rewrite passes the golden set, and one case in sixteen of the standard tier: other cases for each."""
    profile = profiles.get(name)
    rewrites = benign_backends(profile)
    cases = list(trial_cases(profile, capabilities_from(rewrites[0], profile), "standard", 1))
    for i, backend in enumerate(rewrites):
        for part in (golden(profile, capabilities_from(backend, profile)), cases[i :: len(rewrites)]):
            asked, finding = killed_by(backend, profile, part)
            assert finding is None, (backend.name, finding.kind, finding.detail, finding.case)
            assert asked >= 10


def test_rewrite_passes_the_smoke_tier_whole() -> None:
    """The runner says so, too: every class that had a case passed."""
    for backend in benign_backends(profiles.get("npquant")):
        verdict = run(backend, tier="smoke")
        assert verdict.exit_code == 0, (backend.name, verdict.failures)
