"""Rows, 2 of 6: whether the first line of a text table holds names, seen from what stands under it.

Letters: K columns; head the first records of the file; decimal its decimal mark; source the file, for messages; names
the cells of its first line.
"""

from __future__ import annotations

from typing import Final

from npquant.data.cell_text import is_missing, is_number
from npquant.data.label_column import LABEL_NAMES, plain_name
from npquant.data.readers.csv_cells import Record, has_thousands

# So many whole numbers that count 0, 1, 2 ... are no row of data.
_SURELY_COUNTED: Final = 6


def find_header(head: list[Record], decimal: str, source: str) -> list[str]:
    """Return the names that the first line holds, or none if it is a row.

    It is a header if text stands over columns of numbers and no number does; if it counts 0 to K - 1 as pandas does;
    or if a name like label or class does not recur below, and numbers in the line are whole. Of a table that is text
    throughout, it is one if no cell recurs in its column. ValueError if the line could be either, a column has no name,
    or two have one.

    >>> find_header([(1, ["0", "1"]), (2, ["0.5", "2"])], ".", "t"), find_header([(1, ["1", "a"])], ".", "t")
    (['0', '1'], [])
    """
    line, names = head[0]
    below = [cells for _, cells in head[1:] if len(cells) == len(names)]
    if not _is_header(names, below, decimal, f"{source}: line {line}"):
        return []
    _require_names(names, below, f"{source}: line {line}")
    return names


def _is_header(names: list[str], below: list[list[str]], decimal: str, where: str) -> bool:
    """Decide whether a line over others holds names."""
    columns = list(zip(*below, strict=True)) or [()] * len(names)
    numeric = [_is_numeric(cells, decimal) for cells in columns]
    texts = [c for c, name in enumerate(names) if not is_missing(name) and not _is_numeric((name,), decimal)]
    digits = [c for c, name in enumerate(names) if _is_numeric((name,), decimal)]
    if _counts(names):
        return _is_counted_header(names, columns, where)
    whole = all(names[c].isdecimal() for c in digits)
    titled = any(plain_name(names[c]) in LABEL_NAMES and names[c] not in columns[c] for c in texts)
    if titled and whole:
        return True
    over = [c for c in texts if numeric[c]]
    if over and any(numeric[c] for c in digits):
        if whole and _consecutive([int(names[c]) for c in digits]):
            return True
        raise ValueError(
            f"{where}, column {over[0] + 1}: {names[over[0]]!r} stands over numbers like a name, "
            f"but {names[digits[0]]!r} in column {digits[0] + 1} is no name: name all columns, or write a number"
        )
    if over or any(numeric):
        return bool(over)
    return not digits and all(name not in cells for name, cells in zip(names, columns, strict=True))


def _is_numeric(cells: tuple[str, ...], decimal: str) -> bool:
    """Tell whether the cells that hold something are numbers, and there are some."""
    present = [cell for cell in cells if not is_missing(cell)]
    return bool(present) and all(is_number(cell, decimal) or has_thousands(cell) for cell in present)


def _counts(names: list[str]) -> bool:
    """Tell whether a line counts its columns from 0, but for a first one without a name."""
    counted = names[1:] if names[0] == "" else names
    return len(counted) > 1 and counted == [str(index) for index in range(len(counted))]


def _is_counted_header(names: list[str], columns: list[tuple[str, ...]], where: str) -> bool:
    """Decide whether 0, 1, 2 ... are names: as a row they would differ in kind from the rows below."""
    if names[0] == "" or len(names) >= _SURELY_COUNTED:
        return True
    if not columns[0]:
        return False
    if any(all(not cell.removeprefix("-").isdecimal() for cell in cells) for cells in columns):
        return True
    raise ValueError(
        f"{where} counts {', '.join(names)}: it may be pandas' names of the columns, or a row; name the columns"
    )


def _consecutive(values: list[int]) -> bool:
    """Tell whether two or more whole numbers count by 1."""
    return len(values) > 1 and values == list(range(values[0], values[0] + len(values)))


def _require_names(names: list[str], below: list[list[str]], where: str) -> None:
    """Refuse a column without a name (but for empty ones at the end), and two of one name."""
    for column, name in enumerate(names):
        ends = column > 1 and not any(names[column:]) and not any(any(cells[column:]) for cells in below)
        if name == "" and not ends:
            raise ValueError(
                f"{where}, column {column + 1} has no name: name it, or drop it if it only numbers the rows "
                "(pandas: to_csv(index=False))"
            )
        if name and name in names[:column]:
            raise ValueError(
                f"{where}: columns {names.index(name) + 1} and {column + 1} are both called {name!r}; rename one"
            )
