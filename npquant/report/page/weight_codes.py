"""Weights as stored, under the outline of the float weights that they stand for.

Legend: report the whole; layer one of "layers" in "pictures", i its number; bits the width of each layer's weights.
"""

from __future__ import annotations

from typing import Any, Final

from npquant.report.page.figure import PHONE, Figure
from npquant.report.page.svg import Drawing, number
from npquant.report.page.words import figures, spelled, whole

_LARGE: Final = 6  # layers with labels; more are small
_SHOWN: Final = 36
_FEW: Final = 1000
_LABELLED: Final = 17  # codes with their numbers


def codes_title(bits: list[int | str]) -> str:
    """Say how many codes a neuron's weights have.

    >>> codes_title([3, 3]), codes_title(["ternary", 4])
    ('Eight codes carry what 32 bits carried', 'Three to 16 codes carry what 32 bits carried')
    """
    counts = sorted({3 if width == "ternary" else 2 ** int(width) for width in bits})
    words = spelled(counts[0]) if len(counts) == 1 else f"{spelled(counts[0])} to {spelled(counts[-1])}"
    return f"{words[0].upper()}{words[1:]} codes carry what 32 bits carried"


def weight_codes(report: dict[str, Any]) -> Figure:
    """Draw both histograms of each layer, in steps of its neurons."""
    layers = report["pictures"]["layers"]
    sub = (
        "Weights in steps of their neurons. Bars: codes as stored. Line: the pruned float weights that they stand for."
    )
    told = "; ".join(
        f"layer {i}: {whole(_size(layer))} weights, {figures(100 * layer['zeros'])} % zeros, "
        f"{figures(100 * layer['clipped'])} % of the float weights beyond the codes"
        for i, layer in enumerate(layers[:_SHOWN])
    )
    title = codes_title(report["budget"]["thresholds"]["bits"])
    return Figure(
        "weights", title, sub, f"Histograms of weights. {told}.", lambda width: _draw(layers, width), wide=True
    )


def _size(layer: dict[str, Any]) -> int:
    return int(layer["shape"][0] * layer["shape"][1])


def _draw(layers: list[dict[str, Any]], width: float) -> Drawing:
    large, phone = len(layers) <= _LARGE, width == PHONE
    columns = (1 if phone else min(3, len(layers))) if large else (3 if phone else 6)
    gap = 26.0 if large else 14.0
    each, tall = (width + gap) / columns - gap, 196.0 if large else 96.0
    each = min(each, 536.0)
    shown = layers[:_SHOWN]
    plane = Drawing(width, tall * -(-len(shown) // columns) + (18 if len(layers) > len(shown) else 0))
    for i, layer in enumerate(shown):
        x, y = i % columns * (each + gap), i // columns * tall
        _panel(plane, layer, i, x, y, each, tall, large=large)
    if len(layers) > len(shown):
        plane.text(0, plane.height - 4, f"and {whole(len(layers) - len(shown))} more layers", 12, "mut")
    return plane


def _panel(
    plane: Drawing, layer: dict[str, Any], i: int, x: float, y: float, wide: float, tall: float, *, large: bool
) -> None:
    codes, floats = layer["codes"], layer["floats"]
    plane.text(x, y + 14, f"Layer {i}", 13 if large else 12, "ink", bold=True)
    if large:
        plane.text(x + 62, y + 14, f"{whole(_size(layer))} weights, {figures(100 * layer['zeros'])} % zeros", 12, "mut")
    low, steps = floats["low"], floats["step"] * len(floats["counts"])
    pitch, base, top = wide / steps, y + tall - (52 if large else 20), y + 30
    bars = [count / codes["step"] for count in codes["counts"]]
    line = [count / floats["step"] for count in floats["counts"]]
    if _size(layer) < _FEW and floats["step"] < 0.5:  # few weights: a bar of half a step
        pairs = zip(line[::2], line[1::2], strict=True)
        line = [mean for one, two in pairs for mean in ((one + two) / 2,) * 2]
    high = max(*bars, *line)
    for place, value in enumerate(bars):
        left = x + (codes["low"] + place * codes["step"] - 0.5 - low) * pitch
        thick = pitch * codes["step"]
        room = 0.14 * thick if len(bars) <= _LABELLED else 0.0
        up = (base - top) * value / high
        plane.rect(left + room, base - up, thick - 2 * room, up, "bluef")
        if len(bars) <= _LABELLED and large:
            plane.line(left + thick / 2, top, left + thick / 2, base, "rule", 1, "2 3")
    d = f"M{number(x)} {number(base)}"
    for place, value in enumerate(line):
        d += f"V{number(base - (base - top) * value / high)}H{number(x + (place + 1) * floats['step'] * pitch)}"
    plane.path(f"{d}V{number(base)}", "", "ink2", 1.6)
    plane.line(x, base, x + wide, base, "ln", 1)
    _codes_below(plane, codes, x, base, low, pitch, wide, large=large)
    if large and i == 0:
        _key(plane, layer, x, y + 34)


def _codes_below(
    plane: Drawing, codes: dict[str, Any], x: float, base: float, low: float, pitch: float, wide: float, *, large: bool
) -> None:
    """Write codes under the bars, and their counts where there is room."""
    values = [codes["low"] + place * codes["step"] for place in range(len(codes["counts"]))]
    each = pitch > 24 and codes["step"] == 1 and large
    ends = {values[0], 0, values[-1] if codes["step"] == 1 else values[-1] + codes["step"] - 1}
    for value in values if each else sorted(ends):
        at = x + (value - low) * pitch
        side = "m" if large else "" if value == values[0] else "m" if value == 0 else "e"
        plane.text(at, base + 16, whole(value), 12 if large else 11, "ink2", anchor=side)
        if each:
            plane.text(at, base + 32, whole(codes["counts"][value - codes["low"]]), 11, "blue", anchor="m")
    if each:
        plane.text(x + wide, base + 16, "code", 11, "mut", anchor="e")
        plane.text(x + wide, base + 32, "count", 11, "blue", anchor="e")


def _key(plane: Drawing, layer: dict[str, Any], x: float, y: float) -> None:
    plane.text(x, y, "line: float weights", 11, "ink2", bold=True, halo=True)
    plane.text(x, y + 15, "bars: codes stored", 11, "blue", bold=True, halo=True)
    if layer["clipped"] >= 0.001:
        plane.text(x, y + 30, f"{figures(100 * layer['clipped'])} % beyond: clipped", 11, "mut", halo=True)
