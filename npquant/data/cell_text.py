"""Rows, what a written cell says: nothing, a number, or text. The one list of what stands for no value.

Letters: cell a text without blanks around it; decimal what stands before a fraction, a point or a comma.
"""

from __future__ import annotations

from typing import Final

# What people write where there is no value; compared in lower case, without blanks around it.
MISSING: Final = frozenset(
    "|?|-|--|.|na|n/a|n.a.|<na>|nan|-nan|+nan|null|none|nat"
    "|#n/a|#na|#n/a n/a|#div/0!|#value!|#ref!|#name?|#num!|#null!".split("|")  # the latter in spreadsheets
)


def is_missing(cell: str) -> bool:
    """Tell whether a cell holds nothing.

    >>> is_missing("N/A"), is_missing("0")
    (True, False)
    """
    return cell.casefold() in MISSING


def is_number(cell: str, decimal: str = ".") -> bool:
    """Tell whether a cell is a finite number or not, as these tables write one (Python would allow 1_000).

    >>> is_number("1e3"), is_number("3+"), is_number("1,5", ",")
    (True, False, True)
    """
    try:
        float(with_point(cell, decimal))
    except ValueError:
        return False
    return True


def with_point(cell: str, decimal: str) -> str:
    """Write a number as Python does; ValueError if it cannot be one."""
    if "_" in cell or (decimal == "," and "." in cell):
        raise ValueError(cell)
    return cell if decimal == "." else cell.replace(",", ".")
