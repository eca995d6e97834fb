"""Draw chapter 3's figure: one row and one neuron on their way from ten bytes to one, every number as npquant has it.

Legend: d the drawing; neuron of the last layer; row and column count from 0; y from above, in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from one_row import NEURON, RIVAL, ROW, digits, integer_network, small_network
from plate import WIDTH, Plate

from npquant import quantize
from npquant.arrays import Codes
from npquant.integer.layer import IntegerLayer, run_layer_plain
from npquant.kernels.multiplier import layer_multiplier
from npquant.profiles.npquant import NPQUANT
from npquant.report.page.svg import Drawing

LEFT, CELL, GAP = 132, 56, 6.2
WIDE, STEP = 112, 159  # of the five boxes
KINDS: Final = (
    ("bluef", "int32"), ("bluef", "accumulator, int32"), ("orangef", "multiply, shift"), ("bluef", "half up"),
    ("blue", "int8, the code"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Way:
    """Hold what happens to the ten inputs of one neuron."""

    centred: tuple[int, ...]
    weights: tuple[int, ...]
    bias: int
    factor: float
    zero_point: int
    code: int

    @property
    def products(self) -> tuple[int, ...]:
        """Multiply."""
        return tuple(x * w for x, w in zip(self.centred, self.weights, strict=True))

    @property
    def accumulator(self) -> int:
        """R9."""
        return sum(self.products) + self.bias


def way_of(layer: IntegerLayer, x_q: Codes, neuron: int) -> Way:
    """Take the numbers of one neuron out of a layer, and hold them against R10."""
    factor = np.broadcast_to(layer_multiplier(layer.x, layer.w, layer.target).real, layer.bias.shape)
    centred = x_q.astype(np.int64) - int(layer.x.zero_point)
    code = int(run_layer_plain(layer, x_q[np.newaxis], NPQUANT)[0, neuron])
    way = Way(
        tuple(centred.tolist()), tuple(layer.w_q[:, neuron].tolist()), int(layer.bias[neuron]),
        float(factor[neuron]), int(layer.target.zero_point), code,
    )  # fmt: skip
    assert way.code == int(np.floor(way.accumulator * way.factor + 0.5)) + way.zero_point
    return way


def said(value: float, digits_behind: int = 0) -> str:
    """Write a number with commas and a true minus."""
    return f"{value:,.{digits_behind}f}".replace("-", "\N{MINUS SIGN}")


def listed(values: tuple[int, ...]) -> str:
    """Write numbers in a row."""
    return ", ".join(map(said, values))


def plates() -> list[Plate]:
    """Return the figure."""
    sets = digits()
    small = small_network(sets)
    layer = integer_network(small, sets).layers[-1]
    pixels, labels = sets.validation
    x_q = quantize(small.activations(pixels)[1][ROW], layer.x)
    ours, rival = way_of(layer, x_q, NEURON), way_of(layer, x_q, RIVAL)
    assert labels[ROW] == NEURON and ours.code > rival.code
    d = Drawing(WIDTH, 474)
    _draw_digit(d, pixels[ROW], f"a {NEURON}, picture {ROW}")
    d.text(LEFT, 12, "10 outputs of the layer before, int8", 13, "ink", bold=True)
    _draw_cells(d, 24, x_q.tolist(), "greyf")
    for y, name, below, values, fill in (
        (92, "x \N{MINUS SIGN} zx", f"zx = {said(int(layer.x.zero_point))}", ours.centred, "bluef"),
        (136, "\N{MULTIPLICATION SIGN} weight", f"4 bits, neuron {NEURON}", ours.weights, "tealf"),
        (180, "= product", "", ours.products, "bluef"),
    ):
        d.text(LEFT - 14, y + 15, name, 13, "ink", bold=True, anchor="e")
        d.text(LEFT - 14, y + 29, below, 11, "mut", anchor="e")
        _draw_cells(d, y, values, fill)
    _draw_stages(d, ours, rival)
    words = f"{said(ours.code)} beats {said(rival.code)}: the layer answers {NEURON}, and the picture is a {NEURON}."
    d.text(0, 464, words, 14, "ink2", bold=True)
    sub = "The last layer of the small network on one picture, every number as computed."
    label = (
        f"Ten input codes {listed(x_q.tolist())}. Less the zero point: {listed(ours.centred)}. Times the weights "
        f"{listed(ours.weights)}: {listed(ours.products)}. Sum {said(sum(ours.products))}, with the bias "
        f"{said(ours.accumulator)}, times {ours.factor:.5f} is {said(ours.accumulator * ours.factor, 2)}, rounded "
        f"{said(ours.code - ours.zero_point)}, plus the zero point {said(ours.zero_point)}: code {said(ours.code)}. "
        f"Neuron {RIVAL} ends at {said(rival.code)}."
    )
    return [Plate("ch03-integer-layer", "Ten bytes in, one byte out: multiply, add, scale, round", sub, label, d)]


def _draw_digit(d: Drawing, pixels: Codes, words: str) -> None:
    d.text(0, 12, words, 13, "ink", bold=True)
    for i, value in enumerate(pixels.tolist()):
        d.rect(6.4 * (i % 8), 22 + 6.4 * (i // 8), 6.4, 6.4, f"k{value // 2}")
    d.rect(0, 22, 51.2, 51.2, "", "rule", 1)
    _draw_arrow(d, 64, 48, LEFT - 16, "ln")


def _draw_arrow(d: Drawing, x: float, y: float, to_x: float, stroke: str) -> None:
    d.line(x, y, to_x, y, stroke, 1.5)
    d.path(f"M{to_x - 7:.1f} {y - 4}l7 4l-7 4", "", stroke, 1.5)


def _draw_cells(d: Drawing, y: float, values: tuple[int, ...], fill: str) -> None:
    for k, value in enumerate(values):
        x = LEFT + k * (CELL + GAP)
        d.rect(x, y, CELL, 30, fill if value else "panel")
        d.text(x + CELL / 2, y + 20, said(value), 13, "ink" if value else "mut", anchor="m", mono=True)


def _draw_stages(d: Drawing, ours: Way, rival: Way) -> None:
    """Gather the products into a sum, and take it to the code; below, the same for the other neuron."""
    middles = [LEFT + k * (CELL + GAP) + CELL / 2 for k in range(10)]
    for x in middles:
        d.line(x, 212, x, 222, "rule", 1.5)
    d.line(WIDE / 2, 222, middles[-1], 222, "rule", 1.5)
    d.line(WIDE / 2, 222, WIDE / 2, 242, "rule", 1.5)
    for i, (fill, kind) in enumerate(KINDS):
        d.rect(i * STEP, 268, WIDE, 42, fill)
        d.text(i * STEP + WIDE / 2, 327, kind, 12, "mut", anchor="m")
    _draw_way(d, ours, 268, 42, bold=True)
    d.text(0, 378, f"The same ten inputs, neuron {RIVAL}:", 13, "ink", bold=True)
    _draw_way(d, rival, 408, 22, bold=False)


def _draw_way(d: Drawing, way: Way, y: float, height: float, *, bold: bool) -> None:
    """Write the five numbers of a neuron, and above each what makes it; `bold` for the one in boxes."""
    sign = "+" if way.bias >= 0 else "\N{MINUS SIGN}"
    steps = (
        ("sum", said(sum(way.products))),
        (f"{sign} bias {said(abs(way.bias))}", said(way.accumulator)),
        (f"\N{MULTIPLICATION SIGN} M = {way.factor:.5f}", said(way.accumulator * way.factor, 2)),
        ("round", said(way.code - way.zero_point)),
        (f"+ zy = {said(way.zero_point)}", said(way.code)),
    )
    for i, (does, value) in enumerate(steps):
        x, middle = i * STEP, y + height / 2
        d.text(x + WIDE / 2, y - 8, does, 12, "ink" if bold else "mut", bold=bold, anchor="m")
        d.text(x + WIDE / 2, middle + 5, value, 14, "on" if bold and i == 4 else "ink", bold=True, anchor="m")
        if i < 4:
            _draw_arrow(d, x + WIDE + 7, middle, x + STEP - 7, "ink2" if bold else "ln")
