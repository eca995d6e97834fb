"""The time of a batch in NumPy, as a multiple of the float network's.

Legend: report the whole; ratios by batch, that of the integer network's time to the float one's.
"""

from __future__ import annotations

from typing import Any, Final

from npquant.report.page.figure import Figure
from npquant.report.page.svg import Drawing
from npquant.report.page.ticks import round_ticks
from npquant.report.page.words import TIMES, figures, short_duration, whole

_SAME: Final = 1.05


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
    ratios = {one["batch"]: one["integer_seconds"] / one["float_seconds"] for one in taken}
    sub = "Median times on this machine, real inputs to real outputs. The gain is bytes and products, not microseconds."
    times = [" ".join(short_duration(one["integer_seconds"])) for one in taken]
    told = "; ".join(
        f"{whole(batch)} rows: {ratio:.2f} times float's, {said}"
        for (batch, ratio), said in zip(ratios.items(), times, strict=True)
    )
    rows = [(batch, ratio, said) for (batch, ratio), said in zip(ratios.items(), times, strict=True)]
    return Figure("latency", time_title(ratios), sub, told, lambda width: _draw(rows, width), _compiled(report))


def _compiled(report: dict[str, Any]) -> str:
    """Say what the C program takes, where one was measured."""
    found = [t["measured"] for t in report["deployment"]["targets"] if t["target"] == "c"]
    if not found or not found[0]["seconds"]:
        return ""
    code = found[0]["code_bytes"]
    size = f", and {whole(code)} bytes of code and constants" if code else ""
    return f"As a C program a row takes {' '.join(short_duration(found[0]['seconds']))} on this machine{size}."


def _draw(rows: list[tuple[int, float, str]], width: float) -> Drawing:
    left, right, top, pitch = 84.0, width - 96, 28.0, 46.0
    bottom = top + pitch * len(rows)
    plane = Drawing(width, bottom + 42)
    high = max(1.2, *(ratio for _, ratio, _ in rows))

    def at(ratio: float) -> float:
        return left + (right - left) * ratio / high

    for tick in round_ticks(0, high, 4):
        plane.line(at(tick), top, at(tick), bottom, "grid")
        plane.text(at(tick), bottom + 16, figures(tick) if tick else "0", 11, "mut", anchor="m")
    for line, (batch, ratio, said) in enumerate(rows):
        y, hue = top + pitch * line + 12, "orange" if ratio > 1 else "blue"
        plane.text(0, y + 15, f"{whole(batch)} row{'s' * (batch != 1)}", 12, "ink", bold=True)
        plane.rect(left, y, at(ratio) - left, 20, hue)
        plane.text(at(ratio) + 7, y + 9, f"{ratio:.2f} {TIMES}", 12, hue, bold=True, halo=True)
        plane.text(at(ratio) + 7, y + 23, said, 11, "mut", halo=True)
    plane.line(at(1), top - 6, at(1), bottom, "ink", 2)
    plane.text(at(1), top - 12, "float = 1", 12, "ink", bold=True, anchor="m")
    plane.text(
        (left + right) / 2, bottom + 36, "time, as a multiple of float's (more is slower)", 12, "mut", anchor="m"
    )
    return plane
