"""Draw chapter 2's figure: what seven rules make of the same 45 sums, an eighth apart.

Legend: n a sum in eighths; rule a function from n to the integer that its value becomes; x, y on the paper, in pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Final

from plate import WIDTH, Plate

from npquant.report.page.svg import Drawing
from npquant.spec.requantize import requantize_double_rounding, requantize_double_rounding_up
from npquant.spec.rounding import round_floor, round_half_away, round_half_even, round_half_up, round_toward_zero

Rule = Callable[[int], int]
SUMS: Final = range(-22, 23)
TIES: Final = range(-20, 21, 8)
EIGHTH: Final = (2**30, -2)  # M = 1/8 as multiplier and shift
UNIT, SIDE = 24, 22  # pixels of 1, and from a panel's left to its axis


def exact(rounding: Callable[[Fraction], int]) -> Rule:
    """Round a sum of eighths once."""
    return lambda n: rounding(Fraction(n, 8))


RULES: Final[tuple[tuple[str, str, Rule], ...]] = (
    ("floor", "a bare right shift", exact(round_floor)),
    ("toward zero", "a cast in C, int() in Python", exact(round_toward_zero)),
    ("half up", "add half, shift: npquant", exact(round_half_up)),
    ("half away from zero", "round() in C", exact(round_half_away)),
    ("half to even", "NumPy, ONNX Runtime", exact(round_half_even)),
    ("two roundings, last away", "TFLite\N{RIGHT SINGLE QUOTATION MARK}s reference",
     lambda n: requantize_double_rounding(n, *EIGHTH)),
    ("two roundings, both up", "ruy on x86", lambda n: requantize_double_rounding_up(n, *EIGHTH)),
)  # fmt: skip


def said(value: int) -> str:
    """Write an integer with a true minus."""
    return f"{value}".replace("-", "\N{MINUS SIGN}")


def plates() -> list[Plate]:
    """Return the figure."""
    answers = {name: tuple(map(rule, SUMS)) for name, _, rule in RULES}
    assert len(set(answers.values())) == len(RULES)
    d = Drawing(WIDTH, 524)
    for i, (name, where, rule) in enumerate(RULES):
        _draw_panel(d, 192 * (i % 4), 276 * (i // 4), name, where, rule)
    _draw_key(d, 590, 322)
    ties = "; ".join(f"{name}: {', '.join(said(rule(n)) for n in TIES)}" for name, _, rule in RULES)
    label = (
        "Seven small plots of integers over exact values from \N{MINUS SIGN}2.75 to 2.75, an eighth apart. What the "
        f"ties \N{MINUS SIGN}2.5, \N{MINUS SIGN}1.5, \N{MINUS SIGN}0.5, 0.5, 1.5 and 2.5 become: {ties}. Floor and "
        "toward zero miss the nearest integer of nearly half of all values, the two with two roundings that of 0.375."
    )
    sub = "Across: the exact value, a sum of eighths. Up: the integer it becomes. Grey line: no rounding."
    title = f"Seven ways to round, and no two agree on all {len(SUMS)} sums"
    return [Plate("ch02-rounding", title, sub, label, d)]


def _draw_panel(d: Drawing, x: float, y: float, name: str, where: str, rule: Rule) -> None:
    """Draw one rule."""
    d.text(x, y + 12, name, 13, "ink", bold=True)
    d.text(x, y + 29, where, 12, "mut")
    middle, zero = x + SIDE + 2.9 * UNIT, y + 44 + 3.2 * UNIT
    for v in range(-2, 3):
        d.line(middle + v * UNIT, zero - 3.2 * UNIT, middle + v * UNIT, zero + 3.2 * UNIT, "grid")
        d.line(middle - 2.9 * UNIT, zero - v * UNIT, middle + 2.9 * UNIT, zero - v * UNIT, "grid")
        if v % 2 == 0:
            d.text(x + SIDE - 8, zero - v * UNIT + 4, said(v), 11, "mut", anchor="e")
            d.text(middle + v * UNIT, zero + 3.2 * UNIT + 14, said(v), 11, "mut", anchor="m")
    d.line(middle - 2.9 * UNIT, zero + 2.9 * UNIT, middle + 2.9 * UNIT, zero - 2.9 * UNIT, "rule", 1.5)
    for n in sorted(SUMS, key=lambda n: (rule(n) != round_half_even(Fraction(n, 8)) and n not in TIES, n in TIES)):
        _draw_sum(d, middle + n / 8 * UNIT, zero - rule(n) * UNIT, n, rule(n))
    d.text(x + SIDE, zero + 3.2 * UNIT + 34, " ".join(said(rule(n)) for n in TIES), 12, "orange", mono=True)


def _draw_sum(d: Drawing, x: float, y: float, n: int, got: int) -> None:
    if n in TIES:
        d.circle(x, y, 4, "orange", "bg", 1)
    elif got != round_half_even(Fraction(n, 8)):
        d.circle(x, y, 2.2, "bg", "orange", 1.4)
    else:
        d.circle(x, y, 2, "blue")


def _draw_key(d: Drawing, x: float, y: float) -> None:
    """Say what the marks are."""
    d.circle(x, y - 4, 2, "blue")
    d.circle(x, y + 20, 4.4, "orange")
    d.circle(x, y + 62, 2.4, "bg", "orange", 1.4)
    for down, words in (
        (0, "the nearest integer"), (24, "a tie: \N{MINUS SIGN}2.5 \N{HORIZONTAL ELLIPSIS} 2.5; in"),
        (41, "a row below, the six"), (66, "no tie, and not the"), (83, "nearest: two roundings"),
        (100, "make 0.375 a 1"),
    ):  # fmt: skip
        d.text(x + 12, y + down, words, 12, "ink2")
