"""The frontier as a picture: accuracy against bytes, for light and for dark ground.

Legend: points one a setting; plane what is drawn on; place takes bytes and per cent to pixels; methods in order, each
with a hue and a shape of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, log10
from typing import Final

from npquant.report.page.plate import WIDTH, Plate, svg_of
from npquant.report.page.svg import Drawing, clipped, text_width
from npquant.report.page.ticks import log_ticks, round_ticks
from npquant.report.page.words import whole
from npquant.workflow.sweep.frontier import Point, frontier_of, label, varying

Place = Callable[[float, float], tuple[float, float]]
_LEFT, _RIGHT, _TOP, _TALL = 56.0, 740.0, 46.0, 330.0
_HUES: Final = ("blue", "orange", "teal", "plum")


def frontier_svg(points: Sequence[Point]) -> bytes:
    """Write the picture of at least one point as a file."""
    best, seeds = frontier_of(points), max(point.seeds for point in points)
    first, last = best[0], best[-1]
    reach = _at(first) if first is last else f"from {_at(first)} to {_at(last)}"
    title = f"{len(best)} of {len(points)} settings are beaten by none: {reach}"
    means = f"; means over {seeds} seeds" if seeds > 1 else ""
    sub = f"Validation rows right, % and bytes of the file; ringed and joined: what no setting beats{means}"
    names = varying(points)
    label_words = "; ".join(f"{label(point, names)}: {_at(point)}" for point in best)
    return svg_of(Plate("frontier", title, sub, f"The frontier. {label_words}.", _draw(points))).encode("utf-8")


def _at(point: Point) -> str:
    return f"{point.validation:.1f} % in {whole(round(point.bytes))} bytes"


def _draw(points: Sequence[Point]) -> Drawing:
    methods = list(dict.fromkeys(str(dict(point.setting)["method"]) for point in points))
    floats = sorted({point.float_validation for point in points})
    ends = log10(min(point.bytes for point in points) / 1.1), log10(max(point.bytes for point in points) * 1.1)
    seen = [*(point.validation for point in points), *floats]
    low, high = min(seen) - 1, max(seen) + 1

    def place(n_bytes: float, share: float) -> tuple[float, float]:
        across = (log10(n_bytes) - ends[0]) / (ends[1] - ends[0])
        return _LEFT + (_RIGHT - _LEFT) * across, _TOP + _TALL * (high - share) / (high - low)

    plane = Drawing(WIDTH, _TOP + _TALL + 44)
    _key(plane, methods)
    _axes(plane, place, ends, (low, high))
    for level in floats:
        y = place(10 ** ends[0], level)[1]
        plane.line(_LEFT, y, _RIGHT, y, "ln", 1.2, "5 4")
    plane.text(_LEFT + 4, place(10 ** ends[0], floats[-1])[1] - 5, "float", 12, "mut", halo=True)
    best = [place(point.bytes, point.validation) for point in frontier_of(points)]
    plane.steps([*best, (_RIGHT, best[-1][1])], "ln", 1.6)
    for point in points:
        _mark(plane, methods.index(str(dict(point.setting)["method"])), *place(point.bytes, point.validation))
    for x, y in best:
        plane.circle(x, y, 8, "none", "ink2", 1.5)
    return plane


def _key(plane: Drawing, methods: Sequence[str]) -> None:
    """Name the methods, each beside its mark."""
    room = WIDTH / max(4, ceil(len(methods) / 2))
    for at, method in enumerate(methods):
        line, column = divmod(at, max(4, ceil(len(methods) / 2)))
        x, y = 8 + room * column, 8.0 + 18 * line
        _mark(plane, at, x, y)
        plane.text(x + 12, y + 4, clipped(method, room - 24), 12, "ink2")


def _axes(plane: Drawing, place: Place, ends: tuple[float, float], shares: tuple[float, float]) -> None:
    bottom, edge = _TOP + _TALL, -1e9
    for tick in log_ticks(10 ** ends[0], 10 ** ends[1]):
        x = place(tick, shares[0])[0]
        plane.line(x, _TOP, x, bottom, "grid")
        words = whole(round(tick))
        if x - text_width(words, 11) / 2 > edge:
            plane.text(x, bottom + 17, words, 11, "mut", anchor="m")
            edge = x + text_width(words, 11) / 2 + 6
    for tick in round_ticks(*shares, 6):
        y = place(10 ** ends[0], tick)[1]
        plane.line(_LEFT, y, _RIGHT, y, "grid")
        plane.text(_LEFT - 8, y + 4, f"{tick:g}", 11, "mut", anchor="e")
    middle = (_LEFT + _RIGHT) / 2
    plane.text(middle, plane.height - 8, "bytes of the file (log scale; smaller is to the left)", 12, "mut", anchor="m")


def _mark(plane: Drawing, method: int, x: float, y: float) -> None:
    """Draw one point: four hues, and shapes that tell methods apart without them."""
    hue = _HUES[method % len(_HUES)]
    shape = method % 5
    if shape == 0:
        plane.circle(x, y, 4, hue, "bg", 1)
    elif shape == 1:
        plane.rect(x - 3.5, y - 3.5, 7, 7, hue, "bg", 1)
    elif shape == 2:
        plane.path(f"M{x - 4.5:.1f} {y + 3.5:.1f}h9l-4.5 -8z", hue, "bg", 1)
    elif shape == 3:
        plane.cross(x, y, 3.5, hue, 2)
    else:
        plane.circle(x, y, 3.5, "bg", hue, 2)
