"""Vectors with teeth: a table that counts what kills, and kills what it should."""

from typing import Any

import numpy as np
import pytest

import npquant
from npquant import QuantParams
from npquant.profiles import get
from npquant.testing.backend import capabilities_of
from npquant.testing.bugs.catalogue import bug_named
from npquant.testing.coverage import RULES, QuantizeRecord, coverage_of, table
from npquant.testing.trial import CLASSES, TIERS, class_cases
from npquant.testing.who.records import make_record

X = QuantParams(0.25, 0, -128, 127)
Y = QuantParams(1.0, 3, -128, 127)
TEN = (7, 8, 24, -8, -24, -56, 1984, 2200, -2200, 527_488)


def sums(acc: Any, profile: str = "ort") -> Any:
    """One row whose accumulators are the given sums, at M = 1/16 and zero point 3."""
    w_q = np.zeros((1, len(acc)), int)
    y_q = npquant.linear([[1]], w_q, acc, x=X, w=X, y=Y, profile=profile)
    return make_record([[1]], w_q, acc, y_q, X, X, Y)


def names_of(found: Any) -> Any:
    return {(rule.one, rule.other) for rule in found.separated}


def test_every_rule_is_a_bug_of_the_catalogue_and_stands_once() -> None:
    """Both names of each line are known, and no line stands twice."""
    for rule in RULES:
        for name in (rule.one, rule.other):
            assert not name or bug_named(name).name == name
    assert len({(rule.one, rule.other) for rule in RULES}) == len(RULES)


def test_ten_solved_sums_tell_more_than_thousands_of_random_ones() -> None:
    """Ten sums on ties and rails, against 20,000 whose codes spread over the interval."""
    ten = coverage_of([sums(np.array(TEN))], "ort")
    random = coverage_of([sums(np.random.default_rng(0).normal(0, 500, 20_000).astype(int))], "ort")
    assert len(ten.separated) > len(random.separated)
    assert names_of(ten) >= {
        ("rounding.rounds_once_where_twice_is_due", "rounding.rounds_twice_away"),
        ("rounding.rounds_away_after_the_zero_point", "rounding.sends_ties_away"),
        ("saturation.scaled_value_wraps_to_16_bits_first", ""),
    }
    assert ten.codes == (10, 0) and ten.foreign == 0


def test_coverage_counts_codes() -> None:
    """One tie at +1/2 and one at -1/2: half up and half away part on the second alone."""
    found = coverage_of([sums(np.array([8, -8]))], "ort")
    count = {(rule.one, rule.other): n for rule, n in zip(found.rules, found.killed, strict=True)}
    assert count[("rounding.sends_ties_up", "rounding.sends_ties_away")] == 1
    assert count[("rounding.sends_ties_to_zero", "rounding.sends_ties_away")] == 2
    assert count[("rounding.floors", "")] == 1


def test_coverage_kills_a_table_that_takes_foreign_codes_for_teeth() -> None:
    """A set whose codes its base does not give separates nothing by that: such codes are counted apart."""
    record = sums(np.array([1, 2, 3]))
    foreign = make_record([[1]], record.layer.w_q, record.layer.bias, record.y_q + 1, X, X, Y)
    found = coverage_of([foreign], "ort")
    assert found.foreign == 3
    assert not any(n for rule, n in zip(found.rules, found.killed, strict=True) if not rule.other)


def test_coverage_of_quantize() -> None:
    """A tie and a value beyond the rail tell the rules of QUANTIZE that they should."""
    p = QuantParams(1.0, 3, -128, 127)
    x = np.array([[2.5, -2.5, 300.0, 0.75]], np.float32)
    found = coverage_of([QuantizeRecord(x, p, npquant.quantize(x, p, profile="ort"))], "ort")
    told = {rule.one for rule in found.separated}
    assert told >= {"real_values.ties_away", "real_values.wraps_in_place_of_saturating", "real_values.truncates"}
    assert found.codes == (0, 4)


@pytest.mark.parametrize("name", ["ort", "tflite_ref"])
def test_smoke_tier_has_teeth(name: Any) -> None:
    """The first four cases of each class tell nearly every rule; what they leave is said by name."""
    profile = get(name)
    can = capabilities_of(profile)
    cases = (case for module in CLASSES for case in class_cases(module, profile, can, TIERS["smoke"], 0))
    found = coverage_of(cases, name, name="smoke")
    assert len(found.separated) >= len(RULES) - 8
    shown = found.text()
    assert all(f"{rule.group}: {rule.says}" in shown for rule in RULES)
    assert f"{len(found.separated)} of {len(RULES)}" in shown.splitlines()[-1]


def test_table_sets_columns_side_by_side() -> None:
    """One line a rule, one column a set, a point where nothing is told."""
    one = coverage_of([sums(np.array([8]))], "ort", name="one")
    two = coverage_of([sums(np.array([7]))], "ort", name="two")
    lines = table([one, two]).splitlines()
    assert lines[0].split() == ["one", "two"] and len(lines) == len(RULES) + 3 and " ." in lines[-2]


def test_coverage_of_nothing_is_refused() -> None:
    """A set of which the base takes nothing has no table."""
    with pytest.raises(ValueError, match="takes none of the 0 vectors"):
        coverage_of([], "ort")
