"""Laws of the pull where rows are few: E32, E33."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from npquant.compression.rounding.rectified.evidence import chance_of, pull_by_evidence

Float64 = NDArray[np.float64]
Chance = Callable[[Float64], float]
SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed: int) -> Float64:
    """Draw inputs of different spread, some of which move together, with means."""
    rng = np.random.default_rng(seed)
    rows, inputs = rng.integers(3, 40), rng.integers(2, 20)
    mixed = rng.normal(0, 1, (rows, inputs)) @ rng.normal(0, 1, (inputs, inputs)) + rng.normal(0, 3, inputs)
    return np.asarray(mixed + rng.normal(0, 2, (rows, inputs)))


def law_is_its_definition(chance: Chance, seed: int) -> None:
    """E32, row by row: the spread of the outer products around their mean, over the mean's distance from m I."""
    x = drawn(seed)
    rows, inputs = x.shape
    xc = x - x.mean(axis=0)
    outer = [np.outer(row, row) for row in xc]
    s = sum(outer) / rows
    away = np.square(s - np.trace(s) / inputs * np.eye(inputs)).sum()
    noise = sum(np.square(one - s).sum() for one in outer) / rows**2
    assert chance(x) == pytest.approx(min(noise / away, 1.0), rel=1e-9)


def law_rows_again_are_evidence(chance: Chance, seed: int) -> None:
    """Every row four times: a quarter of the chance."""
    x = drawn(seed)
    once = chance(x)
    if once < 1:
        assert chance(np.concatenate([x] * 4)) == pytest.approx(once / 4, rel=1e-9)


def law_knows_no_unit(chance: Chance, seed: int) -> None:
    """One unit for all inputs, means and the order of rows change nothing; very large inputs neither."""
    x = drawn(seed)
    for same in (x * 2.0**-300, x * 2.0**300, x + 1.0, x[::-1]):
        assert chance(same) == pytest.approx(chance(x), rel=1e-9)


LAWS = [law_is_its_definition, law_rows_again_are_evidence, law_knows_no_unit]


@pytest.mark.parametrize("law", LAWS)
@given(seed=SEEDS)
def test_chance_of_laws_hold(law: Callable[[Chance, int], None], seed: int) -> None:
    """Its definition, rows that count, and no unit."""
    law(chance_of, seed)


def uncentred(x: Float64) -> float:
    """Means taken for something that inputs share."""
    return chance_of(np.concatenate([x, -x]))


def without_rows(x: Float64) -> float:
    """Chance that does not know how many rows there are."""
    return min(chance_of(x) * len(x) / 20, 1.0)


@pytest.mark.parametrize(
    ("law", "mutant"),
    [
        (law_is_its_definition, uncentred),
        (law_rows_again_are_evidence, without_rows),
        (law_knows_no_unit, uncentred),
    ],
)
def test_chance_of_laws_kill(law: Callable[[Chance, int], None], mutant: Chance) -> None:
    """Means that are not taken out, and rows that do not count, are caught."""
    with pytest.raises(AssertionError):
        for seed in range(20):
            law(mutant, seed)


@pytest.mark.parametrize("rows", [64, 1024])
def test_inputs_with_nothing_in_common_are_chance(rows: int) -> None:
    """At any number of rows the covariances of independent inputs are chance; those of few sources are not."""
    rng = np.random.default_rng(rows)
    assert chance_of(rng.normal(0, 1, (rows, 64))) > 0.9
    assert chance_of(rng.normal(0, 1, (rows, 3)) @ rng.normal(0, 1, (3, 64))) < 4 / rows**0.5
    assert chance_of(np.ones((rows, 4))) == chance_of(np.arange(rows, dtype=np.float64)[:, np.newaxis]) == 0.0


@given(seed=SEEDS)
def test_pull_by_evidence_is_its_definition(seed: int) -> None:
    """E33: neuron by neuron, at least 1/10 and at most 99; a constant times d2 changes nothing."""
    rng = np.random.default_rng(seed)
    d2, delta = rng.uniform(0.01, 1, (9, 4)), float(rng.uniform(0, 1))
    found = pull_by_evidence(delta, d2)
    for n, pull in enumerate(found):
        effective = d2[:, n].sum() ** 2 / np.square(d2[:, n]).sum()
        t = min(delta * len(d2) / effective, 0.99)
        assert pull == pytest.approx(max(0.1, t / (1 - t)))
    np.testing.assert_array_equal(pull_by_evidence(delta, 4.0 * d2), found)
    np.testing.assert_array_equal(pull_by_evidence(delta, d2[:, 1:3]), found[1:3])
    assert (pull_by_evidence(1 / 11, np.ones((5, 2))) == 0.1).all()
