"""Laws of row numbers: a column that counts the rows is found by its values, and nothing else is."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.data.raw_table import Column, RawTable, text_column
from npquant.data.row_numbers import refuse_row_numbers, row_number_column

Find = Callable[[RawTable, int | None], int | None]


def table_of(values: np.ndarray, name: str = "n") -> RawTable:
    """A table with that column behind one of text."""
    words = text_column("kind", ["a", "b"] * len(values))
    return RawTable("t", (Column("kind", words.values[: len(values)], None, words.words), Column(name, values)))


def law_row_numbers(find: Find, rows: int, first: int, shuffle: int, dtype: str) -> None:
    """0 to R - 1 and 1 to R are found in any order and type; with one number off they are not."""
    values = np.random.default_rng(shuffle).permutation(rows) if shuffle else np.arange(rows)
    values = (values + first).astype(dtype)
    assert find(table_of(values), None) == 1
    assert find(table_of(values), 1) is None  # the label may count
    other = values.copy()
    other[np.argmax(values)] -= 1
    assert find(table_of(other), None) is None
    assert find(table_of(values * 2), None) is None
    if dtype == "f8":
        assert find(table_of(np.where(values == 5, 5.5, values)), None) is None


@given(
    rows=st.integers(10, 300),
    first=st.integers(0, 1),
    shuffle=st.integers(0, 9),
    dtype=st.sampled_from(["u2", "i8", "f8"]),
)
def test_row_number_column_finds_what_counts_rows(rows: int, first: int, shuffle: int, dtype: str) -> None:
    """Whatever its name, order and type."""
    law_row_numbers(row_number_column, rows, first, shuffle, dtype)


def test_row_number_column_law_kills_wrong_ones() -> None:
    """The law rejects one that wants the rows in order, and one that looks at the extremes only."""

    def ordered(table: RawTable, label: int | None) -> int | None:
        values = table.columns[1].values
        return 1 if label is None and np.array_equal(values, np.arange(len(values)) + values[0]) else None

    def extremes(table: RawTable, label: int | None) -> int | None:
        values = table.columns[1].values
        return 1 if label is None and values.max() - values.min() == len(values) - 1 else None

    with pytest.raises(AssertionError):
        law_row_numbers(ordered, 20, 0, 3, "i8")
    with pytest.raises(AssertionError):
        law_row_numbers(extremes, 20, 0, 3, "f8")


@pytest.mark.parametrize(
    ("values", "name", "found"),
    [
        ([1, 2, 3], "size", False),
        ([1, 2, 3], "ID", True),
        ([0, 2, 1], "index", True),
        ([4, 9, 7], "Unnamed: 0", True),  # rows of a larger table
        ([4, 9, 9], "Unnamed: 0", False),
        ([1, 2], "id", False),
    ],
)
def test_row_number_column_of_small_tables(values: list[int], name: str, found: bool) -> None:
    """Few rows count by chance, unless the column is called an index."""
    assert (row_number_column(table_of(np.array(values), name), None) == 1) == found


def test_refuse_row_numbers_names_the_column_and_the_fix() -> None:
    """The message names both; a table without such a column passes."""
    with pytest.raises(ValueError, match=r"^t: column 2, 'id', only numbers the rows: drop it \(pandas: to_csv"):
        refuse_row_numbers(table_of(np.arange(9), "id"), None)
    refuse_row_numbers(table_of(np.arange(9), "size"), None)
