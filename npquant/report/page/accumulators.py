"""How many bits the accumulators can need, proven, beside what they needed.

Legend: report the whole; low and high the ends of an interval.
"""

from __future__ import annotations

from typing import Any, Final

from npquant.report.page.figure import PHONE, Figure
from npquant.report.page.svg import Drawing
from npquant.report.page.words import whole

_SHOWN: Final = 40


def bits_of(low: int, high: int) -> int:
    """Count the bits of the narrowest two's complement integer that holds both ends.

    >>> bits_of(-355, 210), bits_of(-128, 127), bits_of(0, 0)
    (10, 8, 1)
    """
    return max(high, -1 - low, 0).bit_length() + 1


def _reach(low: int, high: int) -> str:
    return f"\N{PLUS-MINUS SIGN}{whole(max(high, -low))}"


def accumulators(report: dict[str, Any]) -> Figure:
    """Draw a bar a layer: seen, proven, and the register."""
    bounds, layers = report["bounds"], [layer["accumulator"] for layer in report["pictures"]["layers"]]
    widths = [b + h for b, h in zip(bounds["accumulator_bits"], bounds["headroom_bits"], strict=True)]
    register, most = max(widths), max(bounds["accumulator_bits"])
    title = f"No input can overflow: {most} of {register} bits are enough"
    rows = whole(report["pictures"]["rows_seen"])
    sub = f"Proven from the weights for every input; seen on {rows} calibration rows."
    proven = bounds["accumulator_bits"]
    told = "; ".join(
        f"layer {i}: {proven[i]} bits proven, {whole(one['low'])} to {whole(one['high'])}, "
        f"seen {whole(one['seen_low'])} to {whole(one['seen_high'])}"
        for i, one in enumerate(layers[:_SHOWN])
    )
    return Figure("accumulators", title, sub, told, lambda width: _draw(layers, proven, register, width))


def _draw(layers: list[dict[str, int]], bits: list[int], register: int, width: float) -> Drawing:
    shown = min(len(layers), _SHOWN)
    few, phone = shown <= 8, width == PHONE
    pitch = (58.0 if phone else 44.0) if few else 22.0
    left, right, top = 62.0, width - 8, 30.0
    plane = Drawing(width, top + pitch * shown + 42)
    bottom = top + pitch * shown

    def at(value: float) -> float:
        return left + (right - left) * value / register

    for tick in range(0, register + 1, register // 4):
        plane.line(at(tick), top, at(tick), bottom, "grid")
        plane.text(at(tick), bottom + 16, str(tick), 11, "mut", anchor="e" if tick == register else "m")
    plane.line(right, top - 6, right, bottom, "orange", 2)
    plane.text(right, top - 12, f"int{register}: the register", 12, "orange", bold=True, anchor="e")
    for i in range(shown):
        one, y = layers[i], top + pitch * i + 6
        seen = bits_of(one["seen_low"], one["seen_high"])
        tall = 18.0 if few else 12.0
        plane.text(0, y + tall / 2 + 4, f"Layer {i}", 12, "ink", bold=True)
        plane.rect(left, y, at(bits[i]) - left, tall, "bluef")
        plane.rect(left, y, at(seen) - left, tall, "blue")
        if not few:
            plane.text(at(bits[i]) + 8, y + 10, f"{bits[i]} bits proven, {seen} seen", 11, "ink2", halo=True)
            continue
        plane.text(left + 7, y + 13, f"seen {_reach(one['seen_low'], one['seen_high'])}", 11, "on")
        x, line = (left, y + tall + 14) if phone else (at(bits[i]) + 8, y + 13)
        said = f"{bits[i]} bits proven: never beyond {_reach(one['low'], one['high'])}"
        plane.text(x, line, said, 11, "ink2", halo=True)
    what = "bits of the accumulator (shorter is safer)"
    plane.text((left + right) / 2, bottom + 36, what, 12, "mut", anchor="m")
    return plane
