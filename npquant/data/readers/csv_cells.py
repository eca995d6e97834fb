"""Rows, 2 of 6: the cells of text tables: how lines are cut, and what is a number, exactly.

Letters: R rows, K columns. form how the table is written; cells texts without blanks around them; lines of the text;
decimal what stands before a fraction, a point or a comma.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.data.cell_text import is_missing, with_point

BLANKS: Final = " "
_BLANK_CELL: Final = re.compile(r'"((?:[^"]|"")*)"|(\S+)')
# 1,234 or 1.234.567 or 1 234,5: at least one group of three digits behind a mark that is no decimal point.
_THOUSANDS: Final = re.compile(r"[+-]?[1-9]\d{0,2}(?:([,.' \u00a0\u202f])\d{3})(?:\1\d{3})*(?:[.,]\d+)?")

Record = tuple[int, list[str]]


@dataclass(frozen=True, slots=True)
class CsvForm:
    """Say how a text table is written."""

    separator: str  # "," ";" "\t" "|", or BLANKS: any run of blanks and tabs
    decimal: str = "."


def records(lines: Iterable[str], form: CsvForm) -> Iterator[Record]:
    """Cut lines into cells; each record with the number of its last line, from 1. csv.Error if quotes do not close.

    Blank lines, lines of empty cells and comments are left out.

    >>> list(records(["1; 2\\n", "# x\\n", '3;"4;5"\\n'], CsvForm(";")))
    [(1, ['1', '2']), (3, ['3', '4;5'])]
    """
    kept = ("\n" if is_comment(line, form.separator) else line for line in lines)
    if form.separator == BLANKS:
        cut: Iterator[Record] = enumerate(map(_cut_at_blanks, kept), 1)
    else:
        reader = csv.reader(kept, delimiter=form.separator, skipinitialspace=True, strict=True)
        cut = ((reader.line_num, [cell.strip() for cell in cells]) for cells in reader)
    return ((line, cells) for line, cells in cut if any(cells))


def is_comment(line: str, separator: str) -> bool:
    """Tell whether a line starts with #, and its first cell, up to a separator, is neither # nor missing like #N/A.

    >>> [is_comment(line, ",") for line in ("# a,b", "#,Name,Type", "#N/A,3,red")]
    [True, False, False]
    """
    text = line.lstrip()
    if not text.startswith("#"):
        return False
    first = (text.split() if separator == BLANKS else text.split(separator))[0].strip()
    return not is_missing(first) and (first != "#" or separator == BLANKS or len(first) == len(text.strip()))


def _cut_at_blanks(line: str) -> list[str]:
    """Cut a line at runs of blanks, but not in quotes."""
    if '"' not in line:
        return line.split()
    return [quoted.replace('""', '"') or plain for quoted, plain in _BLANK_CELL.findall(line)]


def has_thousands(cell: str) -> bool:
    """Tell whether a cell looks like a number with separated thousands.

    >>> [has_thousands(cell) for cell in ("1,234", "1.234,5", "0,123", "12,34", "1 000")]
    [True, True, False, False, True]
    """
    return _THOUSANDS.fullmatch(cell) is not None


def numbers(cells: Sequence[str], decimal: str) -> tuple[NDArray[Any], NDArray[np.bool_] | None] | None:
    """Return cells as numbers, int64, uint64 or float64, and which are missing (None: none); None if some are text.

    Whole numbers are exact. OverflowError, its argument the index, if a number is infinite or a whole number beyond 64
    bits.

    >>> numbers(["1", "?", "9007199254740993"], ".")
    (array([               1,                0, 9007199254740993]), array([False,  True, False]))
    >>> numbers(["1,5", "2"], ",")
    (array([1.5, 2. ]), None)
    """
    values = _values(cells, decimal)
    if values is not None and not np.any(values != values):
        return values, None
    missing = np.fromiter(map(is_missing, cells), np.bool_, len(cells))
    values = _values(["0" if gone else cell for cell, gone in zip(cells, missing.tolist(), strict=True)], decimal)
    return None if values is None else (values, missing)


def _values(cells: Sequence[str], decimal: str) -> NDArray[Any] | None:
    """Read cells, all of which are numbers; else None."""
    try:
        joined = "".join(cells)
        if decimal != "." or "_" in joined:
            cells = [with_point(cell, decimal) for cell in cells]
        try:
            whole = list(map(int, cells))
        except ValueError:
            pass
        else:
            return _whole_array(whole)
        values = np.array(list(map(float, cells)), np.float64)
    except ValueError:
        return None
    infinite = np.isinf(values)
    if infinite.any():
        raise OverflowError(int(np.argmax(infinite)))
    return values


def _whole_array(whole: list[int]) -> NDArray[Any]:
    """Hold whole numbers in 64 bits."""
    unsigned = max(whole) >= 2**63
    if (unsigned and min(whole) < 0) or max(whole) >= 2**64 or min(whole) < -(2**63):
        raise OverflowError(max(range(len(whole)), key=lambda index: abs(whole[index])))
    return np.array(whole, np.uint64 if unsigned else np.int64)
