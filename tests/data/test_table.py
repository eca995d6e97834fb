"""Laws of a table's checks: features become their narrowest exact type, labels indices in ascending order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npquant.data.table import RawTable, checked_features, indexed_labels

DTYPES = st.sampled_from([np.bool_, np.int8, np.uint16, np.int32, np.uint64, np.float32, np.float64])


def table_of(x, labels=None, **fields):
    return RawTable("t", x, np.zeros(len(x), np.int64) if labels is None else labels, ("a", "b"), **fields)


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


def law_ascending(index, values):
    """Indices name the label of each row; names ascend, as numbers where all are whole numbers."""
    labels = np.array(values * 3)
    y, names = index(table_of(np.zeros((len(labels), 2)), labels))
    assert y.dtype == np.int64 and [names[i] for i in y] == [str(value) for value in labels.tolist()]
    whole = all(name.lstrip("-").isdigit() for name in names)
    assert list(names) == sorted(set(names), key=int if whole else str)


WHOLE = st.lists(st.integers(-(2**53), 2**53), min_size=2, max_size=5, unique=True)
TEXTS = st.lists(st.text("abz ", min_size=1, max_size=3).map(lambda t: f"c{t}c"), min_size=2, max_size=5, unique=True)


@given(st.one_of(WHOLE, WHOLE.map(lambda values: [str(value) for value in values]), TEXTS))
def test_indexed_labels_ascend(values):
    """Integers, integers in text and words are numbered in ascending order of what they say."""
    law_ascending(indexed_labels, values)


def test_indexed_labels_law_kills_wrong_orders():
    """The law fails on an order of text for numbers, and on the order of appearance."""

    def as_text(table):
        names, y = np.unique(table.labels.astype(str), return_inverse=True)
        return y.astype(np.int64), tuple(names.tolist())

    def by_appearance(table):
        names = list(dict.fromkeys(map(str, table.labels.tolist())))
        return np.array([names.index(str(label)) for label in table.labels.tolist()]), tuple(names)

    for wrong in (as_text, by_appearance):
        with pytest.raises(AssertionError):
            law_ascending(wrong, [10, 9])


def test_indexed_labels_take_1_and_1_0_for_one_class():
    """Numbers are told apart by what they say, not by how they are written."""
    y, names = indexed_labels(table_of(np.zeros((6, 2)), np.array(["1", "1.0", "2", "2e0", "1", "2"])))
    assert names == ("1", "2") and y.tolist() == [0, 0, 1, 1, 0, 1]


@pytest.mark.parametrize(
    ("labels", "fields", "word"),
    [
        ([], {}, "^t: needs rows"),
        ([5] * 4, {}, "^t: every row has the label '5'; two are needed"),
        ([0, 0, 0, 1], {}, r"^t: row 3 \(from 0\): class '1' has 1 row,.*70/15/15.*add rows, drop"),
        ([1, 0, 0, 0, 1], {"lines": np.arange(5) + 7}, "^t: line 7: class '1' has 2 rows,"),
        ([0, 1] * 3, {"class_names": ("n", "y", "z")}, "^t: class 'z' has 0 rows"),
        ([0, 2] * 3, {"class_names": ("n", "y")}, r"^t: with class_names, y must hold integers in \[0, 2\)"),
        ([0.0, 1.0] * 3, {"class_names": ("n", "y")}, "must hold integers"),
    ],
)
def test_indexed_labels_name_what_cannot_be_split(labels, fields, word):
    """One class, small classes with their first row, foreign indices and empty tables are named."""
    with pytest.raises(ValueError, match=word):
        indexed_labels(table_of(np.zeros((len(labels), 2)), np.array(labels), **fields))


def test_checked_features_refuses_empty_tables():
    """No rows or no columns is no table."""
    for shape in ((0, 2), (2, 0), (2,)):
        with pytest.raises(ValueError, match=r"^t: needs rows and features"):
            checked_features(table_of(np.zeros(shape)))
