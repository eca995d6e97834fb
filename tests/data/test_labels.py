"""Laws of the labels of a raw table: they become indices in ascending order, or what cannot be split is named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.data.labels import indexed_labels
from npquant.data.raw_table import labelled_table


def table_of(labels, **fields):
    return labelled_table("t", np.zeros((len(labels), 2)), labels, ("a", "b"), **fields)


def law_ascending(index, values):
    """Indices name the label of each row; names ascend, as numbers where all are whole numbers."""
    labels = np.array(values * 3)
    y, names = index(table_of(labels))
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
    y, names = indexed_labels(table_of(np.array(["1", "1.0", "2", "2e0", "1", "2"])))
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
        indexed_labels(table_of(np.array(labels), **fields))
