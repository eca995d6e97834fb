"""Laws of narrowing: values that differ stay apart in float32, or the column is named."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npquant.data.features import narrow_type, not_finite, require_told_apart

STAMP = 1_700_000_000_000


def law_apart(check: Any, values: Any) -> None:
    """What passes has as many different values after narrowing as before; what does not has fewer."""
    same = np.unique(values).size == np.unique(values.astype(np.float32)).size
    try:
        check(values, "time", "t")
    except ValueError as error:
        assert "column 'time'" in str(error) and not same
    else:
        assert same


WHOLE = st.sampled_from([np.int64, np.uint64, np.int32, np.uint16, np.bool_]).flatmap(lambda t: hnp.arrays(t, 6))
STAMPS = st.lists(st.integers(STAMP, STAMP + 10**6), min_size=6, max_size=6).map(lambda v: np.array(v, np.int64))


@given(WHOLE | STAMPS | STAMPS.map(lambda v: v.astype(np.float64)))
def test_require_told_apart_is_strict_with_whole_numbers(values: Any) -> None:
    """Whole numbers of any type, those in floats too, stay apart one by one or are refused."""
    law_apart(require_told_apart, values)


def test_require_told_apart_law_kills_checks_that_look_away() -> None:
    """The law fails on a check that lets all pass, and on one that refuses large numbers as such."""

    def by_size(values: Any, name: Any, source: Any) -> None:
        if np.abs(values).max() > 2**24:
            raise ValueError(f"column {name!r}")

    for wrong in (lambda values, name, source: None, by_size):
        with pytest.raises(AssertionError):
            law_apart(wrong, np.array([STAMP, STAMP + 1]))
            law_apart(wrong, np.array([2**30, 2**31]))


@pytest.mark.parametrize(
    ("values", "lost"),
    [
        (np.linspace(0, 1, 1000), False),
        (np.linspace(0, 1, 300_000), False),  # last digits go, 65,536 steps are left
        (1e6 + np.linspace(0, 1, 300), True),
        (1e6 + np.linspace(0, 1e5, 300_000), False),
        (np.array([1e-50, 2e-50]), True),
        (np.array([1e20, 1e20 + 1e5]), True),
        (np.array([0.1, 0.1]), False),
    ],
)
def test_require_told_apart_leaves_real_numbers_their_last_digits(values: Any, lost: Any) -> None:
    """Real values may lose digits that 16 bits would lose too; a column that float32 makes coarse is refused."""
    if not lost:
        require_told_apart(values, "a", "t")
        return
    with pytest.raises(ValueError, match=r"^t: column 'a' holds .* tells .* apart"):
        require_told_apart(values, "a", "t")


@given(st.integers(-(2**17), 2**17), st.integers(0, 2**17))
def test_narrow_type_is_the_first_that_holds(low: Any, width: int) -> None:
    """uint8, int8, uint16, int16: the first that holds both ends, or none."""
    holds = [np.dtype(t) for t in ("u1", "i1", "u2", "i2") if np.iinfo(t).min <= low and low + width <= np.iinfo(t).max]
    assert narrow_type(low, low + width) == (holds[0] if holds else None)


def test_not_finite_finds_the_first() -> None:
    """NaN, infinities and what is beyond float32 are found by place; integers are finite."""
    for bad in (np.nan, np.inf, -np.inf, 1e39):
        assert not_finite(np.array([1.0, bad, bad])) == 1
    assert not_finite(np.arange(3)) is None
