"""The time of a batch in NumPy, as a multiple of the float network's.

Legend: report the whole; ratios by batch, that of the integer network's time to the float one's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from npquant.report.page.figure import Figure
from npquant.report.page.svg import Drawing
from npquant.report.page.ticks import round_ticks
from npquant.report.page.words import TIMES, figures, short_duration, whole

_SAME: Final = 1.05


@dataclass(frozen=True, slots=True)
class _Bar:
    """Hold a batch: its ratio, the ratio's quartiles, and the time in words."""

    batch: int
    ratio: float
    low: float
    high: float
    said: str


def _bar(one: dict[str, Any]) -> _Bar:
    low, ratio, high = (one[key] / one["float_seconds"] for key in ("integer_low", "integer_seconds", "integer_high"))
    return _Bar(one["batch"], ratio, low, high, " ".join(short_duration(one["integer_seconds"])))


def time_title(ratios: dict[int, float]) -> str:
    """Say whether NumPy runs it faster.

    >>> time_title({1: 2.65, 64: 1.74}), time_title({1: 0.9, 64: 0.5})
    ('NumPy runs it slower than float', 'NumPy runs it faster than float')
    >>> time_title({1: 1.5, 64: 1.0, 1000: 0.5}), time_title({1: 1.04, 64: 0.98})
    ('NumPy runs it faster from 1,000 rows on', 'NumPy takes about as long as for float')
    """
    if min(ratios.values()) >= _SAME:
        return "NumPy runs it slower than float"
    faster = [batch for batch in ratios if all(ratios[later] < 1 / _SAME for later in ratios if later >= batch)]
    if not faster:
        both = max(ratios.values()) < _SAME
        return "NumPy takes about as long as for float" if both else "NumPy runs it slower than float, or as fast"
    if min(faster) == min(ratios):
        return "NumPy runs it faster than float"
    return f"NumPy runs it faster from {whole(min(faster))} rows on"


def latency(report: dict[str, Any]) -> Figure | None:
    """Draw a bar a batch; None where no time was taken."""
    taken = report["deployment"]["latency"]
    if not taken:
        return None
    sub = (
        "Median times on this machine, real inputs to real outputs; whiskers: the integer network's quartiles. "
        "The gain is bytes and products, not microseconds."
    )
    rows = [_bar(one) for one in taken]
    told = "; ".join(
        f"{whole(row.batch)} rows: {row.ratio:.2f} times float's ({row.low:.2f} to {row.high:.2f}), {row.said}"
        for row in rows
    )
    title = time_title({row.batch: row.ratio for row in rows})
    return Figure("latency", title, sub, told, lambda width: _draw(rows, width), _compiled(report))


def _compiled(report: dict[str, Any]) -> str:
    """Say what the C program takes, where one was measured."""
    found = [t["measured"] for t in report["deployment"]["targets"] if t["target"] == "c"]
    if not found or not found[0]["seconds"]:
        return ""
    code = found[0]["code_bytes"]
    size = f", and {whole(code)} bytes of code and constants" if code else ""
    return f"As a C program a row takes {' '.join(short_duration(found[0]['seconds']))} on this machine{size}."


def _draw(rows: list[_Bar], width: float) -> Drawing:
    left, right, top, pitch = 84.0, width - 96, 28.0, 46.0
    bottom = top + pitch * len(rows)
    plane = Drawing(width, bottom + 42)
    longest = max(row.ratio for row in rows)
    # On a busy machine a whisker may be many times its bar: it is cut at the edge, without an end.
    high = max(1.2, longest, min(1.4 * longest, max(row.high for row in rows)))

    def at(ratio: float) -> float:
        return left + (right - left) * min(ratio / high, 1.0)

    for tick in round_ticks(0, high, 4):
        plane.line(at(tick), top, at(tick), bottom, "grid")
        plane.text(at(tick), bottom + 16, figures(tick) if tick else "0", 11, "mut", anchor="m")
    for line, row in enumerate(rows):
        y, hue = top + pitch * line + 12, "orange" if row.ratio > 1 else "blue"
        plane.text(0, y + 15, f"{whole(row.batch)} row{'s' * (row.batch != 1)}", 12, "ink", bold=True)
        plane.rect(left, y, at(row.ratio) - left, 20, hue)
        _whisker(plane, at(row.low), at(row.high), y + 10, cut=row.high > high)
        beside = at(max(row.ratio, row.high)) + 7
        plane.text(beside, y + 9, f"{row.ratio:.2f} {TIMES}", 12, hue, bold=True, halo=True)
        plane.text(beside, y + 23, row.said, 11, "mut", halo=True)
    plane.line(at(1), top - 6, at(1), bottom, "ink", 2)
    plane.text(at(1), top - 12, "float = 1", 12, "ink", bold=True, anchor="m")
    plane.text(
        (left + right) / 2, bottom + 36, "time, as a multiple of float's (more is slower)", 12, "mut", anchor="m"
    )
    return plane


def _whisker(plane: Drawing, low: float, high: float, y: float, *, cut: bool) -> None:
    """Draw a whisker from low to high, with a rim of ground where it lies on the bar."""
    for hue, width in (("bg", 4.0), ("ink", 1.6)):
        plane.line(low, y, high, y, hue, width)
        for end in (low,) if cut else (low, high):
            plane.line(end, y - 5, end, y + 5, hue, width)
