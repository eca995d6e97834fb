"""Chapter 11: ten sums that are chosen, eight wrong kernels, and which of the one finds which of the other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from plate import WIDTH, Plate

from npquant import QuantParams, requantize
from npquant.arrays import Int64
from npquant.report.page.svg import Drawing

SHIFT, ZERO = 4, 3  # a sum is divided by 16, and 3 added
X = QuantParams(1 / 16, 0, -128, 127)
W, Y = QuantParams(1.0, 0, -128, 127), QuantParams(1.0, ZERO, -128, 127)
SUMS = {
    "inside, no tie": 100,
    "a tie: 24/16 = 1.5": 24,
    "a tie at an even step: 2.5": 40,
    "a tie below zero: −1.5": -24,
    "a tie below code 0: −3.5": -56,
    "one LSB below a tie": 23,
    "one LSB above a tie": 25,
    "one LSB past the rail": 1992,
    "far past it, above": 2400,
    "far past it, below": -2400,
}
HEADS = (
    "no rounding constant",
    "C cast",
    "ties away",
    "ties to even",
    "zero point first",
    "wraps",
    "clamps at −127",
    "bias one off",
)
COLUMNS, WIDE, TALL = 296, 58, 30


def away(v: Int64, half: int) -> Int64:
    """Divide by 2 half, ties away from zero."""
    return np.asarray(np.sign(v) * ((np.abs(v) + half) // (2 * half)))


def wrong_kernels() -> tuple[Callable[[Int64], Int64], ...]:
    """Return the eight, in the order of their heads."""
    step, half = 2**SHIFT, 2 ** (SHIFT - 1)

    def clamped(code: Int64, low: int = -128) -> Int64:
        return np.clip(code, low, 127)

    def up(acc: Int64) -> Int64:
        return (acc + half) // step + ZERO

    return (
        lambda acc: clamped(acc // step + ZERO),
        lambda acc: clamped(np.sign(acc) * (np.abs(acc) // step) + ZERO),
        lambda acc: clamped(away(acc, half) + ZERO),
        lambda acc: clamped(np.rint(acc / step).astype(np.int64) + ZERO),
        lambda acc: clamped(away(acc + ZERO * step, half)),
        lambda acc: (up(acc) + 128) % 256 - 128,
        lambda acc: clamped(up(acc), -127),
        lambda acc: clamped(up(acc + 1)),
    )


def due(acc: Int64) -> Int64:
    """Return the codes of npquant's own arithmetic."""
    return requantize(acc, x=X, w=W, y=Y, profile="npquant").astype(np.int64)


def shown(value: int) -> str:
    """Write a number with a true minus and commas."""
    return f"{value:,}".replace("-", "−")


def draw_heads(drawing: Drawing) -> None:
    """Name the columns, a word a line, short words together."""
    for i, head in enumerate(HEADS):
        lines = head.replace("C ", "C_").replace("to ", "to_").replace("at ", "at_").replace("one ", "one_").split()
        for j, words in enumerate(lines):
            x, y = COLUMNS + WIDE * (i + 0.5), 46 - 14 * (len(lines) - 1 - j)
            drawing.text(x, y, words.replace("_", " "), 12, "ink2", anchor="m")


def draw_row(drawing: Drawing, y: float, name: str, acc: int, wants: int, answers: list[int]) -> None:
    """Draw one sum: what is due, and the answers that are something else."""
    drawing.text(6, y + 20, name, 13, "mut" if name.startswith("inside") else "ink", bold=not name.startswith("inside"))
    drawing.text(COLUMNS - 8, y + 20, f"{shown(acc)} → {shown(wants)}", 12, "ink2", anchor="e", mono=True)
    for i, got in enumerate(answers):
        x = COLUMNS + WIDE * (i + 0.5)
        if got == wants:
            drawing.circle(x, y + 15, 1.8, "ln")
        else:
            drawing.rect(x - 23, y + 4, 46, 22, "orange")
            drawing.text(x, y + 19, shown(got), 12, "on", anchor="m", mono=True)


def plates() -> tuple[Plate, ...]:
    """Draw the table."""
    kernels, sums = wrong_kernels(), np.array(list(SUMS.values()), np.int64)
    wants, answers = due(sums), np.array([kernel(sums) for kernel in kernels])
    caught = answers != wants
    assert caught.any(axis=1).all() and not caught[:, 0].any()
    # No row can go: "zero point first" is seen at -56 alone.
    assert (caught[4] == (sums == -56)).all()
    rng = np.random.default_rng(0)
    random = (rng.integers(-128, 128, (20_000, 33)) * rng.integers(-2, 3, (20_000, 33))).sum(axis=1)
    found = [float((kernel(random) != due(random)).mean()) for kernel in kernels]
    assert max(found[5:7]) < 0.002 < min(found[:5] + found[7:])
    drawing = Drawing(WIDTH, 58 + TALL * len(SUMS) + 92)
    draw_heads(drawing)
    for i, (name, acc) in enumerate(SUMS.items()):
        y = 58 + TALL * i
        if i % 2 == 0:
            drawing.rect(0, y, WIDTH, TALL, "panel")
        draw_row(drawing, y, name, acc, int(wants[i]), [int(code) for code in answers[:, i]])
    y = 58 + TALL * len(SUMS)
    drawing.line(0, y, WIDTH, y, "ink", 1.5)
    drawing.text(6, y + 24, "of 20,000 random sums, caught by", 13, "ink", bold=True)
    for i, part in enumerate(found):
        words, rare = f"{100 * part:.2g} %", part < 0.002
        colour = "orange" if rare else "ink2"
        drawing.text(COLUMNS + WIDE * (i + 0.5), y + 24, words, 12, colour, bold=rare, anchor="m")
    for i, words in enumerate(
        (
            "Orange: a wrong answer that is found out. A sum is divided by 16, zero point 3 added, saturated to int8;",
            "the right rule rounds ties up. Random sums: 33 products of int8 inputs and weights from −2 to 2.",
        )
    ):
        drawing.text(6, y + 54 + 18 * i, words, 12, "mut")
    kills = "; ".join(f"{head}: {int(row.sum())} of 10" for head, row in zip(HEADS, caught, strict=True))
    return (
        Plate(
            "ch11-oracle",
            "Ten chosen sums catch all eight; random ones hardly find the rails",
            "Rows: what the oracle asks. Columns: eight wrong kernels that people really write.",
            f"A table of ten sums and eight wrong kernels. Sums that find each: {kills}.",
            drawing,
        ),
    )
