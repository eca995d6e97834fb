"""Rows, 2 of 6: the rows of a text table, taken in piece by piece: quickly where all is plain, else cell by cell.

The quick way is numpy.loadtxt on some hundred lines. What it refuses, or could round, goes the exact way, which knows
quotes, missing cells and whole numbers beyond 2^53, and names the line and the column of what is wrong.

Letters: R rows, K columns; columns are counted from 1 in messages. lines of the text, and stream the rest of it; start
how many lines came before; place the index of a column; cells of a column as text; rows how many of them.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.data.cell_text import is_missing, is_number
from npquant.data.readers.column_store import ColumnStore, Piece
from npquant.data.readers.csv_cells import CsvForm, Record, is_comment, numbers, records
from npquant.data.readers.csv_quick import any_numbers, fractions, whole_numbers

# In this many characters of text; each costs up to some fifty bytes while its cells are looked at.
_CHUNK: Final = 1 << 18


class MoreText(Exception):
    """Raised where columns that were numbers so far hold text: by index, the first such cell."""

    def __init__(self, found: dict[int, str]) -> None:
        super().__init__(found)
        self.found = found


class CsvRows:
    """Collect the rows of one table."""

    def __init__(self, source: str, form: CsvForm, width: int, texts: frozenset[int], capacity: int) -> None:
        self.store = ColumnStore(width, capacity)
        self.words: dict[int, dict[str, int]] = {place: {} for place in sorted(texts)}  # code of each text, by column
        self.lines: list[NDArray[np.int32]] = []
        self.comments: list[int] = []  # lines within the table that are left out as comments
        self._source, self._form, self._width, self._capacity = source, form, width, capacity
        self._holes: dict[int, list[tuple[int, NDArray[np.bool_]]]] = defaultdict(
            list
        )  # first row, and what is missing
        self._way = 0  # how the last piece was read that was read quickly: whole numbers, fractions, any

    def read(self, stream: IO[str], skip: int) -> None:
        """Take in all of a `stream` but its first `skip` records. ValueError names the line; MoreText a column."""
        start = 0
        for _ in range(skip):
            start = self._exactly(stream.readlines(1), stream, start, 1)
        while lines := stream.readlines(_CHUNK):
            start = start + len(lines) if self._quickly(lines, start) else self._exactly(lines, stream, start, 0)

    def missing(self, place: int) -> NDArray[np.bool_] | None:
        """Return where a column of numbers has no value (R,); None if it has all."""
        if place not in self._holes:
            return None
        mask = np.zeros(self.store.rows, np.bool_)
        for row, part in self._holes[place]:
            mask[row : row + part.size] = part
        return mask

    def _exactly(self, lines: list[str], stream: IO[str], start: int, skip: int) -> int:
        """Take in lines, and those that end the last record; return how many lines came before the next."""
        rows: list[Record] = []
        last = len(lines)
        try:
            for line, cells in records(chain(lines, stream), self._form):
                rows.append((start + line, cells))
                if line >= len(lines):
                    last = line
                    break
        except csv.Error as error:
            raise ValueError(f"{self._source}: not readable as CSV ({error}); check its quotes") from error
        rows = rows[skip:]
        if rows:
            self._note_comments(lines, start, 0 if start else rows[0][0])
        for line, cells in rows:
            if len(cells) != self._width:
                hint = (
                    "; row.names=FALSE in R's write.table?" if len(cells) == self._width + 1 and not self.lines else ""
                )
                raise ValueError(f"{self._source}: line {line} has {len(cells)} columns, not {self._width}{hint}")
        if rows:
            self._add([cells for _, cells in rows], np.array([line for line, _ in rows], np.int32))
        return start + last

    def _note_comments(self, lines: list[str], start: int, above: int) -> None:
        """Keep which lines are left out within the table, which begins with line `above`."""
        found = (start + line for line, text in enumerate(lines, 1) if is_comment(text, self._form.separator))
        self.comments.extend(line for line in found if line > above)

    def _add(self, rows: list[list[str]], lines: NDArray[np.int32]) -> None:
        """Take in rows of cells."""
        pieces: dict[np.dtype[Any], list[tuple[int, NDArray[Any]]]] = defaultdict(list)
        strays: dict[int, str] = {}
        for place, cells in enumerate(zip(*rows, strict=True)):
            if place in self.words:
                values: NDArray[Any] | None = np.array([self._code(place, cell) for cell in cells], np.int64)
            else:
                values = self._numbers(place, cells, lines)
            if values is None:
                decimal = self._form.decimal
                strays[place] = next(cell for cell in cells if not (is_missing(cell) or is_number(cell, decimal)))
            else:
                pieces[values.dtype].append((place, values))
        if strays:
            raise MoreText(strays)
        self._append(
            [
                (np.array([place for place, _ in piece]), np.stack([values for _, values in piece], axis=1))
                for piece in pieces.values()
            ],
            lines,
        )

    def _numbers(self, place: int, cells: Sequence[str], lines: NDArray[np.int32]) -> NDArray[Any] | None:
        """Read the cells of a column of numbers."""
        try:
            found = numbers(cells, self._form.decimal)
        except OverflowError as error:
            row = int(error.args[0])
            raise ValueError(
                f"{self._source}: line {lines[row]}, column {place + 1}: {cells[row]!r} is no finite number, "
                "or a whole one beyond 64 bits; correct it, or drop the line"
            ) from error
        if found is None:
            return None
        values, missing = found
        if missing is not None:
            self._holes[place].append((self.store.rows, missing))
        return values

    def _code(self, place: int, text: str) -> int:
        """Number the texts of a column as they come."""
        words = self.words[place]
        return words.setdefault(text, len(words))

    def _append(self, pieces: list[Piece], lines: NDArray[np.int32]) -> None:
        """Keep rows that are read."""
        if self.store.rows + len(lines) > self._capacity:
            raise ValueError(f"{self._source}: it grew while it was read; read it again")
        try:
            self.store.append(pieces)
        except OverflowError as error:
            raise ValueError(
                f"{self._source}: column {error.args[0] + 1} up to line {lines[-1]} holds whole numbers that no one "
                "type holds exactly (beyond 2^53 with fractions, or beyond 2^63 with negative ones)"
            ) from error
        self.lines.append(lines)

    def _quickly(self, lines: list[str], start: int) -> bool:
        """Take in lines by loadtxt, if nothing in them needs a closer look."""
        values = self._loaded(lines)
        if values is None or len(values) > len(lines) or values.shape[1] != self._width:
            return False
        kept: Sequence[int] = range(len(lines))
        if len(values) < len(lines):
            kept = [index for index, line in enumerate(lines) if line.strip()]
            if len(kept) != len(values):
                return False
        if values.dtype.kind == "f":
            self._note_holes(values)
        self._append([(np.arange(self._width), values)], np.array(kept, np.int32) + np.int32(start + 1))
        return True

    def _loaded(self, lines: list[str]) -> NDArray[Any] | None:
        """Read lines in the way that went well before, else in the others; None if all refuse."""
        text = "".join(lines)
        separator, special = self._form.separator, dict(self._converters())
        if '"' in text or "#" in text or 2 * len(special) > self._width:
            return None
        if self._form.decimal == ",":
            if special or "." in text:
                return None
            lines = [line.replace(",", ".") for line in lines]
        if special:
            return any_numbers(lines, separator, special)
        for way in (self._way, *({0, 1, 2} - {self._way})):
            values: NDArray[Any] | None
            if way == 2:
                values = any_numbers(lines, separator, {})
            else:
                values = (whole_numbers, fractions)[way](lines, separator)
            if values is not None:
                self._way = way
                return values
        return None

    def _note_holes(self, values: NDArray[np.float64]) -> None:
        """Note where values are NaN, and put 0 there."""
        missing = np.isnan(values)
        for place in np.flatnonzero(missing.any(axis=0)).tolist():
            self._holes[place].append((self.store.rows, missing[:, place].copy()))
        values[missing] = 0

    def _converters(self) -> Iterator[tuple[int | str, Callable[[str], float]]]:
        """Say how the columns are read that are no plain numbers."""
        for place in self.words:
            yield place, lambda cell, place=place: self._code(place, cell.strip())  # type: ignore[misc]
        for place in self._holes:
            yield place, _number_or_nan


def _number_or_nan(cell: str) -> float:
    """Read a number where some are missing."""
    cell = cell.strip()
    if is_missing(cell):
        return np.nan
    if "_" in cell:
        raise ValueError(cell)
    return float(cell)
