"""Rows, 2 of 6: CSV files as a raw table: a row a line, one column of labels, all others numbers.

Letters: R rows, K features. Lines and columns are counted from 1, as an editor shows them.
"""

from __future__ import annotations

import csv
import io
import os
from array import array
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from math import isfinite
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.data.raw_table import RawTable, labelled_table
from npquant.files.archive import read_bounded

_LABEL_NAMES: Final = frozenset({"label", "class", "target", "y"})
_MISSING: Final = frozenset({"", "?", "na", "n/a", "nan", "null", "none"})
_LOOK_AHEAD: Final = 100

_Record = tuple[int, list[str]]


def read_csv(path: str | os.PathLike[str], *, max_bytes: int) -> RawTable:
    """Read a CSV file of at most max_bytes from a `path`: numbers, and one label a row.

    UTF-8 text; separated by commas, semicolons or tabs; with or without a header. Features are int64 if all are whole
    numbers, else float64; labels are text. OSError if the file cannot be read; ValueError if a line is ragged, or a
    value missing or no number; names the line and the column.

    The separator is the one that cuts the first line into most columns. The first line is a header if none of its cells
    is a number, or if one is label, class, target or y (in any case) and does not recur below. The labels are that
    column, else the last one. Blank lines are skipped.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "t.csv").write_text("class;width;height\\ncat;3;4\\ndog;5;6\\n")
    ...     table = read_csv(Path(folder) / "t.csv", max_bytes=100)
    >>> table.feature_names, table.x.tolist(), table.labels.tolist()
    (('width', 'height'), [[3, 4], [5, 6]], ['cat', 'dog'])
    """
    source = str(path)
    text = _decode(read_bounded(path, max_bytes=max_bytes), source)
    records = _records(text, source)
    head = list(islice(records, _LOOK_AHEAD))
    if not head:
        raise ValueError(f"{source}: empty; a row is numbers and a label")
    width = len(head[0][1])
    if width < 2:
        raise ValueError(f"{source}: line {head[0][0]} has one column; separate by commas or tabs")
    header = _header(head, source)
    label = _label_column(header, width)
    x, labels, lines = _columns(chain(head[bool(header) :], records), source, width, label)
    names = header or [f"x{column}" for column in range(width)]
    return labelled_table(source, x, labels, names[:label] + names[label + 1 :], lines=lines)


def _columns(
    records: Iterable[_Record], source: str, width: int, label: int
) -> tuple[NDArray[Any], NDArray[np.str_], NDArray[np.int64]]:
    """Return the features (R, K), the labels (R,) and the line of each row (R,)."""
    values, labels, lines = array("d"), [], array("q")
    for line, cells in records:
        if len(cells) != width:
            raise ValueError(f"{source}: line {line} has {len(cells)} columns, not {width}")
        where = f"{source}: line {line}, column "
        labels.append(_label(cells.pop(label), f"{where}{label + 1}"))
        values.extend(_numbers(cells, where, label))
        lines.append(line)
    x = np.array(values).reshape(-1, width - 1)
    # Up to 2^31 in size, float64 and int64 hold the same whole numbers.
    whole = x.size and np.all(np.abs(x) <= 2**31) and np.all(x == np.rint(x))
    return x.astype(np.int64) if whole else x, np.array(labels), np.array(lines)


def _decode(data: bytes, source: str) -> str:
    """Decode UTF-8, with or without a byte order mark."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{source}: line {line} is not UTF-8 text; convert the file") from error


def _records(text: str, source: str) -> Iterator[_Record]:
    """Cut the text into lines of cells, blank ones left out."""
    first = next((line for line in io.StringIO(text) if line.strip()), "")
    try:
        separator = max("\t;,", key=lambda s: len(next(csv.reader([first], delimiter=s), [])))
        stream = io.StringIO(text, newline="")
        reader = csv.reader(stream, delimiter=separator, skipinitialspace=True, strict=True)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise ValueError(f"{source}: not readable as CSV ({error}); check its quotes") from error


def _header(head: list[_Record], source: str) -> list[str]:
    """Return the names of the first line, or nothing if it holds values."""
    line, names = head[0]
    titled = any(
        name.casefold() in _LABEL_NAMES and all(name != cells[column] for _, cells in head[1:] if column < len(cells))
        for column, name in enumerate(names)
    )
    if not titled and any(_is_number(name) for name in names):
        return []
    if "" in names:
        raise ValueError(
            f"{source}: line {line}, column {names.index('') + 1} has no name: name it, or drop it "
            "if it only numbers the rows (pandas: to_csv(index=False))"
        )
    return names


def _label_column(header: list[str], width: int) -> int:
    """Choose the column of the labels."""
    named = [column for column, name in enumerate(header) if name.casefold() in _LABEL_NAMES]
    return named[0] if named else width - 1


def _is_number(cell: str) -> bool:
    """Tell whether a cell is a number as this format writes it (Python would allow 1_000)."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _label(cell: str, where: str) -> str:
    """Check that a label is there."""
    if cell.casefold() in ("", "nan"):
        raise ValueError(f"{where}: the label is missing; fill it in or drop the line")
    return cell


def _numbers(cells: list[str], where: str, label: int) -> list[float]:
    """Read the features of a line."""
    try:
        numbers = list(map(float, cells))
        # An infinity or NaN minus itself is NaN; a sum finds any without looking at each.
        if sum(numbers) - sum(numbers) == 0 and "_" not in "".join(cells):
            return numbers
    except ValueError:
        pass
    for column, cell in enumerate(cells):
        place = f"{where}{column + 1 + (column >= label)}"
        if cell.casefold() in _MISSING:
            raise ValueError(f"{place}: the value is missing; fill it in or drop the line")
        if not _is_number(cell) or not isfinite(float(cell)):
            raise ValueError(f"{place}: {cell!r} is no finite number; write numbers like -1.5 or 2e3")
    return numbers
