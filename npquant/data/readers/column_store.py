"""Rows, 2 of 6: columns of numbers that grow block by block, each in the narrowest type that holds all of it exactly.

A file is read once, from its start, and nobody knows at its first line which columns stay small. So columns of one type
lie in one array, made for the most rows there can be (memory that is never written costs nothing); a column that
outgrows its type moves to an array of a wider one.

Letters: R rows, r rows of a block, K columns; width K; capacity the most rows; columns the indices of some, ascending.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.kernels.exact import FLOAT64_EXACT

_WHOLE: Final = (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.int64)
_TYPES: Final = (*_WHOLE, np.uint64, np.float64)
_UNSIGNED, _REAL = len(_WHOLE), len(_WHOLE) + 1

Piece = tuple[NDArray[np.int64], NDArray[Any]]


class ColumnStore:
    """Hold K growing columns."""

    def __init__(self, width: int, capacity: int) -> None:
        self.rows = 0
        self._capacity = capacity
        # What each column holds: the interval of its int64 part, whether some lie beyond int64, whether some are real.
        self._low, self._high = np.zeros(width, np.int64), np.zeros(width, np.int64)
        self._huge, self._real = np.zeros(width, np.bool_), np.zeros(width, np.bool_)
        self._level = np.zeros(width, np.int64)  # the type of each column
        self._groups: dict[int, Piece] = {}  # by type

    def append(self, pieces: list[Piece]) -> None:
        """Add r rows: `pieces` are columns and their int64, uint64 or float64 numbers, finite, (r, ...).

        Together they name every column once. OverflowError if no type holds a column exactly: its index.
        """
        for columns, block in pieces:
            self._look(columns, block)
        self._regroup()
        count = len(pieces[0][1])
        for columns, array in self._groups.values():
            rows = array[self.rows : self.rows + count]
            for given, block in pieces:
                if np.array_equal(given, columns):
                    np.copyto(rows, block, casting="unsafe")
                    continue
                _, into, out_of = np.intersect1d(columns, given, assume_unique=True, return_indices=True)
                rows[:, into] = block[:, out_of]
        self.rows += count

    def columns(self) -> list[NDArray[Any]]:
        """Return the columns (R,), views of their arrays."""
        views: list[NDArray[Any]] = [np.zeros(0)] * len(self._level)
        for columns, array in self._groups.values():
            for place, column in enumerate(columns.tolist()):
                views[column] = array[: self.rows, place]
        return views

    def block(self) -> NDArray[Any] | None:
        """Return all columns as one array (R, K), if they have one type."""
        arrays = [array for _, array in self._groups.values()]
        return arrays[0][: self.rows] if len(arrays) == 1 else None

    def _look(self, columns: NDArray[np.int64], block: NDArray[Any]) -> None:
        """Widen what is known of columns by a block."""
        if not block.size:
            return
        low, high = block.min(axis=0), block.max(axis=0)
        if block.dtype.kind == "f":
            # A column that is real stays so, and a first row tells most that are.
            counted = (low >= -FLOAT64_EXACT) & (high <= FLOAT64_EXACT)
            whole = counted & ~self._real[columns] & (block[0] == np.rint(block[0]))
            whole[whole] = np.all(block[:, whole] == np.rint(block[:, whole]), axis=0)
            self._real[columns] |= ~whole
            low, high = np.where(whole, low, 0), np.where(whole, high, 0)
        elif block.dtype == np.uint64:
            self._huge[columns] |= high > np.iinfo(np.int64).max
            low, high = (np.minimum(end, np.iinfo(np.int64).max) for end in (low, high))
        self._low[columns] = np.minimum(self._low[columns], low.astype(np.int64))
        self._high[columns] = np.maximum(self._high[columns], high.astype(np.int64))

    def _regroup(self) -> None:
        """Give every column the narrowest type that holds it, and move those that need another one."""
        level = np.full(len(self._level), len(_WHOLE) - 1)
        for index in reversed(range(len(_WHOLE))):
            limits = np.iinfo(_WHOLE[index])
            level[(limits.min <= self._low) & (self._high <= limits.max)] = index
        level[self._huge], level[self._real] = _UNSIGNED, _REAL
        beyond = self._huge & (self._low < 0)
        beyond |= self._real & (self._huge | (self._low < -FLOAT64_EXACT) | (self._high > FLOAT64_EXACT))
        if beyond.any():
            raise OverflowError(int(np.flatnonzero(beyond)[0]))
        if self._groups and np.array_equal(level, self._level):
            return
        old, self._groups, self._level = self._groups, {}, level
        for index in np.unique(level).tolist():
            columns = np.flatnonzero(level == index)
            array = np.empty((self._capacity, columns.size), _TYPES[index])
            for held, values in old.values():
                _, into, out_of = np.intersect1d(columns, held, assume_unique=True, return_indices=True)
                array[: self.rows, into] = values[: self.rows, out_of]
            self._groups[index] = columns, array
