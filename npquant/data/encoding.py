"""Rows, the encoding: what each column of a table becomes: numbers as they are, words as 0/1 features, gaps filled.

Fitted on training rows, and kept with the data set, so that the next table is encoded alike.

Letters: R rows, K features. table the rows, complete; label the index of its label's column, or None; rows indices of
training rows; missing as `npquant.data.missing` has it; column one of the table's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.data.cell_text import is_number
from npquant.data.missing import present
from npquant.data.raw_table import Column, RawTable
from npquant.data.required_names import require_names

# More different texts than this are names of rows rather than categories.
MOST_CATEGORIES: Final = 32


@dataclass(frozen=True, slots=True)
class ColumnCode:
    """Say what one column becomes."""

    name: str
    categories: tuple[str, ...] = ()  # of text, ascending: one 0/1 feature each; empty: numbers
    fill: float | str | None = None  # what a missing cell holds, None: there is none

    @property
    def features(self) -> tuple[str, ...]:
        """Names of what it becomes, such as "month=Jan"."""
        return tuple(f"{self.name}={word}" for word in self.categories) or (self.name,)

    def to_json(self) -> dict[str, Any]:
        """Describe it; what is not so has no key."""
        found: dict[str, Any] = {"name": self.name}
        if self.categories:
            found["categories"] = list(self.categories)
        return found if self.fill is None else {**found, "fill": self.fill}


@dataclass(frozen=True, slots=True)
class Encoding:
    """Say what the columns of a table become, in order.

    >>> code = Encoding((ColumnCode("size"), ColumnCode("month", ("Feb", "Jan"))), named=True)
    >>> code.feature_names, Encoding.from_json(code.to_json()) == code
    (('size', 'month=Feb', 'month=Jan'), True)
    """

    columns: tuple[ColumnCode, ...]
    named: bool = False  # whether the names are the file's own, and a table's columns are found by them
    missing: str | None = None  # how gaps were filled

    @property
    def feature_names(self) -> tuple[str, ...]:
        """K names."""
        return tuple(name for column in self.columns for name in column.features)

    @property
    def plain(self) -> bool:
        """Whether every column is taken as it is."""
        return all(not column.categories and column.fill is None for column in self.columns)

    def to_json(self) -> dict[str, Any]:
        """Describe it as model files keep it."""
        columns = [column.to_json() for column in self.columns]
        return {"named": self.named, "missing": self.missing, "columns": columns}

    @staticmethod
    def from_json(found: dict[str, Any]) -> Encoding:
        """Make it again from what `to_json` has `found`; ValueError if it is none."""
        try:
            columns = tuple(
                ColumnCode(str(code["name"]), tuple(map(str, code.get("categories", ()))), code.get("fill"))
                for code in found["columns"]
            )
            return Encoding(columns, bool(found["named"]), found["missing"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not the description of an encoding: {error!r}") from error


def way_of(missing: str | None, encoding: Encoding | None) -> str | None:
    """Return how missing cells are met: as asked, else as an earlier table's `encoding` did, None: not at all.

    >>> way_of(None, Encoding((), missing="mean")), way_of("drop", None)
    ('mean', 'drop')
    """
    return encoding.missing if missing is None and encoding is not None else missing


def fit_encoding(table: RawTable, label: int | None, rows: NDArray[np.int64] | None, missing: str | None) -> Encoding:
    """Find what the columns of a table become; categories and fills are those of the rows (None: of all).

    ValueError if a column of text has more than 32 different values, or a column holds nothing; names it and the fix.

    >>> from npquant.data.raw_table import text_column
    >>> table = RawTable("t", (text_column("month", ["Jan", "Feb", "?", "Jan"]), Column("label", np.arange(4))))
    >>> fit_encoding(table, 1, np.array([0, 2]), "mean").columns
    (ColumnCode(name='month', categories=('Jan',), fill='Jan'),)
    """
    codes = [_code(table, c, rows, missing) for index, c in enumerate(table.columns) if index != label]
    if not codes:
        raise ValueError(f"{table.source}: has no column but the label; a network needs features")
    return Encoding(tuple(codes), table.header, missing)


def _code(table: RawTable, column: Column, rows: NDArray[np.int64] | None, missing: str | None) -> ColumnCode:
    fits = _fitted(column, rows)
    if fits.size == 0:
        raise ValueError(f"{table.source}: column {column.name!r} holds nothing in any training row: drop it")
    if column.words:
        used, counts = np.unique(fits, return_counts=True)
        words = [column.words[int(index)] for index in used]
        if len(words) > MOST_CATEGORIES:
            _refuse_text(table, column, len(words))
        often = {word: int(count) for word, count in zip(words, counts, strict=True)}
        fill = min(words, key=lambda word: (-often[word], word)) if missing in ("mean", "most-frequent") else None
        return ColumnCode(column.name, tuple(sorted(words)), fill=fill)
    return ColumnCode(column.name, fill=_fill(fits, missing))


def _fitted(column: Column, rows: NDArray[np.int64] | None) -> NDArray[Any]:
    """Return the cells of the training rows that hold something."""
    if rows is None:
        return present(column)
    part = column.values[rows]
    return part if column.missing is None else part[~column.missing[rows]]


def _fill(fits: NDArray[Any], missing: str | None) -> float | None:
    """Return what a missing number becomes: the mean, or the most frequent value (of several the smallest)."""
    if missing == "mean":
        return float(np.mean(fits, dtype=np.float64))
    if missing == "most-frequent":
        values, counts = np.unique(fits, return_counts=True)
        return float(values[np.argmax(counts)])
    return None


def _refuse_text(table: RawTable, column: Column, count: int) -> None:
    """Say what to do with a column of many texts."""
    odd = next((word for word in column.words if not is_number(word)), column.words[0])
    numbers = sum(map(is_number, column.words))
    hidden = np.zeros(table.rows, np.bool_) if column.missing is None else column.missing
    row = int(np.argmax((column.values == column.words.index(odd)) & ~hidden))
    why = f"; {odd!r} in {table.place(row)} is no number, most others are: correct it" if 2 * numbers > count else ""
    raise ValueError(
        f"{table.source}: column {column.name!r} holds {count:,} different texts, more than the {MOST_CATEGORIES} that "
        f"become categories{why}; drop the column if it only names the rows, or map it to fewer or to numbers"
    )


def columns_for(encoding: Encoding, table: RawTable, label: int | None) -> Iterator[tuple[ColumnCode, Column]]:
    """Yield each code of an `encoding` and the column of a table that it is for: found by name, else by place.

    ValueError if the table lacks a column, or has one more; names them.
    """
    features = [column for index, column in enumerate(table.columns) if index != label]
    if encoding.named and table.header:
        wanted = [code.name for code in encoding.columns]
        require_names([column.name for column in features], wanted, "column", table.source, "the encoding")
        by_name = {column.name: column for column in features}
        features = [by_name[name] for name in wanted]
    if len(features) != len(encoding.columns):
        raise ValueError(f"{table.source}: has {len(features)} features; {len(encoding.columns)} are encoded")
    yield from zip(encoding.columns, features, strict=True)
