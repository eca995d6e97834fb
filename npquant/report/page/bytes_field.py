"""The file before and after as a field of squares, each so many bytes.

Legend: report the whole; total bytes, cells the most squares that a field may have.
"""

from __future__ import annotations

from typing import Any, Final

from npquant.report.page.figure import PHONE, Figure
from npquant.report.page.svg import Drawing, number
from npquant.report.page.words import whole

_TALL: Final = 156  # pixels, about


def bytes_field(report: dict[str, Any]) -> Figure:
    """Draw the bytes that are left, in the corner of all that there were."""
    before, after = report["models"][0]["bytes"], report["models"][-1]["bytes"]
    label = f"A field of squares for {whole(before)} bytes of the float network, of which {whole(after)} are left."
    return Figure("bytes", "", "", label, lambda width: _draw(before, after, width), wide=True)


def square_size(total: int, cells: int) -> int:
    """Find a round number of bytes a square: 1, 2, 4 or 5 times a power of ten.

    >>> square_size(28_280, 1414), square_size(28_280, 720), square_size(900, 1414)
    (20, 40, 1)
    """
    power = 1
    while True:
        for factor in (1, 2, 4, 5):
            if total <= cells * factor * power:
                return factor * power
        power *= 10


def _draw(before: int, after: int, width: float) -> Drawing:
    largest = max(before, after)
    unit = square_size(largest, 800 if width == PHONE else 1700)
    squares = -(-largest // unit)
    rows = max(1, round((_TALL * squares / width) ** 0.5))
    pitch = min(width / -(-squares // rows), 24.0)
    tall = 24 + rows * pitch + 20
    plane = Drawing(width, tall)
    hue, left = ("blue", "are left") if after <= before else ("orange", "now")
    plane.text(0, 14, f"{whole(after)} bytes {left}", 13, hue, bold=True)
    of = "(float)" if width == PHONE else "bytes: the float network"
    plane.text(width, 14, f"of {whole(before)} {of}", 13, "mut", anchor="e")
    small, large = sorted((-(-before // unit), -(-after // unit)))
    _columns(plane, small, large, rows, pitch, "greyf" if after <= before else hue)
    _columns(plane, 0, small, rows, pitch, hue if after <= before else "greyf")
    plane.text(width, tall - 2, f"one square = {whole(unit)} byte{'s' * (unit != 1)}", 12, "mut", anchor="e")
    return plane


def _columns(plane: Drawing, start: int, end: int, rows: int, pitch: float, hue: str) -> None:
    """Draw squares start to end, column by column: each column one line, its dashes the squares."""
    side = pitch - 1.5
    d = ""
    for column in range(start // rows, -(-end // rows)):
        first, last = max(start - column * rows, 0), min(end - column * rows, rows)
        d += f"M{number(column * pitch + side / 2)} {number(24 + first * pitch)}v{number((last - first) * pitch - 1.5)}"
    if d:
        plane.path(d, "", hue, side, f"{number(side)} 1.5")
