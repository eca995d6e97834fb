"""Laws of missing cells: one notion of them, counted by column, and nothing done about them that was not asked for."""

from typing import Any

import numpy as np
import pytest

from npquant.data.missing import check_missing, complete_rows, marked
from npquant.data.raw_table import Column, RawTable, text_column


def table() -> Any:
    """Five rows: a lacks two numbers, one as NaN; kind lacks a word; the label lacks the last."""
    a = Column("a", np.array([1.0, np.nan, 3.0, 0.0, 5.0]), np.array([False, False, False, True, False]))
    kind = text_column("kind", ["u", "v", "?", "u", "v"])
    label = Column("label", np.array([0, 1, 0, 1, 0]), np.array([False, False, False, False, True]))
    return RawTable("t", (a, kind, label), header=True, lines=np.arange(5) + 2)


def test_marked_takes_nan_for_a_missing_cell() -> None:
    """NaN and a hidden cell are one thing, and hold 0; whole tables stay as they are, infinities too."""
    found = marked(table()).columns[0]
    assert found.missing.tolist() == [False, True, False, True, False] and found.values.tolist() == [1, 0, 3, 0, 5]
    whole = RawTable("t", (Column("a", np.array([np.inf, -np.inf])), Column("b", np.array([1, 2]))))
    assert marked(whole) is whole


def test_complete_rows_drops_what_it_says() -> None:
    """Rows with a gap in a feature or the label are left out; counts, lines and words stay with their rows."""
    kept, notes = complete_rows(marked(table()), 2, "drop")
    assert kept.rows == 1 and kept.lines.tolist() == [2] and kept.columns[1].texts().tolist() == ["u"]
    assert all(column.missing is None for column in kept.columns)
    assert notes == ("4 of 5 rows were left out for missing cells: 'a' 2, 'kind' 1, 'label' 1",)


def test_complete_rows_names_counts_and_ways() -> None:
    """Without a way to go on the cells are counted by column; a label is never filled in."""
    labelled = RawTable("t", table().columns[:2], lines=table().lines)
    with pytest.raises(
        ValueError, match=r"^t: missing cells: 'a' 2, 'kind' 1; the first in line 3\. Say how"
    ) as caught:
        complete_rows(marked(_with_label(labelled)), 2, None)
    assert "--missing drop" in str(caught.value) and "most-frequent" in str(caught.value)
    for way in (None, "mean", "most-frequent"):
        with pytest.raises(ValueError, match=r"the label 'label' is missing in 1 row, first in line 6.*--missing drop"):
            complete_rows(marked(table()), 2, way)


def _with_label(part: Any) -> Any:
    return RawTable(part.source, (*part.columns, Column("label", np.arange(5) % 2)), lines=part.lines)


def test_complete_rows_refuses_to_leave_nothing() -> None:
    """A column that is empty in every row is named rather than all rows dropped."""
    empty = RawTable("t", (Column("e", np.zeros(3), np.ones(3, bool)), Column("label", np.arange(3))))
    with pytest.raises(ValueError, match=r"every row has a missing cell.*'e' 3"):
        complete_rows(empty, 1, "drop")


def test_check_missing_names_the_ways() -> None:
    """An unknown way lists those there are."""
    with pytest.raises(ValueError, match="'median' is unknown; choose one of drop, mean, most-frequent"):
        check_missing("median")
