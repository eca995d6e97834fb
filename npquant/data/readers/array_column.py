"""Rows, one column from an array of any type: what each type becomes, for frames, Arrow and npz alike.

Letters: R rows. name what the column is called, source its file; values an array (R,); missing (R,) True where a cell
holds nothing, beyond what the values say themselves, or None.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.data.raw_table import Column, text_column

_FIXES: Final = (
    (
        "M",
        "dates: make numbers of them, such as days since the first (pandas: (c - c.min()).dt.days), or drop the column",
    ),
    ("m", "time spans: make numbers of them (pandas: c.dt.total_seconds()), or drop the column"),
    ("c", "complex numbers: store real and imaginary parts as two columns"),
    ("V", "records: store each field as a column"),
    ("S", "bytes: decode them to text"),
)


def array_column(name: str, values: NDArray[Any], source: str, missing: NDArray[np.bool_] | None = None) -> Column:
    """Make a column: bool, integers and floats as they are, text as words, objects as what they all are.

    None, NaN, NaT, pandas.NA and what the MISSING words say are missing cells. ValueError for dates, complex numbers
    and mixtures; names the column and the fix.

    >>> array_column("a", np.array([1, None, 3], object), "t").values.tolist()
    [1, 0, 3]
    >>> array_column("t", np.array(["2024-01-01"], "datetime64[D]"), "f")
    Traceback (most recent call last):
    ...
    ValueError: f: column 't' holds dates: make numbers of them, such as days since the first \
(pandas: (c - c.min()).dt.days), or drop the column
    """
    kind = values.dtype.kind
    if kind == "O":
        return _of_objects(name, values, source, missing)
    if kind in "UT":
        return _of_texts(name, [str(value) for value in values.tolist()], missing)
    for letter, fix in _FIXES:
        if kind == letter:
            raise ValueError(f"{source}: column {name!r} holds {fix}")
    plain = values.astype(values.dtype.newbyteorder("="), copy=False)
    if kind == "f" and plain.dtype.itemsize > 8:
        plain = plain.astype(np.float64)
    if missing is None or not missing.any():
        return Column(name, plain)
    return Column(name, np.where(missing, plain.dtype.type(0), plain), missing)


def _of_texts(name: str, texts: list[str], missing: NDArray[np.bool_] | None) -> Column:
    """Read text; a cell that is hidden already says nothing."""
    if missing is not None:
        texts = ["" if gone else text for text, gone in zip(texts, missing.tolist(), strict=True)]
    return text_column(name, texts)


def _of_objects(name: str, values: NDArray[Any], source: str, missing: NDArray[np.bool_] | None) -> Column:
    """Read Python objects: numbers or text, where all are."""
    cells = values.tolist()
    gaps = np.array([_is_missing(cell) for cell in cells], np.bool_)
    gaps = gaps if missing is None else gaps | missing
    there = [cell for cell, gone in zip(cells, gaps.tolist(), strict=True) if not gone]
    if all(isinstance(cell, str) for cell in there):
        return _of_texts(name, ["" if gone else cell for cell, gone in zip(cells, gaps.tolist(), strict=True)], None)
    nested = any(isinstance(cell, list | tuple | dict | np.ndarray) for cell in there)
    found = np.array(there, object) if nested else np.array(there)
    if found.dtype.kind == "O" and all(map(_is_real, there)):
        found = np.array(there, np.float64)  # decimals and fractions
    if found.dtype.kind not in "biufMmc" or any(isinstance(cell, str) for cell in there):
        kinds = sorted({type(cell).__name__ for cell in there})
        raise ValueError(
            f"{source}: column {name!r} mixes or holds {', '.join(kinds)}: make all of it numbers, or text"
        )
    full = np.zeros(len(cells), found.dtype)
    full[~gaps] = found
    return array_column(name, full, source, gaps)


def _is_real(cell: object) -> bool:
    """Tell what is a number without being a NumPy one: decimals and fractions."""
    return isinstance(cell, Fraction | Decimal)


def _is_missing(cell: object) -> bool:
    """Tell None, NaN, NaT and pandas.NA: nothing, or not equal to itself."""
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(cell, float | np.floating) and cell != cell
