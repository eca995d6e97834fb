"""Draw docs/figures/ch09-few-bits.svg: digits right by width and method, and what the bytes of a file are for.

Legend: width a number of bits, or "ternary"; right the test rows whose digit is told; bytes of a file by part.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from plate import WIDTH, Plate

from npquant.compression.chain.weight_codes import Bits
from npquant.compression.rounding.quantize_model import quantize_model
from npquant.data.datasets import load_optdigits
from npquant.data.split import split_70_15_15
from npquant.files.storage import encode_model, itemize
from npquant.measure.evaluate import in_float64
from npquant.report.page.fractions_in_words import share_words
from npquant.report.page.svg import Drawing, number
from npquant.workflow.float_model import bundled_network

WIDTHS: Final[tuple[Bits, ...]] = (8, 6, 5, 4, 3, 2, "ternary")
BARS: Final[tuple[Bits, ...]] = (8, 6, 4, 3, 2, "ternary")
# Method, its name in the figure, colour, thickness: the last is drawn on top.
LINES: Final = (
    ("uniform", "uniform", "orange", 2.0),
    ("nearest", "nearest", "ln", 2.0),
    ("gptq_resolved", "re-solved GPTQ", "plum", 2.0),
    ("rectified", "rectified", "blue", 2.8),
)
PARTS: Final = (("weights", "blue"), ("scales", "teal"), ("biases", "plum"), ("rest", "greyf"))
NOISE: Final = 2  # digits that say nothing
TOP, BOTTOM, FIRST, STEP = 44, 296, 52, 39
BAR_LEFT, BAR_PIXELS = 474, 216


@dataclass(frozen=True, slots=True)
class Found:
    """Hold what was measured on the test rows, and the parts of the rectified network's files."""

    rows: int
    float_right: int
    right: dict[str, list[int]]  # method -> by width
    bytes_by_part: dict[Bits, Counter[str]]

    @property
    def held(self) -> list[Bits]:
        """The widths, from the widest on, at which rectified rounding loses no more than noise."""
        lost = [self.float_right - n for n in self.right["rectified"]]
        first = next((i for i, n in enumerate(lost) if n > NOISE), len(lost))
        return list(WIDTHS[:first])

    @property
    def title(self) -> str:
        """Say down to what width the digits are held, and what the file then weighs."""
        if not self.held:
            return f"Every width costs more than {NOISE} digits of {self.rows}"
        last = self.held[-1]
        values = "three values" if last == "ternary" else f"{last} bits"
        share = share_words(self.bytes_by_part[last].total() / self.bytes_by_part[8].total())
        return f"Rectified rounding holds the digits down to {values}, in {share} of the bytes"


def measure() -> Found:
    """Quantize the bundled network at every width by every method."""
    model, digits = in_float64(bundled_network()), load_optdigits()
    split = split_70_15_15(digits.y, rng=0)
    rows, x, y = digits.x[split.train], digits.x[split.test], digits.y[split.test]
    right: dict[str, list[int]] = {}
    parts: dict[Bits, Counter[str]] = {}
    for method, *_ in LINES:
        nets = [quantize_model(model, rows, width, method=method).network for width in WIDTHS]
        right[method] = [int((net.predict(x) == y).sum()) for net in nets]
        if method == "rectified":
            parts = {width: parts_of(encode_model(net)) for width, net in zip(WIDTHS, nets, strict=True)}
    return Found(len(y), int((model.predict(x) == y).sum()), right, parts)


def parts_of(file: bytes) -> Counter[str]:
    """Add up the bytes of a file: weights, scales, biases, the rest."""
    found: Counter[str] = Counter()
    for part in itemize(file):
        found[part.name if part.name in dict(PARTS) else "rest"] += part.n_bytes
    return found


