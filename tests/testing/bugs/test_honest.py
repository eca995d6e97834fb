"""The honest kernel that every mutant starts from is the profile's own answer."""

from __future__ import annotations

import pytest

from npquant import profiles
from npquant.testing.adapters.callable import FunctionBackend
from npquant.testing.backend import capabilities_of, why_not_asked
from npquant.testing.bugs.honest import answer, as_function
from npquant.testing.judge import judge
from npquant.testing.trial import CLASSES


@pytest.mark.parametrize("name", profiles.names())
def test_honest_parts_equal_linear_on_every_lattice(name: str) -> None:
    """Put together, the parts give what `npquant.linear` gives, on the lattice of every class: 200 cases at least."""
    profile = profiles.get(name)
    can = capabilities_of(profile)
    honest = FunctionBackend("honest", name, as_function(answer, profile), can)
    asked = 0
    for module in CLASSES:
        for case in module.lattice(profile, can):
            if case.op == "linear" and case.status == "valid" and not why_not_asked(case, can):
                finding, _ = judge(honest, case)
                assert finding is None, (finding.kind, finding.detail, case)
                asked += 1
    assert asked >= 200
