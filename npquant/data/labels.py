"""Rows, 3 of 6: the labels of a raw table, numbered as classes.

Letters: R rows, C classes.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.data.raw_table import RawTable

# Rows of a class, one for each set of the split.
_FEWEST: Final = 3


def indexed_labels(table: RawTable) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the class index (R,) of each row of a `table`, in [0, C), and the C class names.

    The names are the table's own, which integer labels index; else the labels in ascending order, as numbers if all are
    whole numbers, else as text. ValueError if there are no rows, one class only, a class of less than three rows, or a
    label that is no index of the table's own names; names the file, the class and its first row.

    >>> from npquant.data.raw_table import labelled_table
    >>> indexed_labels(labelled_table("t", np.ones((6, 1)), np.array(["10", "9"] * 3), ("a",)))[1]
    ('9', '10')
    """
    if table.labels.size == 0:
        raise ValueError(f"{table.source}: needs rows, found none")
    y, names = _own_indices(table) if table.class_names else _indices_by_value(table.labels)
    counts = np.bincount(y, minlength=len(names))
    if len(names) < 2:
        raise ValueError(f"{table.source}: every row has the label {names[0]!r}; two are needed")
    if counts.min() < _FEWEST:
        few = int(np.argmin(counts))
        places = [f"{table.place(int(row))}: " for row in np.flatnonzero(y == few)[:1]]
        raise ValueError(
            f"{table.source}: {''.join(places)}class {names[few]!r} has {counts[few]} "
            f"row{'s' * int(counts[few] != 1)}, the 70/15/15 split needs {_FEWEST}: add rows, drop "
            "the class, or check which column holds the labels"
        )
    return y, names


def _own_indices(table: RawTable) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Take integer labels as indices of the file's own names."""
    labels, names = table.labels, table.class_names
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0 or labels.max() >= len(names):
        raise ValueError(f"{table.source}: with class_names, y must hold integers in [0, {len(names)})")
    return labels.astype(np.int64), names


def _indices_by_value(labels: NDArray[Any]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Number the labels in ascending order of what they say."""
    values, y = np.unique(labels, return_inverse=True)
    numbers = _whole_numbers(values)
    if numbers is not None:
        # "1" and "1.0" are one class: index the numbers, not the texts.
        values, order = np.unique(numbers, return_inverse=True)
        y = order[y]
    return y.astype(np.int64).reshape(-1), tuple(str(value) for value in values)


def _whole_numbers(values: NDArray[Any]) -> NDArray[np.int64] | None:
    """Read labels as whole numbers, if all of them are (and float64 holds them)."""
    try:
        numbers = [float(value) for value in values.tolist()]
    except ValueError:
        return None
    if not all(number.is_integer() and abs(number) <= 2**53 for number in numbers):
        return None
    return np.array([int(number) for number in numbers], np.int64)
