"""Laws of the label's values: classes become ascending indices, quantities stay; what cannot be split is named."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.data.labels import are_quantities, targets_of
from npquant.data.raw_table import Column, RawTable, text_column


def table_of(labels: Any, **fields: Any) -> Any:
    label = text_column("label", labels) if labels.dtype.kind == "U" else Column("label", labels)
    return RawTable("t", (Column("a", np.zeros(len(labels))), label), **fields)


def index(labels: Any) -> Any:
    found = targets_of(table_of(labels), 1)
    assert found.kind == "classes"
    return found.y, found.class_names


def law_ascending(number: Any, values: Any) -> None:
    """Indices name the label of each row; names ascend, as numbers where all are whole numbers."""
    labels = np.array(values * 3)
    y, names = number(labels)
    assert y.dtype == np.int64 and [names[i] for i in y] == [str(value) for value in labels.tolist()]
    whole = all(name.lstrip("-").isdigit() for name in names)
    assert list(names) == sorted(set(names), key=int if whole else str)


WHOLE = st.lists(st.integers(-(2**53), 2**53), min_size=2, max_size=5, unique=True)
TEXTS = st.lists(st.text("abz ", min_size=1, max_size=3).map(lambda t: f"c{t}c"), min_size=2, max_size=5, unique=True)


@given(st.one_of(WHOLE, WHOLE.map(lambda values: [str(value) for value in values]), TEXTS))
def test_targets_of_ascend(values: Any) -> None:
    """Integers, integers in text and words are numbered in ascending order of what they say."""
    law_ascending(index, values)


def test_targets_of_law_kills_wrong_orders() -> None:
    """The law fails on an order of text for numbers, and on the order of appearance."""

    def as_text(labels: Any) -> Any:
        names, y = np.unique(labels.astype(str), return_inverse=True)
        return y.astype(np.int64), tuple(names.tolist())

    def by_appearance(labels: Any) -> Any:
        names = list(dict.fromkeys(map(str, labels.tolist())))
        return np.array([names.index(str(label)) for label in labels.tolist()]), tuple(names)

    for wrong in (as_text, by_appearance):
        with pytest.raises(AssertionError):
            law_ascending(wrong, [10, 9])


def test_targets_of_take_1_and_1_0_for_one_class() -> None:
    """Numbers are told apart by what they say, not by how they are written."""
    y, names = index(np.array(["1", "1.0", "2", "2e0", "1", "2"]))
    assert names == ("1", "2") and y.tolist() == [0, 0, 1, 1, 0, 1]
    y, names = index(np.array([1.0, 2.0] * 3))
    assert names == ("1", "2") and y.tolist() == [0, 1] * 3


@pytest.mark.parametrize(
    ("values", "real"),
    [
        ([0.5, 1, 2], True),
        ([0.0, 1.0] * 9, False),
        (list(range(20)) * 3, False),
        ([3, 7, 70] * 3, False),
        (list(range(100)) * 3, False),  # a hundred classes, numbered
        (list(range(1, 101)) * 3, False),
        (list(range(18, 90)) * 3, True),  # ages
        (list(range(100)) * 2, True),
        ([i * i for i in range(40)] * 3, True),
        (list(range(1000)) + list(range(500)), True),
    ],
)
def test_are_quantities_by_value(values: Any, real: Any) -> None:
    """Whole numbers are classes if they are few, or numbered without a gap from 0 or 1; other numbers are targets."""
    assert are_quantities(np.array(values)) is real


def test_targets_of_quantities_are_float64_as_they_are() -> None:
    """Real targets, of one output or of several, come as float64 without names."""
    for y in (np.linspace(-1e6, 1e6, 30), np.arange(60.0).reshape(30, 2), np.arange(0, 3000, 100)):
        found = targets_of(table_of(y), 1)
        assert found.kind == "real" and found.class_names == () and found.y.dtype == np.float64
        assert np.array_equal(found.y, y)


def test_target_that_never_changes_is_named_among_several() -> None:
    """One still output of two is the one that is named, with the fix."""
    with pytest.raises(ValueError, match=r"output 1 of the label 'label' has the same value in every row.*drop it"):
        targets_of(table_of(np.stack([np.linspace(0, 1, 30), np.full(30, 7.5)], axis=1)), 1)


@pytest.mark.parametrize(
    ("labels", "fields", "word"),
    [
        ([], {}, "^t: needs rows"),
        ([5] * 4, {}, "^t: every row has the label '5'; two are needed"),
        ([0, 0, 0, 1], {}, r"^t: row 3 \(from 0\): class '1' has 1 row,.*70/15/15.*add rows, drop.*--label"),
        ([1, 0, 0, 0, 1], {"lines": np.arange(5) + 7}, "^t: line 7: class '1' has 2 rows,"),
        ([0, 1] * 3, {"class_names": ("n", "y", "z")}, "^t: class 'z' has 0 rows"),
        ([0, 2] * 3, {"class_names": ("n", "y")}, r"^t: with class_names, y must hold integers in \[0, 2\)"),
        ([0.0, 1.0] * 3, {"class_names": ("n", "y")}, "must hold integers"),
        ([0.5, np.inf], {}, r"^t: row 1 \(from 0\): the label 'label' is inf"),
        ([0.5] * 9, {}, "the label 'label' has the same value in every row"),
    ],
)
def test_targets_of_name_what_cannot_be_split(labels: Any, fields: Any, word: Any) -> None:
    """One class, small classes with their first row, foreign indices, infinities and empty tables are named."""
    with pytest.raises(ValueError, match=word):
        targets_of(table_of(np.array(labels), **fields), 1)