def plates() -> tuple[Plate, ...]:
    """Return the figure of the chapter."""
    found = measure()
    drawing = Drawing(WIDTH, BOTTOM + 78)
    _lines(drawing, found)
    _bars(drawing, found)
    words = f"One digit is {100 / found.rows:.2f} points: differences of one or two are noise."
    drawing.text(0, BOTTOM + 70, words, 12, "mut")
    shown = "; ".join(f"{name} {', '.join(map(str, found.right[method]))}" for method, name, *_ in LINES)
    sizes = ", ".join(f"{found.bytes_by_part[width].total()}" for width in BARS)
    label = (
        f"Test digits right, of {found.rows}, at {', '.join(map(_name, WIDTHS))} bits: {shown}; the float network "
        f"{found.float_right}. Bytes of the rectified file at {', '.join(map(_name, BARS))}: {sizes}."
    )
    sub = "Left: 64-64-32-10, nothing pruned, test rows. Right: what the bytes are for."
    return (Plate("ch09-few-bits", found.title, sub, label, drawing),)


def _lines(drawing: Drawing, found: Found) -> None:
    """Draw digits right by width."""
    drawing.text(0, 12, f"digits right, of {found.rows}", 13, "ink", bold=True)
    everyone = [n for line in found.right.values() for n in line]
    low, high = 10 * (min(everyone) // 10), max([*everyone, found.float_right]) + 3

    def y(n: float) -> float:
        return BOTTOM - (n - low) / (high - low) * (BOTTOM - TOP)

    for tens in range(low, high, 10):
        drawing.line(34, y(tens), 286, y(tens), "grid", 1)
        drawing.text(26, y(tens) + 4, f"{tens}", 11, "mut", anchor="e")
    drawing.line(34, y(found.float_right), 286, y(found.float_right), "ln", 1.5, "5 4")
    drawing.text(34, y(found.float_right) - 14, f"float {found.float_right}", 12, "ink2", halo=True)
    for i, width in enumerate(WIDTHS):
        drawing.text(_x(i), BOTTOM + 20, _name(width), 11, "mut", anchor="m")
    drawing.text(160, BOTTOM + 40, "bits a weight", 12, "mut", anchor="m")
    for method, _, colour, thick in LINES:
        points = [(_x(i), y(n)) for i, n in enumerate(found.right[method])]
        drawing.path("M" + "L".join(f"{number(a)} {number(b)}" for a, b in points), "", colour, thick)
        for a, b in points:
            drawing.circle(a, b, 4.6, colour, "bg", 1)
    at = 0.0
    for method, name, colour, _ in sorted(LINES, key=lambda line: (-found.right[line[0]][-1], line[0] != "rectified")):
        at = max(at + 16, y(found.right[method][-1]))  # labels of equal ends stand one under the other
        words, ink = f"{name} {found.right[method][-1]}", "ink2" if colour == "ln" else colour
        drawing.text(296, at + 4, words, 12, ink, bold=method == "rectified", halo=True)


def _bars(drawing: Drawing, found: Found) -> None:
    """Draw the bytes of the rectified network's files, part by part."""
    drawing.text(BAR_LEFT - 40, 12, "bytes of the file, rectified", 13, "ink", bold=True)
    scale = BAR_PIXELS / found.bytes_by_part[8].total()
    for i, width in enumerate(BARS):
        parts, top, at = found.bytes_by_part[width], FIRST - 16 + STEP * i, float(BAR_LEFT)
        drawing.text(BAR_LEFT - 8, top + 15, _name(width), 12, "ink", bold=True, anchor="e")
        for name, colour in PARTS:
            drawing.rect(at, top, parts[name] * scale - 1.5, 22, colour)
            at += parts[name] * scale
        drawing.text(at + 6, top + 15, f"{parts.total():,}", 12, "ink2")
    drawing.text(BAR_LEFT + 8, FIRST - 1, "weights", 12, "on", bold=True)
    key = FIRST + STEP * len(BARS) - 2
    drawing.text(BAR_LEFT, key, "scales", 12, "teal", bold=True)
    drawing.text(BAR_LEFT + 56, key, "biases", 12, "plum", bold=True)
    drawing.text(BAR_LEFT + 112, key, f"container {found.bytes_by_part[2]['rest']} bytes", 12, "mut")


def _x(i: int) -> float:
    return 42 + 236 * i / (len(WIDTHS) - 1)


def _name(width: Bits) -> str:
    return "tern." if width == "ternary" else f"{width}"
