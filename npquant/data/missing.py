"""Rows, missing cells: found in every kind of table alike, counted by column, left out where that is asked.

Letters: R rows. table the rows as read; missing how to go on: "drop" leaves out each row with a missing cell, "mean"
and "most-frequent" fill it in from training rows, None refuses it; column one of the table's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.data.listing import listed
from npquant.data.raw_table import Column, RawTable

WAYS: Final = ("drop", "mean", "most-frequent")
_LISTED: Final = 8


def check_missing(missing: str | None) -> None:
    """ValueError if missing is no way to go on.

    >>> check_missing("mean")
    """
    if missing is not None and missing not in WAYS:
        raise ValueError(f"missing cells: {missing!r} is unknown; choose one of {', '.join(WAYS)} with --missing")


def present(column: Column) -> NDArray[Any]:
    """Return the values of the cells that hold one; a view where all do.

    >>> present(Column("a", np.array([1, 0, 3]), np.array([False, True, False]))).tolist()
    [1, 3]
    """
    return column.values if column.missing is None else column.values[~column.missing]


def marked(table: RawTable) -> RawTable:
    """Return the table with each NaN marked as a missing cell: one notion of it, wherever the numbers come from.

    >>> marked(RawTable("t", (Column("a", np.array([np.nan, 2])),))).columns[0].missing.tolist()
    [True, False]
    """
    columns = tuple(_marked(column) for column in table.columns)
    same = all(new is old for new, old in zip(columns, table.columns, strict=True))
    return table if same else replace(table, columns=columns, block=None)


def _marked(column: Column) -> Column:
    values = column.values
    # A sum is NaN if a number is, and also where infinities meet: looked at only then.
    if values.dtype.kind != "f":
        return column
    with np.errstate(invalid="ignore", over="ignore"):
        if not np.isnan(values.sum()):
            return column
    gaps = np.isnan(values.reshape(len(values), -1)).any(axis=1)
    if not gaps.any():
        return column
    if column.missing is not None:
        gaps = gaps | column.missing
    shape = (-1,) + (1,) * (values.ndim - 1)
    return Column(column.name, np.where(gaps.reshape(shape), 0, values), gaps, column.words)


def rows_of(table: RawTable, kept: NDArray[np.bool_]) -> RawTable:
    """Return the kept rows (R,) of a table."""
    columns = tuple(
        Column(
            c.name, c.values[kept], None if c.missing is None or not c.missing[kept].any() else c.missing[kept], c.words
        )
        for c in table.columns
    )
    lines = None if table.lines is None else table.lines[kept]
    return replace(table, columns=columns, lines=lines, block=None)


def complete_rows(table: RawTable, label: int, missing: str | None) -> tuple[RawTable, tuple[str, ...]]:
    """Return the rows to work on, every one with a label; under "drop" with every cell, and a note on those left out.

    ValueError if the `label`, an index of a column, is missing in a row and rows are not dropped; if a cell is and no
    way to go on is named; or if no row is left. Counts the cells by column.

    >>> gaps = np.array([False, True, False])
    >>> table = RawTable("t", (Column("a", np.array([1, 0, 3]), gaps), Column("label", np.array([0, 1, 1]))))
    >>> kept, notes = complete_rows(table, 1, "drop")
    >>> kept.rows, notes
    (2, ("1 of 3 rows was left out for missing cells: 'a' 1",))
    """
    check_missing(missing)
    gaps = [(c.name, c.missing) for c in table.columns if c.missing is not None and c.missing.any()]
    if not gaps:
        return table, ()
    if missing == "drop":
        return _dropped(table, gaps)
    answer = table.columns[label].missing
    if answer is not None and answer.any():
        raise ValueError(
            f"{table.source}: the label {table.columns[label].name!r} is missing in {_rows(int(answer.sum()))}, first "
            f"in {table.place(int(np.argmax(answer)))}: labels are never filled in; leave such rows out with "
            "--missing drop"
        )
    if missing is None:
        first = min(int(np.argmax(gap)) for _, gap in gaps)
        raise ValueError(
            f"{table.source}: missing cells: {_counts(gaps)}; the first in {table.place(first)}. Say how to go on: "
            "--missing drop leaves such rows out, mean or most-frequent fills them in from the training rows"
        )
    return table, ()


def _dropped(table: RawTable, gaps: list[tuple[str, NDArray[np.bool_]]]) -> tuple[RawTable, tuple[str, ...]]:
    """Leave out the rows with gaps."""
    kept = ~np.logical_or.reduce([gap for _, gap in gaps])
    if not kept.any():
        raise ValueError(
            f"{table.source}: every row has a missing cell ({_counts(gaps)}): drop the emptiest columns, or fill cells "
            "in with --missing mean"
        )
    out = int(np.count_nonzero(~kept))
    verb = "was" if out == 1 else "were"
    note = f"{out:,} of {_rows(kept.size)} {verb} left out for missing cells: {_counts(gaps)}"
    return rows_of(table, kept), (note,)


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"


def _counts(gaps: list[tuple[str, NDArray[np.bool_]]]) -> str:
    """List how many cells each column misses."""
    return listed([f"{name!r} {np.count_nonzero(gap):,}" for name, gap in gaps], _LISTED, " columns")
