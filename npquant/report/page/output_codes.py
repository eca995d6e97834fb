"""Codes that hidden layers write, on their grids.

Legend: report the whole; rails the share of outputs at the lowest or the highest code.
"""

from __future__ import annotations

from typing import Any, Final

from npquant.report.page.figure import PHONE, Figure
from npquant.report.page.svg import Drawing, broken
from npquant.report.page.words import figures, whole

_SHOWN: Final = 6


def rail_title(rails: float) -> str:
    """Say whether most outputs sit at an end of their grid.

    >>> rail_title(0.5), rail_title(0.49)
    ('Most outputs sit on a rail, so few levels do', 'Outputs use their levels: 49 % sit on a rail')
    """
    if rails >= 0.5:
        return "Most outputs sit on a rail, so few levels do"
    return f"Outputs use their levels: {figures(100 * rails)} % sit on a rail"


def output_codes(report: dict[str, Any]) -> Figure | None:
    """Draw a histogram a hidden layer; None where there is none."""
    layers = [layer["outputs"] for layer in report["pictures"]["layers"][:-1]]
    hidden = [(i, layer) for i, layer in enumerate(layers) if layer is not None]
    if not hidden:
        return None
    rails = sum(layer["at_low"] + layer["at_high"] for _, layer in hidden) / len(hidden)
    names = {name.replace("_", " ") for name in report["model"]["activations"][:-1]}
    kind = f" ({names.pop()})" if len(names) == 1 else ""
    left = f" {whole(len(hidden) - _SHOWN)} more layers are not shown." if len(hidden) > _SHOWN else ""
    rows = whole(report["pictures"]["rows_seen"])
    sub = f"Outputs of the hidden layers{kind} on their grids, {rows} calibration rows.{left}"
    told = "; ".join(
        f"layer {i}: {figures(100 * layer['at_low'])} % at the lowest code, "
        f"{figures(100 * layer['at_high'])} % at the highest"
        for i, layer in hidden[:_SHOWN]
    )
    bits = report["budget"]["thresholds"]["activation_bits"]
    return Figure("outputs", rail_title(rails), sub, told, lambda width: _draw(hidden[:_SHOWN], bits, width))


def _draw(hidden: list[tuple[int, dict[str, Any]]], bits: list[int], width: float) -> Drawing:
    columns = 1 if width == PHONE or len(hidden) == 1 else 2
    each, tall = (width + 28) / columns - 28, 178.0
    plane = Drawing(width, tall * -(-len(hidden) // columns))
    for place, (i, layer) in enumerate(hidden):
        _panel(plane, layer, i, bits[i], place % columns * (each + 28), place // columns * tall, each)
    return plane


def _panel(plane: Drawing, layer: dict[str, Any], i: int, bits: int, x: float, y: float, wide: float) -> None:
    counts = layer["codes"]["counts"]
    plane.text(x, y + 14, f"Layer {i}", 13, "ink", bold=True)
    plane.text(x + 62, y + 14, f"{whole(2**bits)} levels, {bits} bits", 12, "mut")
    base, top, high = y + 134, y + 46, max(counts)
    pitch = (wide - 2) / len(counts)
    for place, count in enumerate(counts):
        rail = place in (0, len(counts) - 1)
        up = max((base - top) * count / high, 1.0 if count else 0.0)
        plane.rect(x + place * pitch + 0.5, base - up, max(pitch - 1.2, 1.2), up, "blue" if rail else "bluef")
    plane.line(x, base, x + wide, base, "ln")
    low, far = layer["range"]
    for share, at, anchor, up in ((layer["at_low"], x, "", counts[0]), (layer["at_high"], x + wide, "e", counts[-1])):
        at_top = base - (base - top) * up / high - 7
        plane.text(
            at,
            at_top,
            f"{figures(100 * share)} % at {figures(far if anchor else low)}",
            12,
            "blue",
            bold=True,
            anchor=anchor,
            halo=True,
        )
    plane.text(x, base + 17, figures(low), 11, "mut")
    plane.text(x + wide, base + 17, figures(far), 11, "mut", anchor="e")
    for line, words in enumerate(broken("output of a neuron", wide - 100, 12)):
        plane.text(x + wide / 2, base + 17 + 14 * line, words, 12, "mut", anchor="m")
