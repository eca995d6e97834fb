"""Targets against answers, of real targets: what confusion matrices are to classes.

Legend: report the whole; outcome the answers of both networks on test rows.
"""

from __future__ import annotations

from math import dist
from typing import Any

from npquant.report.page.figure import PHONE, Figure
from npquant.report.page.svg import Drawing
from npquant.report.page.ticks import round_ticks
from npquant.report.page.words import figures, whole


def nearness_title(float_error: float, apart: float) -> str:
    """Say whether the networks lie nearer to each other than to the truth: `float_error` an RMSE, `apart` another.

    >>> nearness_title(2.0, 0.5), nearness_title(1.0, 1.5)
    ('The networks differ by less than either errs', 'The networks differ by more than the float one errs')
    """
    if apart < float_error:
        return "The networks differ by less than either errs"
    return "The networks differ by more than the float one errs"


def real_values(report: dict[str, Any]) -> Figure:
    """Draw both answers of each test row over its target."""
    outcome = report["pictures"]["real_answers"]
    root = len(outcome["target"]) ** 0.5
    before, after, apart = (
        dist(outcome[one], outcome[two]) / root
        for one, two in (("target", "float"), ("target", "deployed"), ("float", "deployed"))
    )
    several = report["models"][0]["neurons"][-1] > 1
    which = f" of output {outcome['output']}" if several else ""
    shown = whole(len(outcome["target"]))
    sub = f"Answers{which} over the target, {shown} test rows. Circles: float. Dots: deployed. On the line: right."
    errors = [figures(error, 3) for error in (before, after, apart)]
    label = f"RMSE on the rows shown: float {errors[0]}, deployed {errors[1]}, between them {errors[2]}."
    title = nearness_title(min(before, after), apart)
    return Figure("real-values", title, sub, label, lambda width: _draw(outcome, width), label)


def _draw(outcome: dict[str, Any], width: float) -> Drawing:
    side = min(width - 64, 440.0)
    left, top = 56.0, 22.0
    plane = Drawing(width, top + side + 44)
    values = [value for name in ("target", "float", "deployed") for value in outcome[name]]
    low, high = min(values), max(values)
    room = 0.04 * (high - low) or 1.0
    low, high = low - room, high + room

    def place(x: float, y: float) -> tuple[float, float]:
        return left + side * (x - low) / (high - low), top + side * (high - y) / (high - low)

    for tick in round_ticks(low, high, 4 if width == PHONE else 6):
        x, y = place(tick, tick)
        plane.line(x, top, x, top + side, "grid")
        plane.line(left, y, left + side, y, "grid")
        plane.text(x, top + side + 18, figures(tick, 4), 11, "mut", anchor="m")
        plane.text(left - 8, y + 4, figures(tick, 4), 11, "mut", anchor="e")
    plane.line(*place(low, low), *place(high, high), "ln", 1.5)
    for target, before, after in zip(outcome["target"], outcome["float"], outcome["deployed"], strict=True):
        plane.line(*place(target, before), *place(target, after), "bluef", 1.5)
        plane.circle(*place(target, before), 3, "none", "ln", 1.2)
        plane.circle(*place(target, after), 2.6, "blue")
    plane.text(left, 12, "answer", 12, "mut")
    plane.text(left + side / 2, top + side + 38, "target, in its unit", 12, "mut", anchor="m")
    return plane
