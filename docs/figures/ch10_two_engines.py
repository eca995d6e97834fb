"""Chapter 10: one accumulator on which two arithmetics part, and how common that is by multiplier."""

from __future__ import annotations

from math import log10

import numpy as np
from plate import WIDTH, Plate

from npquant import QuantParams, profiles, quantize_uniform, requantize
from npquant.data.sets import load_sets
from npquant.kernels.multiplier import layer_multiplier
from npquant.measure.evaluate import in_float64
from npquant.report.page.svg import Drawing, number
from npquant.workflow.float_model import bundled_network

ACC, SX, SW = -1958, 0.3, 0.2
ONE, TWO = "tflite_single", "tflite_ref"
UNIT = QuantParams(1.0, 0, -128, 127)
HALVINGS = range(-3, 10)  # M = 0.3, halved so often
LEFT, RIGHT, BOTTOM, TOP = 64, 716, 432, 264
LOW, HIGH = log10(0.0004), log10(6)


def share(m: float) -> float:
    """Return the share of accumulators, of all within the codes' reach, on which the two rules part."""
    most = int(120 / m)
    acc = np.arange(-most, most + 1)
    one, two = (requantize(acc, x=QuantParams(m, 0, -128, 127), w=UNIT, y=UNIT, profile=name) for name in (ONE, TWO))
    return float((one != two).mean())


def reach(bits: int) -> tuple[float, float]:
    """Return the smallest and the largest multiplier of the bundled network at a width."""
    net = quantize_uniform(in_float64(bundled_network()), load_sets(None, seed=0).x_calibration, bits=bits)
    real = [np.atleast_1d(layer_multiplier(layer.x, layer.w, layer.target).real) for layer in net.layers]
    return float(min(m.min() for m in real)), float(max(m.max() for m in real))


def at_code(value: float) -> float:
    """Place a value on the number line."""
    return 210 + 340 * (value + 118)


def draw_line(drawing: Drawing) -> None:
    """Draw the number line, its dot, and the two ways to a code."""
    y, exact = 104, at_code(ACC * SX * SW)
    drawing.text(0, 14, "accumulator \N{MINUS SIGN}1,958 × 0.06 = \N{MINUS SIGN}117.48, exactly", 14, "ink", bold=True)
    drawing.line(at_code(-118) - 110, y, at_code(-117) + 110, y, "ink", 1.5)
    for i in range(-4, 21):
        x = at_code(-118 + i / 16)
        drawing.line(x, y - 4, x, y + 4, "ln", 1)
    for code in (-118, -117):
        drawing.line(at_code(code), y - 9, at_code(code), y + 9, "ink", 2.5)
        drawing.text(at_code(code), y + 28, f"\N{MINUS SIGN}{-code}", 14, "ink", bold=True, anchor="m")
    tie = at_code(-117.5)
    drawing.line(tie, y - 12, tie, y + 12, "orange", 2)
    for colour, start, end, words, x, anchor in (
        ("blue", exact, at_code(-117), "once", (exact + at_code(-117)) / 2, "m"),
        ("orange", tie, at_code(-118), "twice: to sixteenths, then the tie away", (tie + at_code(-118)) / 2 - 10, "m"),
    ):
        side = 1 if end > start else -1
        drawing.path(
            f"M{number(start)} {y - 10}Q{number((start + end) / 2)} {y - 66} {number(end)} {y - 14}",
            "",
            f"{colour}",
            2.8,
        )
        drawing.path(f"M{number(end + 2 * side)} {y - 11}l{-11 * side} -1l{7 * side} -9z", colour)
        drawing.text(x, y - 48, words, 13, colour, bold=True, anchor=anchor)
    drawing.circle(exact, y, 5.5, "blue", "bg", 1)
    drawing.text(exact + 8, y + 26, "\N{MINUS SIGN}117.48", 12, "mut")
    drawing.text(tie - 6, y + 26, "\N{MINUS SIGN}117.5, a tie", 12, "orange", anchor="e", bold=True)
    drawing.text(at_code(-118), y + 50, "tflite_ref, tflm, tosa_double", 12, "orange", anchor="m", mono=True)
    drawing.text(at_code(-117), y + 50, "npquant, tflite_single, ort", 12, "blue", anchor="m", mono=True)


