"""Exactness of float32 sums: as many terms as promised add up exactly in every order, and one more may not."""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from npquant.kernels.exact import FLOAT32_EXACT, exact_depth, sums_are_exact

# From 4,096 terms to one.
LARGEST = st.integers(2**12, 2**24) | st.sampled_from([128 * 128, 255 * 128, 256 * 255, 2**15 * 128, 2**24])


def adds_exactly(depth_of: Any, largest: Any) -> bool:
    """Say whether depth_of(largest) terms add up exactly in float32: the worst terms, in order, shuffled, by BLAS."""
    terms = np.full(depth_of(largest), largest, np.int64)
    # Odd sums are the first to be lost: the last term leaves 2^24 + 1 where that is within reach, else an odd sum.
    over = int(terms.sum()) - (FLOAT32_EXACT + 1)
    terms[-1] -= over if 0 <= over < largest else 1 - terms.sum() % 2
    rng = np.random.default_rng(largest)
    for signs in (np.ones_like(terms), -np.ones_like(terms), rng.choice([-1, 1], terms.shape)):
        for order in (slice(None), slice(None, None, -1), rng.permutation(len(terms))):
            signed = (signs * terms)[order]
            given = signed.astype(np.float32)
            partial = np.add.accumulate(given, dtype=np.float32)
            if (partial != np.cumsum(signed)).any() or {int(given.sum()), int(given @ np.ones_like(given))} != {
                int(signed.sum())
            }:
                return False
    return True


@given(LARGEST)
@example(128 * 128)
def test_exact_depth_adds_exactly(largest: Any) -> None:
    """C6: every partial sum of exact_depth terms is the integer it should be, whatever the order."""
    assert adds_exactly(exact_depth, largest)


@given(LARGEST)
def test_exact_depth_law_kills_one_term_more(largest: Any) -> None:
    """C6: exact_depth is tight: with one term more the law finds an inexact sum, for every largest product."""
    assert not adds_exactly(lambda p: exact_depth(p) + 1, largest)


def test_exact_depth_refuses_terms_beyond_float32() -> None:
    """C6: 2^24 is the last integer of which all below are floats; nothing but zeros is bounded like units."""
    assert exact_depth(0) == exact_depth(1) == FLOAT32_EXACT
    assert sums_are_exact(FLOAT32_EXACT) and not sums_are_exact(FLOAT32_EXACT + 1)
    assert np.float32(FLOAT32_EXACT) + np.float32(1) == FLOAT32_EXACT
    with pytest.raises(ValueError, match="C6"):
        exact_depth(FLOAT32_EXACT + 1)
