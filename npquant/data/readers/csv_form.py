"""Rows, 2 of 6: how a text table is written, found in its first lines: the separator, the decimal mark.

Letters: lines the first of the file; form how they are written; head their records; separator as in `CsvForm`; source
the file, for messages.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

from npquant.data.cell_text import is_missing, is_number
from npquant.data.readers.csv_cells import BLANKS, CsvForm, Record, has_thousands, records

TITLES: Final = MappingProxyType({"\t": "tabs", ";": "semicolons", ",": "commas", "|": "bars", BLANKS: "blanks"})
_COMMA: Final = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")


def find_form(lines: list[str], source: str) -> tuple[CsvForm, list[Record]]:
    """Return how lines are written, and their records.

    The separator is the one that cuts them alike, and into cells that are numbers, or text without another separator.
    Fractions stand behind commas if some cell shows it, and no cell a point. ValueError if there is no record, or one
    column; if quotes do not close; or if all commas in numbers could be those of thousands.

    >>> find_form(["a;b\\n", "1,5;2\\n"], "t")[0]
    CsvForm(separator=';', decimal=',')
    """
    named = re.fullmatch(r"sep=(.)\s*", lines[0]) if lines else None  # a line that Excel reads and writes
    choices = [named[1]] if named else list(TITLES)
    if named:
        lines = ["\n", *lines[1:]]
    ranked = [(*_fitness(lines, separator, source), separator) for separator in choices]
    alike, width, separator = max(ranked, key=lambda entry: entry[:2])
    if alike == 0:  # quotes that do not close are no table of one column
        for choice in choices:
            head_records(lines, CsvForm(choice), source)
    head = head_records(lines, CsvForm(separator), source)
    if not head:
        raise ValueError(f"{source}: empty; a row is numbers and a label")
    if width < 2:
        raise ValueError(f"{source}: line {head[0][0]} has one column; separate by commas or tabs")
    return CsvForm(separator, _decimal(head, source)), head


def head_records(lines: Iterable[str], form: CsvForm, source: str) -> list[Record]:
    """Cut the first lines, of which the last may lack the end of its quotes."""
    head: list[Record] = []
    try:
        head.extend(records(lines, form))
    except csv.Error as error:
        if not head:
            raise ValueError(f"{source}: not readable as CSV ({error}); check its quotes") from error
    return head


def _fitness(lines: list[str], separator: str, source: str) -> tuple[float, int]:
    """Judge a separator: the share of lines that it cuts alike times that of clean cells, then the columns."""
    try:
        head = head_records(lines, CsvForm(separator), source)
    except ValueError:
        return 0.0, 0
    width, count = Counter(len(cells) for _, cells in head).most_common(1)[0] if head else (0, 1)
    if width < 2:
        return 0.0, width
    cells = [cell for _, cells in head for cell in cells]
    others = set(TITLES) - {separator, BLANKS}
    clean = sum(_cleanness(cell, others, separator) for cell in cells)
    return count / len(head) * clean / len(cells), width


def _cleanness(cell: str, others: set[str], separator: str) -> float:
    """Judge a cell: 1 a number or nothing, less for text, least for text with another separator."""
    if is_missing(cell) or is_number(cell) or (separator != "," and _COMMA.fullmatch(cell)):
        return 1.0
    if others.isdisjoint(cell):
        return 0.5
    return 0.1 if separator == BLANKS else 0.25


def is_comma_number(cell: str) -> bool:
    """Tell whether a cell is a number with a decimal comma."""
    return _COMMA.fullmatch(cell) is not None


def _decimal(head: list[Record], source: str) -> str:
    """Find the decimal mark."""
    places = [(line, column, cell) for line, cells in head for column, cell in enumerate(cells, 1)]
    commas = [place for place in places if is_comma_number(place[2])]
    if not commas or any("." in cell and is_number(cell) for _, _, cell in places):
        return "."
    if all(has_thousands(cell) for _, _, cell in commas):
        line, column, cell = commas[0]
        raise ValueError(
            f"{source}: line {line}, column {column}: {cell!r} has a comma that may part thousands or a fraction; "
            "write numbers like 1234.5"
        )
    return ","
