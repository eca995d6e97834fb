"""Rows, 2 of 6: lines of plain numbers as arrays, by numpy.loadtxt, as whole numbers wherever that is possible.

numpy.loadtxt reads a whole number in a fifth of the time of a fraction. So a decimal of few digits is read as a whole
number d without its point, and divided by the power of ten that the point stood for: d / 10^k is the float64 nearest to
what is written, as the slow way gives it, since |d| <= 2^53 and 10^k, k <= 22, are float64, and one division rounds
once (W. Clinger, How to read floating point numbers accurately, PLDI 1990).

Letters: r lines, K columns; lines of the text, blank ones among them; separator that of `CsvForm`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.data.readers.csv_cells import BLANKS
from npquant.kernels.exact import FLOAT64_EXACT

_MOST_DECIMALS: Final = 22
# Nothing but cells of digits, each ended by a separator or the end of its line.
_DIGITS: Final = b"0123456789+-.\n"

Lines = list[str]
Converters = Mapping[int | str, Callable[[str], float]]


def whole_numbers(lines: Lines, separator: str) -> NDArray[np.int64] | None:
    """Return lines of whole numbers (r, K); None if some cell is none, or beyond 64 bits."""
    return _loaded(lines, separator, np.int64, {})


def fractions(lines: Lines, separator: str) -> NDArray[np.float64] | None:
    """Return lines of decimals of few digits (r, K); None if some cell is anything else.

    >>> fractions(["0.1,2\\n", "-1.25,3\\n"], ",")
    array([[ 0.1 ,  2.  ],
           [-1.25,  3.  ]])
    """
    text = "".join(lines)
    if separator == BLANKS or not text.isascii():
        return None
    raw = (text if text.endswith("\n") else text + "\n").encode()
    if raw.translate(None, _DIGITS + separator.encode()):
        return None
    data = np.frombuffer(raw, np.uint8)
    ended, points = (data == ord(separator)) | (data == ord("\n")), np.flatnonzero(data == ord("."))
    ends, cells = np.flatnonzero(ended), np.cumsum(ended, dtype=np.int32)[points]
    if np.any(cells[1:] == cells[:-1]):  # two points in a cell
        return None
    digits = whole_numbers(raw.translate(None, b".").decode("ascii").splitlines(), separator)
    if digits is None or digits.size != ends.size or np.any((digits > FLOAT64_EXACT) | (digits < -FLOAT64_EXACT)):
        return None
    decimals = np.zeros(ends.size, np.int64)
    decimals[cells] = ends[cells] - points - 1
    if decimals.max() > _MOST_DECIMALS:
        return None
    powers = np.array([float(10**k) for k in range(_MOST_DECIMALS + 1)])
    values: NDArray[np.float64] = digits / powers[decimals].reshape(digits.shape)
    return values


def any_numbers(lines: Lines, separator: str, converters: Converters) -> NDArray[np.float64] | None:
    """Return lines as float64 (r, K), some columns by `converters` from text; None if a cell is no number.

    Numbers beyond 2^53 may be rounded, or infinite: None as well.
    """
    values = _loaded(lines, separator, np.float64, converters)
    if values is None or not np.all((np.abs(values) < FLOAT64_EXACT) | np.isnan(values)):
        return None
    return values


def _loaded(lines: Lines, separator: str, dtype: type[Any], converters: Converters) -> NDArray[Any] | None:
    """Read lines by loadtxt; None if it refuses."""
    with warnings.catch_warnings():
        # It warns, where it did not fail in older releases, of a fraction in a whole number; and of no data.
        warnings.simplefilter("error")
        try:
            values: NDArray[Any] = np.loadtxt(
                lines,
                np.dtype(dtype),
                comments=None,
                delimiter=None if separator == BLANKS else separator,
                converters=converters or None,
                ndmin=2,
                encoding=None,
            )
            return values
        except (ValueError, Warning):
            return None
