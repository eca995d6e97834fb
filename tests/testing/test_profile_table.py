"""The generated page of differences: committed as printed, its classes true, its cells readable."""

from pathlib import Path

import numpy as np

from npquant.profiles import get, names
from npquant.profiles.record import Profile
from npquant.testing.differences import given_by_both
from npquant.testing.profile_table import (
    page_samples,
    render_page,
    representative,
    requantization_classes,
    share_as_text,
)
from npquant.testing.samples import codes_under, extremes, ties_and_rails

PAGE = Path(__file__).parents[2] / "docs" / "profile-table.md"
PROFILES = [get(name) for name in names()]


def disagreements(groups: list[list[Profile]]) -> list[str]:
    """Name the members that answer otherwise than their class's representative, beside ties and at the rails."""
    samples = ties_and_rails(np.random.default_rng(2), 60, 200)
    found = []
    for group in groups:
        expected = [codes_under(representative(group), sample) for sample in samples]
        for member in group:
            both = given_by_both(expected, [codes_under(member, sample) for sample in samples])
            assert both, f"{member.name} takes no sample"
            if not all(np.array_equal(a, b) for a, b in both):
                found.append(member.name)
    return found


def test_page_is_what_the_program_prints() -> None:
    """The committed page equals a fresh count, character by character; if not, print it again and read the change."""
    assert PAGE.read_text(encoding="utf-8") == render_page(*page_samples())


def test_requantization_classes_answer_alike() -> None:
    """Records with the same functions give equal codes where both take the layer; every profile is in one class."""
    groups = requantization_classes(PROFILES)
    assert not disagreements(groups)
    assert sorted(p.name for group in groups for p in group) == sorted(names())


def test_requantization_classes_kills_a_grouping_by_multiplier_alone() -> None:
    """Profiles that make the same multiplier and round it otherwise are not a class."""
    by_multiplier: dict[object, list[Profile]] = {}
    for profile in PROFILES:
        by_multiplier.setdefault(profile.make_multiplier, []).append(profile)
    assert disagreements(list(by_multiplier.values()))


def test_representative_takes_what_any_member_takes() -> None:
    """A class loses no sample to a member without zero points or with a lower largest multiplier."""
    for group in requantization_classes(PROFILES):
        chosen = representative(group)
        for member in group:
            refused = [codes_under(chosen, sample) is None for sample in extremes()]
            assert not any(r and codes_under(member, s) is not None for r, s in zip(refused, extremes(), strict=True))


def test_share_as_text_never_hides_a_difference() -> None:
    """Only a share of none reads "0"."""
    assert share_as_text(0.0, 1e6) == "0"
    assert all(float(share_as_text(share, 100)) > 0 for share in (1e-9, 1e-3, 0.5))
    assert share_as_text(0.001476, 1e6) == "1,476"
