"""Draw docs/figures/ch06-uniform.svg: a layer's weights, and what 8, 4 and 2 bits leave of them.

Legend: w the weights of the bundled network's second layer, float64; s scale, q codes; edges of the outline's bars, all
real; base y of a panel's axis; a density is weights per unit of the axis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from plate import WIDTH, Plate

from npquant.arrays import Float64, Int8
from npquant.compression.chain.weight_codes import choose_weight_params
from npquant.kernels.affine import dequantize, quantize
from npquant.measure.evaluate import in_float64
from npquant.measure.statistics import sqnr_db
from npquant.report.page.svg import Drawing, number
from npquant.workflow.float_model import bundled_network

BITS: Final = (8, 4, 2)
GROUP: Final = 5  # codes of 8 bits that share a bar: one alone would be narrower than 3 pixels
PANEL: Final = 188  # from one axis to the next
TALL: Final = 112  # the tallest bar
MINUS: Final = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Hold one layer at one width."""

    bits: int
    s: float
    q: Int8  # (K, N)
    qmin: int
    qmax: int
    decibels: float
    beyond: tuple[float, float]  # shares of the weights that saturate: below the lowest code, above the highest

    @property
    def words(self) -> str:
        """Say how many codes are used, how many weights become 0, and how far the whole is from the floats."""
        zeros = round(100 * float((self.q == 0).mean()))
        return f"{len(np.unique(self.q))} codes in use, {zeros} % of the weights become 0, SQNR {self.decibels:.0f} dB"


def layer_at(w: Float64, bits: int) -> Layer:
    """Quantize the weights with one scale for the layer, as `quantize_uniform` does with "per_tensor"."""
    params = choose_weight_params(w, bits, granularity="per_tensor", weight_scale="auto")
    q, s = quantize(w, params).astype(np.int8), float(params.scale)
    beyond = (float((w < s * (params.qmin - 0.5)).mean()), float((w > s * (params.qmax + 0.5)).mean()))
    return Layer(bits, s, q, params.qmin, params.qmax, sqnr_db(w, dequantize(q, params)), beyond)


def plates() -> tuple[Plate, ...]:
    """Return the figure of the chapter."""
    w = np.asarray(in_float64(bundled_network()).layers[1].w, np.float64)
    layers = [layer_at(w, bits) for bits in BITS]
    # What the title says: the finest grid moves the weights by less than a hundredth, the coarsest by over a third.
    assert layers[0].decibels > 40 and layers[-1].decibels < 9
    drawing = Drawing(WIDTH, PANEL * len(layers) + 52)
    step = GROUP * layers[0].s
    reach = int(np.abs(w).max() / step) + 1
    # Edges halfway between two codes of 8 bits, so that each bar of these holds as many codes as the others.
    edges = step * (np.arange(-reach, reach + 2) - 0.5)
    counts = np.histogram(w, edges)[0] / step
    tallest: float = TALL / max(counts.max(), *(np.unique(y.q, return_counts=True)[1].max() / y.s for y in layers[1:]))
    for i, layer in enumerate(layers):
        _panel(drawing, PANEL * i + 142, layer, edges, np.asarray(counts * tallest), tallest)
    _key(drawing)
    _axis(drawing, PANEL * len(layers) + 12)
    shown = "; ".join(f"{y.bits} bits: {y.words}" for y in layers)
    label = (
        f"Histograms of {w.size} weights at three widths. {shown}. The outline of the float weights is the same "
        "in all; at 8 bits the bars fill it, at 4 and 2 bits they are the few codes there are."
    )
    title = "At 8 bits the grid is invisible; at 2 bits it is the network"
    sub = f"{w.size:,} weights of the second layer, rounded to the nearest code with one scale for all."
    return (Plate("ch06-uniform", title, sub, label, drawing),)


def _x(value: float) -> float:
    """Return the place of a real weight; the largest, 0.71, and the half of a bar beyond it stay inside."""
    return float(WIDTH / 2 + value * 480)


def _panel(drawing: Drawing, base: float, layer: Layer, edges: Float64, outline: Float64, tallest: float) -> None:
    """Draw one width: bars of the codes, the outline of the floats, the grid, and what lies beyond it."""
    drawing.text(0, base - TALL - 18, f"{layer.bits} bits", 14, "ink", bold=True)
    drawing.text(56, base - TALL - 18, layer.words, 13, "mut")
    codes, counts = np.arange(layer.qmin, layer.qmax + 1), np.bincount(layer.q.ravel().astype(int) - layer.qmin)
    if layer.bits == BITS[0]:
        for left, right, height in zip(edges, edges[1:], outline, strict=False):
            drawing.rect(_x(left) + 0.5, base - height, _x(right) - _x(left) - 1, height, "bluef")
    else:
        for code, count in zip(codes, counts, strict=False):
            height, wide = count / layer.s * tallest, 0.8 * 480 * layer.s
            drawing.rect(_x(code * layer.s) - wide / 2, base - height, wide, height, "bluef")
    shape = f"M0 {number(base)}H{number(_x(edges[0]))}"
    shape += "".join(f"V{number(base - y)}H{number(_x(x))}" for x, y in zip(edges[1:], outline, strict=True))
    drawing.path(f"{shape}V{number(base)}H{WIDTH}", "", "ink2", 1.6)
    for code in codes:
        drawing.line(_x(code * layer.s), base + 2, _x(code * layer.s), base + 8, "blue", 1.0 if layer.bits == 8 else 2)
        if layer.bits < 8:
            drawing.text(_x(code * layer.s), base + 24, _signed(int(code)), 12, "ink2", mono=True, anchor="m")
    _rails(drawing, base, layer)


def _rails(drawing: Drawing, base: float, layer: Layer) -> None:
    """Mark where weights saturate, where it is more than one in fifty."""
    for side, share in zip((-1, 1), layer.beyond, strict=True):
        if share > 0.02:
            rail = layer.s * (layer.qmax + 0.5 if side > 0 else layer.qmin - 0.5)
            end = _x(0.7 * side)
            drawing.line(_x(rail), base, end, base, "orange", 3)
            words = f"{100 * share:.0f} % saturate at code {_signed(layer.qmax if side > 0 else layer.qmin)}"
            drawing.text(end, base - 40, words, 12, "orange", bold=True, halo=True, anchor="e" if side > 0 else "")


def _key(drawing: Drawing) -> None:
    drawing.text(WIDTH - 214, 50, "line: float weights", 12, "ink2", bold=True)
    drawing.text(WIDTH - 214, 67, "bars: what their codes stand for", 12, "blue", bold=True)
    drawing.text(WIDTH - 214, 84, f"ticks: the grid ({GROUP} codes a bar)", 12, "mut")


def _axis(drawing: Drawing, y: float) -> None:
    """Draw the axis that all share."""
    drawing.line(_x(-0.7), y, _x(0.7), y, "rule", 1.5)
    for tenths in range(-6, 7, 2):
        drawing.line(_x(tenths / 10), y, _x(tenths / 10), y + 4, "rule", 1.5)
        drawing.text(_x(tenths / 10), y + 18, f"{tenths / 10:.1f}".replace("-", MINUS), 11, "mut", anchor="m")
    drawing.text(WIDTH / 2, y + 36, "weight, real value; the numbers under the bars are codes", 12, "mut", anchor="m")


def _signed(code: int) -> str:
    return f"{code}".replace("-", MINUS)
