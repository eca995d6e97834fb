"""Rows, 2 of 6: text tables: CSV, and numbers parted by blanks; a row a line, as columns of numbers and of words.

Letters: R rows, K columns. Lines and columns are counted from 1, as an editor shows them.
"""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import islice
from typing import IO, Final

import numpy as np

from npquant.data.cell_text import is_missing, is_number
from npquant.data.raw_table import Column, RawTable, coded_column
from npquant.data.readers.csv_cells import CsvForm, Record, has_thousands, numbers, records
from npquant.data.readers.csv_form import TITLES, find_form, is_comma_number
from npquant.data.readers.csv_header import find_header
from npquant.data.readers.csv_rows import CsvRows, MoreText
from npquant.data.readers.text_source import TextSource, text_source

_HEAD_LINES: Final = 200
_HEAD_CHARACTERS: Final = 1 << 16


def read_csv(path: str | os.PathLike[str], *, max_bytes: int) -> RawTable:
    """Read the text table at a `path`, plain, gzipped or alone in a zip archive, of at most max_bytes unpacked.

    Encoding, separator, decimal mark and header are found (`text_source`, `find_form`, `find_header`), and what is not
    the usual one is said in the notes. Cells without a value are marked; a column that holds text is one of words,
    True and False one of bool, any other one of numbers, exactly as written. OSError if the file cannot be read;
    ValueError if a line is ragged or a number infinite or with thousands apart; names the line and the column.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "t.csv").write_text("kind;width;height\\ncat;3;4,5\\ndog;5;?\\n")
    ...     table = read_csv(Path(folder) / "t.csv", max_bytes=100)
    >>> table.columns[0].words, table.columns[2].values.tolist(), table.columns[2].missing.tolist()
    (('cat', 'dog'), [4.5, 0.0], [False, True])
    >>> table.notes
    ('separated by semicolons', 'decimal commas')
    """
    return csv_table(text_source(path, max_bytes=max_bytes))


def csv_table(text: TextSource) -> RawTable:
    """Read a table from a `text`."""
    with text.lines() as stream:
        lines = _first_lines(stream)
    form, head = find_form(lines, text.path)
    names = find_header(head, form.decimal, text.path)
    skip = int(bool(names)) + int(lines[0].startswith("sep="))
    names = names or _commented_names(lines, form, head[0])
    rows, form = _rows(text, form, head, skip)
    if rows.store.rows == 0:
        raise ValueError(f"{text.path}: has a header and no rows; lines that start with # are comments")
    return _table(text, form, rows, names)


def _first_lines(stream: IO[str]) -> list[str]:
    """Take enough lines to see how they are written."""
    lines: list[str] = []
    while len(lines) < _HEAD_LINES and sum(map(len, lines)) < _HEAD_CHARACTERS:
        more = list(islice(stream, 10))
        if not more:
            break
        lines += more
    return lines


def _commented_names(lines: list[str], form: CsvForm, first: Record) -> list[str]:
    """Take names from a comment on top of the first row, as numpy.savetxt writes them."""
    number, cells = first
    above = lines[number - 2].lstrip() if number > 1 else ""
    found = [names for _, names in records([above.lstrip("# ")], form)] if above.startswith("#") else []
    if found and above.startswith("#\t"):  # the # is itself a name, that of numbers of rows
        found[0].insert(0, "#")
    if not found or len(found[0]) != len(cells) or len(set(found[0])) != len(cells):
        return []
    return [] if any(is_number(name) or is_missing(name) for name in found[0]) else found[0]


def _rows(text: TextSource, form: CsvForm, head: list[Record], skip: int) -> tuple[CsvRows, CsvForm]:
    """Read the rows; anew where columns of numbers turn out to hold text, or fractions behind commas."""
    width = len(head[0][1])
    # A row has a separator or a line end for each cell.
    capacity = min(text.most_lines, text.size // width + 1)
    alike = [cells for _, cells in head[skip:] if len(cells) == width]
    texts = frozenset(place for place, cells in enumerate(zip(*alike, strict=True)) if _is_text(cells, form))
    points = any("." in cell and is_number(cell) for _, cells in head for cell in cells)
    while True:
        rows = CsvRows(text.path, form, width, texts, capacity)
        try:
            with text.lines() as stream:
                rows.read(stream, skip)
        except MoreText as more:
            if form.decimal == "." and not points and all(map(is_comma_number, more.found.values())):
                form = replace(form, decimal=",")
            else:
                texts |= more.found.keys()
        else:
            return rows, form


def _is_text(cells: tuple[str, ...], form: CsvForm) -> bool:
    """Tell whether some cells are neither numbers nor missing."""
    try:
        return numbers(cells, form.decimal) is None
    except OverflowError:
        return False  # the rows' reader names the place


def _table(text: TextSource, form: CsvForm, rows: CsvRows, names: list[str]) -> RawTable:
    """Make columns of what was read."""
    values, lines = rows.store.columns(), np.concatenate(rows.lines)
    columns = []
    for place, numbers_or_codes in enumerate(values):
        name = names[place] if names else f"x{place}"
        if place in rows.words:
            column = coded_column(name, numbers_or_codes, tuple(rows.words[place]))
            _require_no_marks(column, place, lines, text.path)
        else:
            column = Column(name, numbers_or_codes, rows.missing(place))
        columns.append(column)
    notes = text.notes
    if form.separator != ",":
        notes += (f"separated by {TITLES.get(form.separator, repr(form.separator))}",)
    if form.decimal == ",":
        notes += ("decimal commas",)
    if rows.comments:
        count = len(rows.comments)
        what = "1 line that starts" if count == 1 else f"{count:,} lines that start"
        notes += (f"without {what} with # (line {rows.comments[0]})",)
    block = None if rows.words else rows.store.block()
    while len(columns) > 2 and _is_empty(columns[-1]) and not (names and columns[-1].name):
        notes += (f"column {len(columns)} is empty and left out",)
        columns, block = columns[:-1], None
    nameless = [place for place, column in enumerate(columns, 1) if not column.name]
    if nameless:
        raise ValueError(f"{text.path}: column {nameless[0]} has no name, but values; name it")
    return RawTable(
        text.path, tuple(columns), header=bool(names), lines=lines.astype(np.int64), notes=notes, block=block
    )


def _is_empty(column: Column) -> bool:
    """Tell whether no row has a value."""
    return column.missing is not None and bool(column.missing.all())


def _require_no_marks(column: Column, place: int, lines: np.typing.NDArray[np.int32], source: str) -> None:
    """Refuse a column that is text only because its numbers have thousands apart, or two decimal marks."""
    marked = [code for code, word in enumerate(column.words) if has_thousands(word) or is_comma_number(word)]
    if not marked or not all(is_number(word) or has_thousands(word) or is_comma_number(word) for word in column.words):
        return
    line, word = lines[int(np.argmax(column.values == marked[0]))], column.words[marked[0]]
    what = "thousands set apart" if has_thousands(word) else "a decimal comma beside decimal points"
    raise ValueError(f"{source}: line {line}, column {place + 1}: {word!r} has {what}; write numbers like 1234.5")
