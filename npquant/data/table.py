"""What a file of labelled rows holds, before and after its checks.

Letters: R rows, K features, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_NARROW: Final = (np.uint8, np.int8, np.uint16, np.int16)
_FEWEST: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class RawTable:
    """Rows as a file gives them.

    Attributes
    ----------
    source : str
        The file, for messages.
    x : ndarray of numbers, shape (R, K)
        Features.
    labels : ndarray of integers or text, shape (R,)
        Labels as written.
    feature_names : tuple of str
        K names.
    lines : ndarray of int64, shape (R,), or None
        Line of each row in a text file.
    class_names : tuple of str
        The file's own names, which integer labels then index; empty if it has none.
    """

    source: str
    x: NDArray[Any]
    labels: NDArray[Any]
    feature_names: tuple[str, ...]
    lines: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()

    def place(self, row: int) -> str:
        """Say where a row stands."""
        return f"row {row} (from 0)" if self.lines is None else f"line {self.lines[row]}"


def checked_features(table: RawTable) -> NDArray[Any]:
    """Bring the features to their narrowest exact type.

    Parameters
    ----------
    table : RawTable
        The rows.

    Returns
    -------
    ndarray of uint8, int8, uint16, int16 or float32, shape (R, K)
        Integers of 8 and 16 bits stay as they are stored; wider ones become the first of these
        types that holds them all; everything else becomes float32, rounded to nearest even.

    Raises
    ------
    ValueError
        If there are no rows or features, or a value is NaN, inf or beyond float32; names the file,
        the row and the column.

    Notes
    -----
    The type is chosen by the whole array, never row by row. Constant features stay: they cost
    nothing and carry no information, and dropping them would change the network's inputs.

    Examples
    --------
    >>> table = RawTable("t", np.array([[0, 300], [7, 9]]), np.array([0, 1]), ("a", "b"))
    >>> checked_features(table).dtype
    dtype('uint16')
    """
    x = table.x
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(f"{table.source}: needs rows and features, found shape {x.shape}")
    if x.dtype == np.bool_:
        return x.astype(np.uint8)
    if np.issubdtype(x.dtype, np.integer):
        if x.dtype.itemsize <= 2:
            return x
        narrow = _narrowest(int(x.min()), int(x.max()))
        return x.astype(np.float32 if narrow is None else narrow)
    largest = float(np.finfo(np.float32).max)
    with np.errstate(invalid="ignore"):
        good = np.abs(x) <= largest  # NaN compares false
    if not good.all():
        row, column = (int(index[0]) for index in np.nonzero(~good))
        raise ValueError(
            f"{table.source}: {table.place(row)}, column {table.feature_names[column]!r} holds "
            f"{x[row, column]}: replace or drop what is not a finite float32"
        )
    return x.astype(np.float32)


def _narrowest(lowest: int, highest: int) -> type[np.integer[Any]] | None:
    """Name the first narrow type that holds [lowest, highest]."""
    for narrow in _NARROW:
        limits = np.iinfo(narrow)
        if limits.min <= lowest and highest <= limits.max:
            return narrow
    return None


def indexed_labels(table: RawTable) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Map labels to class indices.

    Parameters
    ----------
    table : RawTable
        The rows.

    Returns
    -------
    y : ndarray of int64, shape (R,)
        Class indices in [0, C).
    class_names : tuple of str
        The C labels, in ascending order: as numbers if all are whole numbers, else as text.

    Raises
    ------
    ValueError
        If there is one class only, or a class has one or two rows; names the file, the class and
        its first row.

    Examples
    --------
    >>> table = RawTable("t", np.ones((6, 1)), np.array(["10", "9"] * 3), ("a",))
    >>> indexed_labels(table)[1]
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
