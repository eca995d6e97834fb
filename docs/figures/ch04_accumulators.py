"""Draw chapter 4's figure: what the accumulator of each neuron can reach, and what it reached.

Legend: low, high the ends of an interval; y from above, in pixels; bits as two's complement counts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import copysign, log2
from typing import Final

from one_row import digits, integer_network, small_network
from plate import WIDTH, Plate

from npquant.integer.accumulator import accumulator_interval
from npquant.report.page.svg import Drawing

MIDDLE, BIT, TOP = 404, 17.6, 40  # where 0 stands, pixels a bit, the first bar's y
BAR, PITCH, BETWEEN = 6, 8, 28
TICKS: Final = (-4096, -256, -16, 0, 16, 256, 4096)


@dataclass(frozen=True, slots=True)
class Reach:
    """Hold the proven and the seen interval of one neuron."""

    low: int
    high: int
    seen_low: int
    seen_high: int


def at(value: int) -> float:
    """Return where an integer stands: as far from the middle as it has bits."""
    return MIDDLE + copysign(log2(1 + abs(value)), value) * BIT


def said(value: int) -> str:
    """Write an integer with commas and a true minus."""
    return f"{value:,}".replace("-", "\N{MINUS SIGN}")


def reaches() -> tuple[list[list[Reach]], tuple[int, ...], int]:
    """Return the intervals of every layer, widest first, the bits that hold each, and the number of rows looked at."""
    sets = digits()
    net = integer_network(small_network(sets), sets)
    rows = sets.train[0]
    seen = net.accumulators(net.encode(rows))
    layers = []
    for layer, acc in zip(net.layers, seen, strict=True):
        ends = zip(*accumulator_interval(layer), acc.min(axis=0), acc.max(axis=0), strict=True)
        layers.append([Reach(*map(int, four)) for four in ends])
    return [sorted(layer, key=lambda r: r.low - r.high) for layer in layers], net.accumulator_bits, len(rows)


def plates() -> list[Plate]:
    """Return the figure."""
    layers, bits, rows = reaches()
    every = [reach for layer in layers for reach in layer]
    assert all(-(2**15) <= r.low <= r.seen_low <= r.seen_high <= r.high < 2**15 for r in every)
    assert all(r.seen_low < -128 or r.seen_high > 127 for r in every)
    height = TOP + PITCH * len(every) + BETWEEN * (len(layers) - 1) + 58
    d = Drawing(WIDTH, height)
    end = height - 52
    for value, words, dash in (
        (-(2**15), said(-(2**15)), ""), (-128, said(-128), "4 4"), (127, "int8: 127", "4 4"),
        (2**15 - 1, "int16: 32,767", ""),
    ):  # fmt: skip
        d.line(at(value), 24, at(value), end, "orange", 2 if not dash else 1.5, dash)
        d.text(at(value), 14, words, 12, "orange", bold=value > 0, anchor="m")
    d.line(MIDDLE, 24, MIDDLE, end, "ln", 1)
    y = float(TOP)
    for number, layer in enumerate(layers):
        _draw_layer(d, y, number, layer, bits[number])
        y += PITCH * len(layer) + BETWEEN
    for value in TICKS:
        d.text(at(value), height - 32, said(value), 11, "mut", anchor="m")
    d.text(MIDDLE, height - 10, "value of the accumulator (as far from 0 as it has bits)", 12, "mut", anchor="m")
    second = y - BETWEEN - PITCH * len(layers[2]) - 8
    _draw_key(d, rows, second - BETWEEN - PITCH * len(layers[1]), second)
    widest = ", ".join(f"layer {i}: {said(layer[0].low)} to {said(layer[0].high)}" for i, layer in enumerate(layers))
    label = (
        f"One bar for each of {len(every)} neurons: what any input can make of its sum, and on it a thinner bar, what "
        f"{rows:,} digits made of it. The widest of each layer, {widest}. All lie between "
        f"{said(-(2**15))} and 32,767, and all that was seen reaches beyond {said(-128)} to 127."
    )
    sub = "What the sum of each neuron can reach (C7), and did. Pixels are 0 to 16; the proof allows 255."
    title = f"Any input fits int16; in int8 all {len(every)} neurons would overflow"
    return [Plate("ch04-accumulators", title, sub, label, d)]


def _draw_layer(d: Drawing, y: float, number: int, layer: list[Reach], bits: int) -> None:
    """Draw the bars of a layer's neurons, from y down."""
    d.text(0, y + 12, f"Layer {number}", 13, "ink", bold=True)
    d.text(0, y + 29, f"{bits} bits", 12, "mut")
    for i, reach in enumerate(layer):
        top = y + PITCH * i
        d.rect(at(reach.low), top, at(reach.high) - at(reach.low), BAR, "bluef")
        d.rect(at(reach.seen_low), top + 1.5, at(reach.seen_high) - at(reach.seen_low), BAR - 3, "blue")


def _draw_key(d: Drawing, rows: int, first: float, second: float) -> None:
    """Say what thick and thin are, in the two gaps between layers."""
    x = at(2**15 - 1) - 14
    d.text(x, first, "thick: what any input can reach", 12, "ink2", anchor="e", halo=True)
    d.text(x, second, f"thin: seen on {rows:,} digits", 12, "blue", bold=True, anchor="e", halo=True)
