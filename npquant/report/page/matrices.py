"""The weight matrices before and after, to scale.

Legend: report the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from npquant.report.page.figure import PHONE, Figure
from npquant.report.page.fractions_in_words import share_words
from npquant.report.page.svg import Drawing
from npquant.report.page.words import ARROW, whole

_DRAWN: Final = 6  # layers as rectangles; more are lines
_LINES: Final = 40
_LONG: Final = 166.0


@dataclass(frozen=True, slots=True)
class _Layer:
    before: tuple[int, int]
    after: tuple[int, int]
    n_bytes: tuple[int, int]
    output: str


def matrices(report: dict[str, Any]) -> Figure:
    """Draw what is left of each layer in the corner of what it was."""
    first, last = report["models"][0], report["models"][-1]
    products, size = last["macs"] / first["macs"], last["bytes"] / first["bytes"]
    title = f"{share_words(products)} of the products, {share_words(size)} of the bytes"
    title = title[0].upper() + title[1:]
    layers = _layers(report)
    sub = "Weight matrices to scale: inputs down, neurons across. Grey: float. Blue: what is left."
    if len(layers) > _DRAWN:
        sub = "Products of each layer, to scale. Grey: float. Blue: what is left."
    told = "; ".join(
        f"layer {i}: {one.before[0]} x {one.before[1]} to {one.after[0]} x {one.after[1]}, "
        f"{whole(one.n_bytes[0])} to {whole(one.n_bytes[1])} bytes"
        for i, one in enumerate(layers[:_LINES])
    )
    draw = _rectangles if len(layers) <= _DRAWN else _lines
    return Figure("matrices", title, sub, told, lambda width: draw(layers, width), wide=True)


def _layers(report: dict[str, Any]) -> list[_Layer]:
    was = [report["data"]["features"], *report["models"][0]["neurons"]]
    outputs = [*report["budget"]["thresholds"]["activation_bits"], None]
    parts = report["deployment"]["parts"]
    made = []
    for i, told in enumerate(report["pictures"]["layers"]):
        k, n = was[i], was[i + 1]
        size = sum(part["n_bytes"] for part in parts if part["layer"] == i)
        bits = f"{outputs[i]} bits" if outputs[i] else "16 bits" if 16 in outputs else "8 bits"
        made.append(_Layer((k, n), (told["shape"][0], told["shape"][1]), (4 * (k * n + n), size), bits))
    return made


def _rectangles(layers: list[_Layer], width: float) -> Drawing:
    columns = 1 if width == PHONE else min(len(layers), 3)
    tall = _LONG + 44
    plane = Drawing(width, tall * -(-len(layers) // columns))
    largest = max(max(one.before) for one in layers)
    # A side a hundred times shorter than another is still seen.
    for i, one in enumerate(layers):
        x, y = i % columns * width / columns, i // columns * tall
        plane.text(x, y + 14, f"Layer {i}", 13, "ink", bold=True)
        h, w = (max(_LONG * side / largest, 3.0) for side in one.before)
        rest_h, rest_w = (max(_LONG * side / largest, 2.0) for side in one.after)
        plane.rect(x, y + 26, w, h, "greyf")
        plane.rect(x, y + 26, rest_w, rest_h, "blue")
        _numbers(plane, one, x + w + 18, y + 26)
    return plane


def _numbers(plane: Drawing, one: _Layer, x: float, y: float) -> None:
    products = (one.before[0] * one.before[1], one.after[0] * one.after[1])
    pairs = (
        (f"{whole(one.before[1])} {ARROW} {whole(one.after[1])}", "neurons"),
        (f"{whole(products[0])} {ARROW} {whole(products[1])}", "products a row"),
        (f"{whole(one.n_bytes[0])} {ARROW} {whole(one.n_bytes[1])}", "bytes"),
        (one.output, "outputs"),
    )
    for line, (numbers, what) in enumerate(pairs):
        plane.text(x, y + 13 + 40 * line, numbers, 14, "ink", bold=True)
        plane.text(x, y + 29 + 40 * line, what, 12, "mut")


def _lines(layers: list[_Layer], width: float) -> Drawing:
    shown = layers[:_LINES]
    plane = Drawing(width, 26 * len(shown) + (26 if len(layers) > len(shown) else 6))
    left, right = 66.0, width - (110 if width == PHONE else 330)
    largest = max(one.before[0] * one.before[1] for one in layers)
    for i, one in enumerate(shown):
        y, (was, now) = 26.0 * i, (k * n for k, n in (one.before, one.after))
        plane.text(0, y + 15, f"Layer {i}", 12, "ink", bold=True)
        plane.rect(left, y + 3, (right - left) * was / largest, 16, "greyf")
        plane.rect(left, y + 3, (right - left) * now / largest, 16, "blue")
        neurons = f"{whole(one.before[1])} {ARROW} {whole(one.after[1])}"
        said = (
            neurons
            if width == PHONE
            else f"{neurons} neurons; {whole(one.n_bytes[0])} {ARROW} {whole(one.n_bytes[1])} B"
        )
        plane.text(width, y + 15, said, 12, "ink2", anchor="e")
    if len(layers) > len(shown):
        plane.text(0, 26 * len(shown) + 16, f"and {whole(len(layers) - len(shown))} more layers", 12, "mut")
    return plane
