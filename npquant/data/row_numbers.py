"""Rows, 3 of 6: a column that only numbers the rows is found by its values, and refused.

A network that learns it learns the order of the file: where rows are sorted by class it is perfect, and worthless.

Letters: R rows; table the raw table; label the index of its column of labels, which may count what it likes (None: not
chosen yet).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from npquant.data.raw_table import Column, RawTable

_INDEX_NAMES: Final = frozenset(
    {"index", "id", "row", "rowid", "row_id", "rownames", "no", "no.", "nr", "nr.", "number"}
)
_UNNAMED: Final = ("", "unnamed: 0", "level_0", "__index_level_0__")  # what pandas makes of an index
# So many rows in a feature's own order count by chance less than once in 10! tables.
_FEWEST: Final = 10


def row_number_column(table: RawTable, label: int | None) -> int | None:
    """Return the index of the first column that numbers the rows, None if there is none.

    Its whole numbers are 0 to R - 1 or 1 to R, each once, in any order (rows may have been shuffled or sorted since),
    and R is at least 10, or 3 where its name says that it is an index. A column that pandas makes of an index, which
    may number the rows of a larger table, is one if its numbers are whole and differ.

    >>> from npquant.data.raw_table import Column
    >>> columns = Column("size", np.array([3, 1, 2, 2])), Column("id", np.array([1, 2, 4, 3]))
    >>> row_number_column(RawTable("t", columns), None)
    1
    """
    label = table.label if label is None else label
    found = (index for index, column in enumerate(table.columns) if index != label and _numbers_rows(column))
    return next(found, None)


def refuse_row_numbers(table: RawTable, label: int | None) -> None:
    """Refuse a column that numbers the rows: ValueError names it and the fix."""
    index = row_number_column(table, label)
    if index is not None:
        column = table.columns[index]
        raise ValueError(
            f"{table.source}: column {index + 1}, {column.name!r}, only numbers the rows: drop it "
            "(pandas: to_csv(index=False), or drop(columns=...))"
        )


def _numbers_rows(column: Column) -> bool:
    """Judge a column."""
    values, rows = column.values, len(column.values)
    name = column.name.strip().casefold()
    fewest = 3 if name in _INDEX_NAMES or name in _UNNAMED else _FEWEST
    if rows < fewest or column.words or column.missing is not None or values.dtype.kind not in "iuf":
        return False
    low, high = values.min().item(), values.max().item()
    counts = low in (0, 1) and high == low + (rows - 1)
    if not counts and name not in _UNNAMED:
        return False
    if np.any(values != np.rint(values)):
        return False
    return len(np.unique(values)) == rows
