"""Rows, the label's values: classes, numbered, or quantities, as they are.

Letters: R rows, C classes (or outputs of a network for quantities). table the rows, complete; column where its label
stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from npquant.data.raw_table import RawTable
from npquant.kernels.exact import FLOAT64_EXACT

Kind = Literal["classes", "real"]

# Rows of a class, one for each set of the split.
_FEWEST: Final = 3
# This many different whole numbers are always taken for classes.
FEW_NUMBERS: Final = 20


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Hold what a network is to learn."""

    y: NDArray[Any]  # "classes": indices in [0, C), int64, (R,); "real": float64, finite, (R,) or (R, C)
    class_names: tuple[str, ...]  # C, or none of "real"
    kind: Kind


def are_quantities(values: NDArray[Any]) -> bool:
    """Say whether the numbers of a label (R,), or (R, C), are real targets rather than classes.

    They are if one is no whole number, or if more than 20 different ones occur; but numbers that run from 0 or 1
    without a gap, each in three rows at least, are classes however many they are.

    >>> are_quantities(np.array([0.5, 1, 2])), are_quantities(np.array([3, 7] * 50)), are_quantities(np.arange(1000))
    (True, False, True)
    """
    if values.ndim > 1 or (values.dtype.kind == "f" and np.any(values != np.rint(values))):
        return True
    distinct, counts = np.unique(values, return_counts=True)
    if distinct.size <= FEW_NUMBERS:
        return False
    first, last = int(distinct[0]), int(distinct[-1])
    numbered = first in (0, 1) and last - first + 1 == distinct.size
    return not (numbered and int(counts.min()) >= _FEWEST)


def targets_of(table: RawTable, column: int) -> Targets:
    """Return the classes or quantities of each row.

    Class names are the table's own, which integer labels index; else the labels in ascending order, as numbers if all
    are whole numbers, else as text. ValueError if there are no rows, one class only, a class of less than three rows, a
    label that is no index of the table's own names, or a quantity that is not finite or never changes; names the
    file, the class and its first row.

    >>> from npquant.data.raw_table import labelled_table
    >>> targets_of(labelled_table("t", np.ones((6, 1)), np.array(["10", "9"] * 3), ("a",)), 1).class_names
    ('9', '10')
    """
    label = table.columns[column]
    if len(label.values) == 0:
        raise ValueError(f"{table.source}: needs rows, found none")
    if table.class_names:
        return _classes(table, *_own_indices(table, column))
    if label.words:
        return _classes(table, *_indices_by_text(label.words, label.values))
    finite = np.isfinite(label.values)
    if not finite.all():
        row = int(np.nonzero(~finite)[0][0])
        raise ValueError(
            f"{table.source}: {table.place(row)}: the label {label.name!r} is {label.values[row]}; drop it"
        )
    if are_quantities(label.values):
        return _quantities(table.source, label.name, label.values)
    values, y = np.unique(label.values, return_inverse=True)
    return _classes(table, y.astype(np.int64), tuple(str(int(value)) for value in values.tolist()))


def _quantities(source: str, name: str, values: NDArray[Any]) -> Targets:
    """Check real targets."""
    y = values.astype(np.float64)
    still = np.ptp(y.reshape(len(y), -1), axis=0) == 0
    if still.any():
        what = f"the label {name!r}" if still.size == 1 else f"output {int(np.argmax(still))} of the label {name!r}"
        raise ValueError(f"{source}: {what} has the same value in every row: there is nothing to learn; drop it")
    return Targets(y, (), "real")


def _classes(table: RawTable, y: NDArray[np.int64], names: tuple[str, ...]) -> Targets:
    """Check that there are two classes, of three rows each."""
    counts = np.bincount(y, minlength=len(names))
    if len(names) < 2:
        raise ValueError(f"{table.source}: every row has the label {names[0]!r}; two are needed")
    if counts.min() < _FEWEST:
        few = int(np.argmin(counts))
        places = [f"{table.place(int(row))}: " for row in np.flatnonzero(y == few)[:1]]
        raise ValueError(
            f"{table.source}: {''.join(places)}class {names[few]!r} has {counts[few]} "
            f"row{'s' * int(counts[few] != 1)}, the 70/15/15 split needs {_FEWEST}: add rows, drop "
            "the class, or name the column that holds the labels (--label)"
        )
    return Targets(y, names, "classes")


def _own_indices(table: RawTable, column: int) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Take integer labels as indices of the file's own names."""
    label, names = table.columns[column], table.class_names
    whole = label.values.dtype.kind in "iu" and not label.words
    if not whole or label.values.min() < 0 or label.values.max() >= len(names):
        raise ValueError(f"{table.source}: with class_names, y must hold integers in [0, {len(names)})")
    return label.values.astype(np.int64), names


def _indices_by_text(words: tuple[str, ...], codes: NDArray[Any]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Number labels of text in ascending order of what they say; "1" and "1.0" are one class."""
    numbers = [_whole_number(word) for word in words]
    say: list[Any] = list(words) if None in numbers else list(numbers)
    ordered = sorted(set(say))
    place = {value: index for index, value in enumerate(ordered)}
    index = np.array([place[value] for value in say], np.int64)
    return index[codes], tuple(str(value) for value in ordered)


def _whole_number(text: str) -> int | None:
    """Read a whole number, if float64 holds it."""
    try:
        number = float(text)
    except ValueError:
        return None
    return int(number) if number.is_integer() and abs(number) <= FLOAT64_EXACT else None
