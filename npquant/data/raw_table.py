"""Rows, 1 of 6: the raw table, what a file of labelled rows holds before its checks; every reader returns one.

Letters: R rows, K features, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class RawTable:
    """Hold rows as a file gives them."""

    source: str  # the file, for messages
    x: NDArray[Any]  # features, numbers of shape (R, K)
    labels: NDArray[Any]  # as written: integers or text, shape (R,)
    feature_names: tuple[str, ...]  # K names
    lines: NDArray[np.int64] | None = None  # line of each row in a text file, (R,)
    class_names: tuple[str, ...] = ()  # the file's own C names, which integer labels then index; empty if it has none

    def place(self, row: int) -> str:
        """Say where a row stands."""
        return f"row {row} (from 0)" if self.lines is None else f"line {self.lines[row]}"


def joined(tables: list[RawTable], source: str) -> RawTable:
    """Put the rows of several `tables` one after the other, called `source`.

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
    return RawTable(source, x, labels, tables[0].feature_names)
