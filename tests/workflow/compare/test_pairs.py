"""Pairs over seeds: which law tells a right pairing from a wrong one."""

from collections.abc import Callable
from dataclasses import replace
from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.workflow.compare.pairs import AHEAD, BEHIND, LEAST_DIVERGENCE, OPEN, Pair, pairs_of
from npquant.workflow.compare.trial import Row, Score

Pairing = Callable[[list[Row]], tuple[Pair, ...]]
kls = st.lists(st.floats(1e-3, 1.0), min_size=2, max_size=8)


def rows_of(**by_method: list[float]) -> list[Row]:
    """Rows of 2 bits with these KL, a seed each; accuracy falls with KL, and time is ten times as long."""
    return [
        Row(method, 2, seed, Score(99.0), Score(99.0 - kl), kl, 1, 0, 10 * kl)
        for method, values in by_method.items()
        for seed, kl in enumerate(values)
    ]


def assert_network_cancels(pairing: Pairing) -> None:
    """What makes a seed's network harder for both methods alike changes no ratio and no verdict."""
    one, two, hard = [0.1, 0.11, 0.09, 0.1], [0.12, 0.131, 0.11, 0.119], [1.0, 5.0, 0.3, 9.0]
    (plain,) = pairing(rows_of(one=one, two=two))
    scaled = rows_of(
        one=[kl * h for kl, h in zip(one, hard, strict=True)], two=[kl * h for kl, h in zip(two, hard, strict=True)]
    )
    (moved,) = pairing(scaled)
    one_ends, two_ends = ((pair.divergence.value, pair.divergence.low, pair.divergence.high) for pair in (plain, moved))
    assert np.allclose(one_ends, two_ends, rtol=1e-12) and plain.verdict == moved.verdict == BEHIND


def unpaired(rows: list[Row]) -> tuple[Pair, ...]:
    """Wrong: each method's seeds in an order of their own."""
    seeds = sorted({row.seed for row in rows})
    turned = [row if row.method == "one" else replace(row, seed=seeds[row.seed - 1]) for row in rows]
    return pairs_of(turned)


def test_pairs_take_the_network_out() -> None:
    """Methods are paired by seed."""
    assert_network_cancels(pairs_of)


def test_pairing_law_kills_an_unpaired_comparison() -> None:
    """The law rejects methods whose seeds do not belong together."""
    with pytest.raises(AssertionError):
        assert_network_cancels(unpaired)


@given(kls)
def test_pairs_exchanged_are_inverse(values: list[float]) -> None:
    """Held to the other one, a ratio is its inverse, a difference its negative, and ahead is behind."""
    other = [0.5 * kl + 0.01 for kl in values]
    (pair,), (back,) = pairs_of(rows_of(a=values, b=other)), pairs_of(rows_of(b=other, a=values))
    for one, two in ((pair.divergence, back.divergence), (pair.seconds, back.seconds)):
        # Logarithms of up to 12 intervals' ends, exponentiated: a few ulps of numbers below 700.
        assert np.allclose(
            [np.log(one.value), np.log(max(one.low, 1e-300)), np.log(min(one.high, 1e300))],
            [-np.log(two.value), -np.log(min(two.high, 1e300)), -np.log(max(two.low, 1e-300))],
            rtol=1e-9, atol=1e-9,
        )  # fmt: skip
    assert np.allclose(pair.score.value, -back.score.value, rtol=0, atol=1e-12)
    assert {AHEAD: BEHIND, BEHIND: AHEAD, OPEN: OPEN}[pair.verdict] == back.verdict


@given(kls)
def test_a_method_beside_itself_is_open(values: list[float]) -> None:
    """Equal figures give the ratio 1, without width, and no verdict."""
    (pair,) = pairs_of(rows_of(a=values, b=values))
    assert (pair.divergence.value, pair.divergence.low, pair.divergence.high) == (1.0, 1.0, 1.0)
    assert (pair.score.value, pair.verdict) == (0.0, OPEN)


def test_one_seed_shows_nothing() -> None:
    """A single seed has a ratio and no interval, whatever the ratio."""
    (pair,) = pairs_of(rows_of(a=[0.1], b=[0.9]))
    assert (pair.divergence.low, pair.divergence.high, pair.verdict) == (-inf, inf, OPEN)
    assert pair.to_json()["divergence"] == {"value": pytest.approx(9.0), "low": None, "high": None}


def test_divergence_below_rounding_counts_as_rounding() -> None:
    """Two networks nearer to the float one than 8-bit logits can tell are alike."""
    (pair,) = pairs_of(rows_of(a=[LEAST_DIVERGENCE / 2, 0.0], b=[LEAST_DIVERGENCE / 9, LEAST_DIVERGENCE]))
    assert (pair.divergence.value, pair.verdict) == (1.0, OPEN)


def test_widths_are_apart() -> None:
    """A method at one width is held to the first at the same width."""
    rows = rows_of(a=[0.1, 0.2], b=[0.2, 0.4])
    wide = [replace(row, bits=8, divergence=row.divergence**2) for row in rows]
    narrow, broad = pairs_of([*rows, *wide])
    assert (narrow.bits, broad.bits) == (2, 8)
    assert [narrow.divergence.value, broad.divergence.value] == pytest.approx([2.0, 4.0])
