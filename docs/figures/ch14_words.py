"""Chapter 14: the words of the affine map, at their places on one line."""

from __future__ import annotations

from plate import WIDTH, Plate

from npquant import QuantParams, dequantize, quantize
from npquant.report.page.svg import Drawing

PARAMS = QuantParams(0.25, -3, -8, 7)
TIE, BEYOND = 1.125, 3.0
LEFT, UNIT, Y = 84, 148, 92  # real -1.25 at LEFT, pixels a unit, height of the line


def at(real: float) -> float:
    """Place a real value."""
    return LEFT + UNIT * (real + 1.25)


def signed(value: float) -> str:
    """Write a number with a true minus."""
    return f"{value:g}".replace("-", "−")


def pointed(drawing: Drawing, x: float, words: tuple[str, str], colour: str, above: bool, anchor: str = "m") -> None:
    """Write two lines about a place, with a line to it."""
    y = Y - 62 if above else Y + 72
    drawing.line(x, Y - 14 if above else Y + 34, x, y + 22 if above else y - 18, colour, 1.5)
    drawing.text(x, y, words[0], 14, colour, bold=True, anchor=anchor)
    drawing.text(x, y + 17, words[1], 12, "mut", anchor=anchor)


def draw_codes(drawing: Drawing) -> None:
    """Draw the line, its sixteen codes, and the real values under some."""
    drawing.line(at(-1.5), Y, at(3.2), Y, "ln", 1.5)
    for code in range(PARAMS.qmin, PARAMS.qmax + 1):
        x, special = at(float(dequantize([code], PARAMS)[0])), code in (PARAMS.qmin, PARAMS.zero_point, PARAMS.qmax)
        drawing.line(x, Y - 9, x, Y + 9, "blue" if special else "ln", 3 if special else 1.5)
        drawing.text(x, Y + 26, signed(code), 12, "ink" if special else "mut", bold=special, anchor="m")
    drawing.text(at(-1.25) - 24, Y + 26, "code", 12, "mut", anchor="e")


def plates() -> tuple[Plate, ...]:
    """Draw the words."""
    assert [int(c) for c in quantize([0.0, BEYOND, -BEYOND], PARAMS)] == [-3, 7, -8]
    steps = TIE / float(PARAMS.scale)
    assert steps == 4.5 and int(quantize([TIE], PARAMS)[0]) == 1  # 4 is even
    drawing = Drawing(WIDTH, Y + 150)
    draw_codes(drawing)
    pointed(drawing, at(-1.25), ("rail", "real −1.25"), "blue", above=False)
    pointed(drawing, at(0), ("zero point", "the code of real 0"), "blue", above=False)
    pointed(drawing, at(2.5), ("rail", "real 2.5"), "blue", above=False)
    pointed(drawing, at(TIE), ("a tie: 4.5 steps", "up, away or to even?"), "orange", above=True)
    drawing.circle(at(TIE), Y, 4.6, "orange", "bg", 1)
    left, right = at(-1.0), at(-0.75)
    for x in (left, right):
        drawing.line(x, Y - 34, x, Y - 14, "teal", 1.5)
    drawing.line(left, Y - 28, right, Y - 28, "teal", 2)
    drawing.text((left + right) / 2, Y - 62, "one step", 14, "teal", bold=True, anchor="m")
    drawing.text((left + right) / 2, Y - 45, "the scale, 0.25", 12, "mut", anchor="m")
    end = at(BEYOND)
    drawing.circle(end, Y, 4.6, "orange", "bg", 1)
    drawing.path(f"M{end:.1f} {Y - 10}Q{end - 36:.1f} {Y - 40} {at(2.5) + 8:.1f} {Y - 12}", "", "orange", 2.4)
    drawing.path(f"M{at(2.5) + 3:.1f} {Y - 10}l11 1l-7 -9z", "orange")
    drawing.text(end + 12, Y - 62, "saturates", 14, "orange", bold=True, anchor="e")
    drawing.text(end + 12, Y - 45, "real 3 gets code 7", 12, "mut", anchor="e")
    middle = at(0.625)
    drawing.line(at(-1.25), Y + 128, at(2.5), Y + 128, "ln", 1.5)
    for x in (at(-1.25), at(2.5)):
        drawing.line(x, Y + 122, x, Y + 134, "ln", 1.5)
    drawing.text(middle, Y + 120, "range: what calibration chooses", 12, "mut", anchor="m", halo=True)
    return (
        Plate(
            "ch14-words",
            "Sixteen codes: one is zero, two are rails, a tie between any two",
            "A 4-bit affine map with scale 0.25 and zero point −3, and its words.",
            "A number line of the codes -8 to 7. The zero point -3 stands for real 0, the rails for -1.25 and 2.5; "
            "real 1.125 is 4.5 steps, a tie; real 3 saturates to code 7; a step is the scale, 0.25.",
            drawing,
        ),
    )