def at_m(m: float) -> float:
    """Place a multiplier on its axis."""
    return LEFT + (RIGHT - LEFT) * (log10(m) - LOW) / (HIGH - LOW)


def at_share(part: float) -> float:
    """Place a share on its axis."""
    return BOTTOM - (BOTTOM - TOP) * part / 0.2


def draw_shares(drawing: Drawing, shares: dict[float, float]) -> None:
    """Draw how often the two part, by multiplier."""
    drawing.text(0, 206, "How often? Share of all accumulators on which the two part", 14, "ink", bold=True)
    for percent in (0, 10, 20):
        y = at_share(percent / 100)
        drawing.line(LEFT, y, RIGHT, y, "rule" if percent == 0 else "grid", 1)
        drawing.text(LEFT - 10, y + 4, f"{percent} %", 12, "mut", anchor="e")
    below = [m for m in shares if m < 0.5]
    for some in (sorted(below), sorted(set(shares) - set(below))):
        points = [f"{number(at_m(m))} {number(at_share(shares[m]))}" for m in some]
        drawing.path("M" + "L".join(points), "", "orange", 2.4)
    for m, part in shares.items():
        drawing.circle(at_m(m), at_share(part), 4.6, "orange", "bg", 1)
    drawing.text(at_m(0.3) - 12, at_share(0.2) - 8, "one in five, at M = 0.3", 13, "orange", bold=True, anchor="e")
    drawing.text(at_m(0.004), at_share(0.01) - 12, "each halving of M halves it", 12, "mut", anchor="m", halo=True)
    drawing.text(RIGHT, at_share(0) - 12, "none from 1/2 on", 12, "mut", anchor="e")
    for m in (0.001, 0.01, 0.1, 1):
        drawing.line(at_m(m), BOTTOM, at_m(m), BOTTOM + 5, "rule", 1)
        drawing.text(at_m(m), BOTTOM + 20, f"{m:g}", 12, "mut", anchor="m")
    drawing.text(LEFT, BOTTOM + 40, "multiplier M, log scale", 12, "mut")


def draw_reaches(drawing: Drawing, reaches: dict[int, tuple[float, float]]) -> None:
    """Draw which multipliers the bundled network has."""
    for i, (bits, (low, high)) in enumerate(reaches.items()):
        y = BOTTOM + 62 + 30 * i
        drawing.rect(at_m(low), y, at_m(high) - at_m(low), 7, "blue")
        words = f"the digits network at {bits} bits: {low:.1g} to {high:.1g}"
        drawing.text(at_m((low * high) ** 0.5), y + 21, words, 12, "blue", bold=True, anchor="m")


def plates() -> tuple[Plate, ...]:
    """Draw the two halves."""
    codes = {
        name: int(
            requantize([ACC], x=QuantParams(SX, 0, -128, 127), w=QuantParams(SW, 0, -128, 127), y=UNIT, profile=name)[0]
        )
        for name in ("npquant", ONE, "ort", TWO, "tflm", "tosa_double")
    }
    assert list(codes.values()) == [-117] * 3 + [-118] * 3
    assert profiles.get(ONE).equation != profiles.get(TWO).equation
    shares = {m: share(m) for m in (0.3 / 2**k for k in HALVINGS)}
    assert 0.19 < shares[0.3] < 0.21 and not any(part for m, part in shares.items() if m > 0.5)
    reaches = {bits: reach(bits) for bits in (8, 2)}
    drawing = Drawing(WIDTH, BOTTOM + 126)
    draw_line(drawing)
    draw_shares(drawing, shares)
    draw_reaches(drawing, reaches)
    spans = ", ".join(f"{low:.1g} to {high:.1g} at {bits} bits" for bits, (low, high) in reaches.items())
    return (
        Plate(
            "ch10-two-engines",
            "Both engines are right: one rounds once, the other twice",
            "An accumulator on which two arithmetics part, and how common that is.",
            "A number line with a dot at -117.48: one rounding goes to -117, two roundings first to the tie -117.5 and "
            "then to -118. Below, the share of accumulators on which they part grows with M to 20 % at 0.3 and is 0 "
            f"from 1/2 on; the digits network has multipliers of {spans}.",
            drawing,
        ),
    )
