"""Rows, how many names are written in a sentence, so that a table of thousands of columns still has readable messages.

Legend: items what is listed, as it is to be read; most how many are; what they are, with a blank before it.
"""

from __future__ import annotations

from collections.abc import Sequence


def listed(items: Sequence[str], most: int, what: str = "") -> str:
    """Write the first items, and how many more there are.

    >>> listed(["a", "b"], 2), listed(["a", "b", "c"], 1, " columns")
    ('a, b', 'a and 2 more columns')
    """
    shown = ", ".join(items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most:,} more{what}"
