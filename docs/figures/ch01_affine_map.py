"""Draw chapter 1's figure: sixteen codes on the line of real numbers, and the same grid half a step beside.

Legend: x real values, q codes, at a position on the paper in pixels.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from one_row import digits
from plate import WIDTH, Plate

from npquant import QuantParams, dequantize, quantize
from npquant.report.page.svg import Drawing

GRID: Final = QuantParams(0.25, -5, -8, 7)
LEFT, STEP, LINE, CODES, BESIDE = 52, 33.0, 112, 178, 318
SHOWN: Final = (0.65, 2.1, 3.6)


def at(x: float) -> float:
    """Return where a real number stands on the paper."""
    return LEFT + (x / 0.25 + 3) * STEP


def said(value: float) -> str:
    """Write a number with a true minus."""
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def plates() -> list[Plate]:
    """Return the figure."""
    pixels = digits().dataset.x
    zeros = float(np.mean(pixels == 0))
    d = Drawing(WIDTH, 382)
    d.text(0, 12, "real numbers", 14, "ink", bold=True)
    codes = np.arange(GRID.qmin, GRID.qmax + 1)
    for q, x in zip(codes.tolist(), dequantize(codes, GRID).tolist(), strict=True):
        _draw_code(d, q, x)
    d.line(20, LINE, 700, LINE, "ink2", 1.5)
    for x in SHOWN:
        _draw_value(d, x)
    d.text(at(0), CODES + 48, "zero is a code", 13, "blue", bold=True, anchor="m")
    d.text(588, CODES + 10, "16 codes, 4 bits:", 12, "ink", bold=True)
    d.text(588, CODES + 27, "x = 0.25 \N{MULTIPLICATION SIGN} (q + 5)", 12, "ink", mono=True)
    _draw_beside(d, zeros)
    label = (
        f"A line of real numbers from {said(-0.75)} to 3 with sixteen marks 0.25 apart, and under each its code, from "
        f"{said(-8)} to 7. Code {said(-5)} hangs under 0. 0.65 moves to 0.75, code {said(-2)}; 2.1 to 2, code 3; 3.6 "
        f"saturates at 3, code 7. Below, the same marks half a step beside: 0 has none and becomes 0.125."
    )
    sub = f"Scale 0.25, zero point {said(-5)}: sixteen codes stand for the line, and 0 is one of them."
    return [Plate("ch01-affine-map", "Zero must be a code, or every zero costs something", sub, label, d)]


def _draw_code(d: Drawing, q: int, x: float) -> None:
    """Hang a code under the number it stands for."""
    zero = q == GRID.zero_point
    d.line(at(x), LINE + 26, at(x), CODES - 15, "blue" if zero else "rule", 2.8 if zero else 1)
    d.line(at(x), LINE - 5, at(x), LINE + 5, "ink2", 1.5)
    d.rect(at(x) - 14, CODES - 15, 28, 28, "blue" if zero else "bluef")
    d.text(at(x), CODES + 4, said(q), 13, "on" if zero else "ink", anchor="m", mono=True)
    if zero or x in (-0.75, 0.75, 1.5, 2.25, 3.0):
        d.text(at(x), LINE + 21, said(x), 12, "ink" if zero else "ink2", bold=zero, anchor="m")


def _draw_value(d: Drawing, x: float) -> None:
    """Move a value to the number that its code stands for."""
    code = quantize([x], GRID)
    q, back = int(code[0]), float(dequantize(code, GRID)[0])
    far = abs(back - x) > 0.125
    top = LINE - (42 if far else 26)
    d.path(f"M{at(x):.1f} {LINE - 6}Q{(at(x) + at(back)) / 2:.1f} {top} {at(back):.1f} {LINE - 7}", "", "orange", 2)
    if far:
        d.path(f"M{at(back) - 4:.1f} {LINE - 15}l4 8l8 -4", "", "orange", 2)
    d.circle(at(x), LINE, 5.6, "bg")
    d.circle(at(x), LINE, 4.6, "orange")
    words = f"{said(x)} \N{RIGHTWARDS ARROW} code {said(q)} = {said(back)}"
    d.text(min((at(x) + at(back)) / 2, 640), LINE - (62 if far else 36), words, 12, "ink2", anchor="m")
    if far:
        d.text(min((at(x) + at(back)) / 2, 640), LINE - 46, "saturates", 12, "orange", bold=True, anchor="m")


def _draw_beside(d: Drawing, zeros: float) -> None:
    """Draw the grid that misses zero."""
    assert 0.48 < zeros < 0.5
    d.text(0, BESIDE - 56, "the same grid, half a step beside", 14, "ink", bold=True)
    d.line(20, BESIDE, 700, BESIDE, "ln", 1.5)
    for q in range(-3, 13):
        x = 0.25 * q - 0.125
        d.line(at(x), BESIDE - 5, at(x), BESIDE + 5, "ln", 1.5)
        if q in (-3, 0, 1, 12):
            d.text(
                at(x) + (q == 0) * 5 - (q == 1) * 5, BESIDE - 14, said(x), 11, "mut", anchor={0: "e", 1: ""}.get(q, "m")
            )
    d.path(f"M{at(0):.1f} {BESIDE + 6}Q{at(0.0625):.1f} {BESIDE + 26} {at(0.125):.1f} {BESIDE + 7}", "", "orange", 2)
    d.circle(at(0), BESIDE, 5.6, "bg")
    d.circle(at(0), BESIDE, 4.6, "orange")
    words = f"0 becomes 0.125, and {zeros:.0%} of the digits\N{RIGHT SINGLE QUOTATION MARK} pixels are 0"
    d.text(at(0.125) + 12, BESIDE + 30, words.replace("%", " %"), 13, "orange", bold=True)
