"""Rows, encoded: one array of the narrowest exact type from the columns of a table.

Letters: R rows, K features. encoding what each column becomes; table the rows, complete; label the index of its
label's column, or None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.data.cell_text import is_number
from npquant.data.encoding import ColumnCode, Encoding, columns_for
from npquant.data.features import narrow_type, not_finite, require_told_apart
from npquant.data.listing import listed
from npquant.data.missing import present
from npquant.data.raw_table import Column, RawTable

# Rows that are written at a time: a column is far apart in memory, some hundred of its rows are in the cache.
_CHUNK: Final = 512
_LISTED: Final = 6


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """A column on its way: what to write, and over which values it lies."""

    code: ColumnCode
    values: NDArray[Any]  # numbers (R,); of text the index of its category, -1 for one that was not fitted
    whole: bool
    low: int
    high: int


def encoded(table: RawTable, label: int | None, encoding: Encoding) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Return the features (R, K) as uint8, int8, uint16, int16 or float32, and what is to be said of them.

    Whole numbers take the first type that holds them all, those of 8 and 16 bits that come as one block stay as they
    are; else all become float32, rounded to nearest even. ValueError if a number is not finite or beyond float32, if
    float32 cannot tell a column's values apart, or if the columns are not the encoding's; names row and column.

    >>> from npquant.data.raw_table import text_column
    >>> table = RawTable("t", (Column("a", np.array([5, 7])), text_column("m", ["x", "y"])), header=True)
    >>> code = Encoding((ColumnCode("m", ("y",)), ColumnCode("a")), named=True)
    >>> x, notes = encoded(table, None, code)
    >>> x.tolist(), notes[1:]
    ([[0, 5], [1, 7]], ("1 cell holds a text that no training row has: 0 in all its features: 'm' ('x')",))
    """
    pairs = list(columns_for(encoding, table, label))
    block = table.block
    if block is not None and label == table.label and encoding.plain and block.dtype.kind in "iu":
        if block.dtype.itemsize <= 2 and all(
            column is own for (_, column), own in zip(pairs, table.features, strict=True)
        ):
            return block, ()
    plans = [_plan(table, code, column) for code, column in pairs]
    narrow = None
    if all(plan.whole for plan in plans):
        narrow = narrow_type(min(plan.low for plan in plans), max(plan.high for plan in plans))
    x = np.empty((table.rows, len(encoding.feature_names)), np.float32 if narrow is None else narrow)
    for start in range(0, table.rows, _CHUNK):
        _write(plans, slice(start, start + _CHUNK), x)
    return x, _notes(pairs, plans, encoding)


def _plan(table: RawTable, code: ColumnCode, column: Column) -> _Plan:
    if code.categories or column.words:
        return _Plan(code, _categories(table, code, column), True, 0, 1)
    place = not_finite(column.values)
    if place is not None:
        raise ValueError(
            f"{table.source}: {table.place(place)}, column {column.name!r} holds {column.values[place]}: replace or "
            "drop what is not a finite float32"
        )
    there = present(column)
    require_told_apart(there, column.name, table.source)
    values = there if there is column.values else _filled(table, code, column, there)
    whole = values.dtype.kind in "biu"
    low, high = (int(values.min()), int(values.max())) if whole else (0, 0)
    return _Plan(code, values, whole, low, high)


def _filled(table: RawTable, code: ColumnCode, column: Column, there: NDArray[Any]) -> NDArray[Any]:
    """Put the fill where a number is missing; `there` are the others."""
    if code.fill is None or isinstance(code.fill, str):
        raise _gap(table, column)
    whole = code.fill.is_integer() and there.dtype.kind in "biu"
    values = np.array(column.values, np.int64 if whole else np.float64)
    values[column.missing] = code.fill
    return values


def _gap(table: RawTable, column: Column) -> ValueError:
    """Say that a cell is missing that nothing fills."""
    row = 0 if column.missing is None else int(np.argmax(column.missing))
    return ValueError(
        f"{table.source}: {table.place(row)}, column {column.name!r}: the cell is missing, and the encoding has no "
        "value to fill in; leave such rows out with --missing drop"
    )


def _categories(table: RawTable, code: ColumnCode, column: Column) -> NDArray[Any]:
    """Return the place of each cell among the categories."""
    words: tuple[str, ...] = column.words
    codes = column.values
    if not words and (column.missing is None or not column.missing.all()):
        words, codes = _as_words(column)
    if not code.categories:
        raise ValueError(
            f"{table.source}: column {column.name!r} holds text such as {words[0]!r}; numbers are expected"
        )
    place = {word: index for index, word in enumerate(code.categories)}
    places = np.array([place.get(word, -1) for word in words] or [-1], np.int64)
    index: NDArray[np.int64] = places[codes]
    if column.missing is not None:
        if not isinstance(code.fill, str):
            raise _gap(table, column)
        index[column.missing] = place[str(code.fill)]
    return index


def _as_words(column: Column) -> tuple[tuple[str, ...], NDArray[Any]]:
    """Read numbers as the text that they were written as: a table whose categories all look like numbers."""
    values, codes = np.unique(column.values, return_inverse=True)
    return tuple(str(value) for value in values.tolist()), codes.reshape(-1)


def _write(plans: list[_Plan], rows: slice, x: NDArray[Any]) -> None:
    """Write some rows of all columns."""
    at = 0
    for plan in plans:
        width = len(plan.code.features)
        if plan.code.categories:
            x[rows, at : at + width] = plan.values[rows, None] == np.arange(width)
        else:
            x[rows, at] = plan.values[rows]
        at += width


def _notes(pairs: list[tuple[ColumnCode, Column]], plans: list[_Plan], encoding: Encoding) -> tuple[str, ...]:
    """Say what was done to columns, a line a kind."""
    text = [f"{code.name!r} ({len(code.categories)}{_odd(code)})" for code, _ in pairs if code.categories]
    gaps = [(code, int(column.missing.sum())) for code, column in pairs if column.missing is not None]
    filled = [f"{code.name!r} {count:,} ({_said(code.fill)})" for code, count in gaps]
    strange, cells = [], 0
    for (code, column), plan in zip(pairs, plans, strict=True):
        unknown = plan.values == -1 if code.categories else np.zeros(0, np.bool_)
        if unknown.any():
            cells += int(unknown.sum())
            word = column.words[int(column.values[unknown][0])] if column.words else column.values[unknown][0]
            strange.append(f"{code.name!r} ({str(word)!r})")
    lines = (
        (text, "Text became 0/1 features, one a category: "),
        (filled, f"Missing cells were filled in ({encoding.missing}, of the training rows; text: the most frequent): "),
        (
            strange,
            f"{_cells(cells)} a text that no training row has: 0 in all its features: ",
        ),
    )
    return tuple(words + listed(items, _LISTED, " columns") for items, words in lines if items)


def _odd(code: ColumnCode) -> str:
    """Say which text makes a column one of words, where most of its cells' texts are numbers."""
    odd = [word for word in code.categories if not is_number(word)]
    if not 0 < 2 * len(odd) < len(code.categories):
        return ""
    return f", since {odd[0]!r} is no number" if len(odd) == 1 else f", since {odd[0]!r} and others are no numbers"


def _cells(count: int) -> str:
    return f"{count:,} cell{'s hold' if count != 1 else ' holds'}"


def _said(fill: float | str | None) -> str:
    return f"{fill:.6g}" if isinstance(fill, float) else str(fill)
