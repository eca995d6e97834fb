"""Rows, 1 of 6: the raw table, what a file of rows holds before its checks; every reader returns one.

Letters: R rows, K features, C classes. name what a column is called, feature_names those of x; texts (R,) as written,
or codes (R,) into the distinct words; missing (R,) True where a cell holds nothing; source what to call the table in
messages; x features (R, K); labels (R,); lines and class_names as `RawTable` has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npquant.data.cell_text import is_missing


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """Hold one column as a file gives it: numbers, or text as indices into its words."""

    name: str
    values: NDArray[Any]  # (R,) bool, any integers or floats, exactly as written; of text, integer indices into words
    missing: NDArray[np.bool_] | None = None  # (R,), True where the cell holds nothing (values there are 0); or none is
    words: tuple[str, ...] = ()  # the distinct texts, in the order of their first rows; empty for numbers

    def texts(self) -> NDArray[np.str_]:
        """Return the cells (R,) of a column of text as text; "" where one is missing."""
        texts = np.array(self.words or ("",), np.str_)[self.values]
        return texts if self.missing is None else np.where(self.missing, "", texts)


def text_column(name: str, texts: Sequence[str] | NDArray[np.str_], missing: NDArray[np.bool_] | None = None) -> Column:
    """Make a column of text; missing None: the cells that are in `MISSING`, whatever their case.

    >>> column = text_column("kind", ["b", "a", "?", "b"])
    >>> column.words, column.values.tolist(), column.missing.tolist()
    (('b', 'a'), [0, 1, 0, 0], [False, False, True, False])
    """
    order: dict[str, int] = {}
    codes = np.array([order.setdefault(str(text), len(order)) for text in texts], np.int32)
    if missing is None:
        return coded_column(name, codes, tuple(order))
    return _without(name, codes, tuple(order), missing)


def coded_column(name: str, codes: NDArray[Any], words: tuple[str, ...]) -> Column:
    """Make a column of text from indices into `words`, some of them in `MISSING`; True and False become bool."""
    absent = _say_nothing(words)
    missing = absent[codes] if absent.any() else np.zeros(codes.shape, np.bool_)
    column = _without(name, codes, words, missing)
    if column.words and {word.casefold() for word in column.words} <= {"true", "false"}:
        truths = np.array([word.casefold() == "true" for word in column.words])
        return Column(name, truths[column.values] & ~missing, column.missing)
    return column


def _say_nothing(words: Sequence[str]) -> NDArray[np.bool_]:
    """Tell which words stand for no value; a minus beside a plus is one of two classes of a well-known table."""
    absent = np.array([is_missing(word.strip()) for word in words], np.bool_)
    if "+" in words and "-" in words:
        absent[list(words).index("-")] = False
    return absent


def _without(name: str, codes: NDArray[Any], words: tuple[str, ...], missing: NDArray[np.bool_]) -> Column:
    """Leave out the words that no row has which is not missing."""
    if not missing.any():
        return Column(name, codes, None, words)
    kept = np.unique(codes[~missing])
    place = np.zeros(max(len(words), 1), codes.dtype)
    place[kept] = np.arange(kept.size)
    codes = np.where(missing, 0, place[codes]).astype(codes.dtype)
    return Column(name, codes, missing, tuple(words[index] for index in kept.tolist()))


@dataclass(frozen=True, slots=True, eq=False)
class RawTable:
    """Hold rows as a file gives them."""

    source: str  # the file, for messages
    columns: tuple[Column, ...]  # all of them in the file's order, the label among them
    label: int | None = None  # the column that the format itself makes the label (IDX, y of an npz); None: to be chosen
    header: bool = False  # whether the names are the file's own, else x0, x1, ...
    lines: NDArray[np.int64] | None = None  # line of each row in a text file, (R,)
    class_names: tuple[str, ...] = ()  # the file's own C names, which integer labels then index; empty if it has none
    notes: tuple[str, ...] = ()  # what the reader decided: "separated by semicolons, decimal commas"
    block: NDArray[Any] | None = None  # all columns but a known label, where they are views of one array (R, K)

    @property
    def rows(self) -> int:
        """R."""
        return len(self.columns[0].values)

    @property
    def features(self) -> tuple[Column, ...]:
        """All columns but the label."""
        return tuple(column for index, column in enumerate(self.columns) if index != self.label)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """K names."""
        return tuple(column.name for column in self.features)

    @property
    def x(self) -> NDArray[Any]:
        """All columns but the label as numbers (R, K), of the type that holds them all."""
        if self.block is not None:
            return self.block
        return np.stack([column.values for column in self.features], axis=1)

    @property
    def labels(self) -> NDArray[Any]:
        """The labels (R,), numbers or text."""
        if self.label is None:
            raise ValueError(f"{self.source}: which column is the label has not been chosen")
        column = self.columns[self.label]
        return column.texts() if column.words else column.values

    def place(self, row: int) -> str:
        """Say where a row stands."""
        return f"row {row} (from 0)" if self.lines is None else f"line {self.lines[row]}"


def labelled_table(
    source: str,
    x: NDArray[Any],
    labels: NDArray[Any],
    feature_names: Sequence[str],
    *,
    lines: NDArray[np.int64] | None = None,
    class_names: tuple[str, ...] = (),
) -> RawTable:
    """Make a table of features, one array of numbers, and labels, numbers or text, which come last."""
    label = Column("label", labels)
    if labels.dtype.kind == "U":  # True and False are names of classes here
        words, codes = np.unique(labels, return_inverse=True)
        label = text_column("label", labels, _say_nothing(words.tolist())[codes])
    columns = [Column(name, x[:, index]) for index, name in enumerate(feature_names)]
    return RawTable(source, (*columns, label), len(columns), lines=lines, class_names=class_names, block=x)


def joined(tables: list[RawTable], source: str) -> RawTable:
    """Put the rows of several `tables` of `labelled_table` one after the other, called `source`.

    ValueError if their rows differ in width or type.
    """
    for table in tables:
        if table.x.shape[1:] != tables[0].x.shape[1:] or table.x.dtype != tables[0].x.dtype:
            raise ValueError(
                f"{source}: {tables[0].source} holds {tables[0].x.dtype} {tables[0].x.shape[1:]} "
                f"a row, {table.source} {table.x.dtype} {table.x.shape[1:]}; keep one set a folder"
            )
    if len(tables) == 1:
        return tables[0]
    x = np.concatenate([table.x for table in tables])
    labels = np.concatenate([table.labels for table in tables])
    return labelled_table(source, x, labels, tables[0].feature_names)
