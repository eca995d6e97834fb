"""Laws of the features of a raw table: they become their narrowest exact type, or the place is named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npquant.data.features import checked_features
from npquant.data.raw_table import labelled_table

DTYPES = st.sampled_from([np.bool_, np.int8, np.uint16, np.int32, np.uint64, np.float32, np.float64])


def table_of(x):
    return labelled_table("t", x, np.zeros(len(x), np.int64), ("a", "b"))


def law_exact_and_narrow(check, x):
    """8 and 16 bits as stored, wider integers in the first narrow type that holds them all, the rest in float32."""
    found = check(table_of(x))
    assert np.array_equal(found, x.astype(np.float32)) or found.tolist() == x.tolist()
    if x.dtype.kind == "f":
        assert found.dtype == np.float32
    elif x.dtype.kind in "iu" and x.dtype.itemsize <= 2:
        assert found.dtype == x.dtype
    else:
        low, high = int(x.min()), int(x.max())
        intervals = [(np.uint8, 0, 255), (np.int8, -128, 127), (np.uint16, 0, 65535), (np.int16, -32768, 32767)]
        holds = [dtype for dtype, lowest, highest in intervals if lowest <= low and high <= highest]
        assert found.dtype == (holds[0] if holds else np.float32)


@given(DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, (3, 2))))
def test_checked_features_is_exact_and_narrow_or_names_the_place(x):
    """Features keep their values in the narrowest type; NaN, inf and beyond float32 are named by row and column."""
    # Beyond float32 compares false with its largest number, and so does NaN.
    with np.errstate(invalid="ignore"):
        bad = np.argwhere(~(np.abs(x) <= np.finfo(np.float32).max)) if x.dtype.kind == "f" else ()
    if len(bad) == 0:
        law_exact_and_narrow(checked_features, x)
        return
    row, column = bad[0]
    place = rf"^t: row {row} \(from 0\), column '{'ab'[column]}' holds .*: replace or drop"
    with pytest.raises(ValueError, match=place):
        checked_features(table_of(x))


def test_checked_features_law_kills_wrong_ones():
    """The law fails on a type that wraps, one that is wider than it needs, and floats for all."""
    x = np.array([[-1, 200], [0, 3]], np.int32)
    for wrong in (np.int8, np.int32, np.float32):
        with pytest.raises(AssertionError):
            law_exact_and_narrow(lambda table, wrong=wrong: table.x.astype(wrong), x)


def test_checked_features_refuses_empty_tables():
    """No rows or no columns is no table."""
    for shape, names in (((0, 2), ("a", "b")), ((2, 0), ())):
        with pytest.raises(ValueError, match=r"^t: needs rows and features"):
            checked_features(labelled_table("t", np.zeros(shape), np.zeros(shape[0], np.int64), names))
