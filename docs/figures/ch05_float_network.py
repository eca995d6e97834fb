"""Draw docs/figures/ch05-float-network.svg: a right gradient and a wrong one against difference quotients of any step.

Most of what is drawn is rounding, so every sum is Python's own, in order, and every exponential is a `Decimal`'s: any
machine draws the same noise. The gradient is that of npquant's backward pass.

Legend: p flat parameters, d unit direction, h step; rows, targets of the loss F7; slope the difference quotient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from itertools import pairwise
from math import log10, sqrt
from typing import Final

import numpy as np
from plate import WIDTH, Plate

from npquant.arrays import Float64
from npquant.nn.layers import network_backward, network_forward
from npquant.nn.losses import squared_error_backward, squared_error_forward
from npquant.report.page.svg import Drawing, number
from npquant.testing.gradient_check import GradientMismatch, check_gradient, flat

SIZES: Final = (4, 5, 3)
ROWS: Final = 7
NAMES: Final = ("sigmoid", "sigmoid")
EXACT: Final = Context(prec=30)
EPS: Final = Decimal(2) ** -52
WRONG: Final = 1.01
LEFT, RIGHT, TOP, BOTTOM = 64, 700, 30, 318
MOST, LEAST = 0, -12  # powers of ten on the y axis
MINUS: Final = "\N{MINUS SIGN}"


def power(base: Decimal, exponent: Decimal) -> float:
    """Return a power, rounded once."""
    return float(EXACT.power(base, exponent))


STEPS: Final = [power(Decimal(10), Decimal(2 - i) / 4) for i in range(51)]  # 3.2 down to 1e-12


def sigmoid(z: float) -> float:
    """Return 1 / (1 + e^-z), rounded once."""
    return float(EXACT.divide(Decimal(1), Decimal(1) + EXACT.exp(Decimal(-z))))


def loss(p: Sequence[float], rows: list[list[float]], targets: list[list[float]]) -> float:
    """F1 with sigmoids, layer by layer, and F7: the mean over the rows of half the squared error."""
    total = 0.0
    for row, target in zip(rows, targets, strict=True):
        a, at = row, 0
        for k, n in pairwise(SIZES):
            w, b, at = p[at : at + k * n], p[at + k * n : at + k * n + n], at + k * n + n
            a = [sigmoid(sum(a[i] * w[i * n + j] for i in range(k)) + b[j]) for j in range(n)]
        total += sum((o - t) * (o - t) for o, t in zip(a, target, strict=True)) / 2
    return total / len(rows)


@dataclass(frozen=True, slots=True)
class Curves:
    """Hold |slope - g d| / |g d| by step, for the right gradient and the wrong one, and what npquant makes of it."""

    right: list[float]
    wrong: list[float]
    step: float  # npquant's
    at_step: float
    tolerance: float  # that npquant derives there, of the same unit


def curves() -> Curves:
    """Compare both gradients with the difference quotients of every step."""
    rng = np.random.default_rng(5)
    x, y = rng.integers(-16, 17, (ROWS, SIZES[0])) / 16, rng.integers(0, 2, (ROWS, SIZES[-1])) * 1.0
    layers = [(rng.integers(-32, 33, (k, n)) / 16, np.zeros(n)) for k, n in pairwise(SIZES)]
    outputs, cache = network_forward(x, layers, NAMES)
    p, g = flat(layers), flat(list(network_backward(squared_error_backward(outputs - y), cache, NAMES)))
    direction = rng.integers(-8, 9, p.size)
    d = direction / sqrt(int((direction**2).sum()))

    def f(at: Float64) -> float:
        return loss(at.tolist(), x.tolist(), y.tolist())

    def slope(h: float) -> float:
        return (f(p + h * d) - f(p - h * d)) / (2 * h)

    assert abs(f(p) - squared_error_forward(outputs, y)[0]) < 1e-14
    assert passes(f, g, p) and not passes(f, WRONG * g, p)
    due = float(g @ d)
    # The square of 16 p is a whole number: its root is rounded once, everywhere.
    step = power(EPS, Decimal(1) / 3) * max(1.0, sqrt(float(((16 * p) ** 2).sum()) / p.size) / 16)
    slopes, near, far = [slope(h) for h in STEPS], slope(step), slope(2 * step)
    tolerance = 2 * abs(far - near) + 8 * float(EPS) * (1 + abs(f(p))) / step
    right, wrong = ([abs((s - share * due) / due) for s in slopes] for share in (1, WRONG))
    return Curves(right, wrong, step, abs((near - due) / due), tolerance / abs(due))


def passes(f: Callable[[Float64], float], g: Float64, p: Float64) -> bool:
    """Ask npquant's gradient check."""
    try:
        check_gradient(f, g, p, rng=0)
    except GradientMismatch:
        return False
    return True


def plates() -> tuple[Plate, ...]:
    """Return the figure of the chapter."""
    found = curves()
    # What the title says: down and up again by many powers of ten, and level over seven of them.
    assert min(found.right) < 1e-6 * min(found.right[0], found.right[-1])
    assert all(0.009 < e < 0.011 for h, e in zip(STEPS, found.wrong, strict=True) if 1e-8 < h < 0.1)
    assert found.at_step < found.tolerance < found.wrong[0]
    drawing = Drawing(WIDTH, BOTTOM + 52)
    _axes(drawing)
    for shares, colour, width in ((found.wrong, "orange", 2.0), (found.right, "blue", 2.8)):
        points = [f"{number(_x(h))} {number(_y(e))}" for h, e in zip(STEPS, shares, strict=True)]
        drawing.path("M" + "L".join(points), "", colour, width)
    words = f"a gradient that is {100 * WRONG - 100:.0f} % too large stays wrong at every step"
    drawing.text(_x(1e-4), _y(0.01) - 12, words, 13, "orange", bold=True, halo=True, anchor="m")
    drawing.text(_x(1e-2), _y(1e-5), "the right gradient", 13, "blue", bold=True, halo=True)
    drawing.text(_x(0.06), _y(1e-7), "curvature: h²", 12, "ink2", halo=True, anchor="m")
    drawing.text(_x(1e-10), _y(1e-8), "rounding: 1/h", 12, "ink2", halo=True, anchor="m")
    _mark_step(drawing, found)
    label = (
        f"Relative difference between slope and gradient over the step, both axes logarithmic. For the right gradient "
        f"it falls to {min(found.right):.0e} and rises again; for one that is {100 * WRONG - 100:.0f} % too large it "
        f"stays at 0.01. At npquant's step, {found.step:.0e}, it is {found.at_step:.0e}; its tolerance there is "
        f"{found.tolerance:.0e}."
    )
    sizes = "-".join(map(str, SIZES))
    sub = f"Backward pass of a {sizes} sigmoid network against central differences, along one random direction."
    return (Plate("ch05-float-network", "A right gradient shows a V, a wrong one a floor", sub, label, drawing),)


def _mark_step(drawing: Drawing, found: Curves) -> None:
    """Mark npquant's step, and the tolerance that it derives there."""
    x, y = _x(found.step), _y(found.at_step)
    drawing.line(x, y, x, BOTTOM, "rule", 1.5)
    drawing.circle(x, y, 5.5, "blue", "bg", 1.5)
    drawing.text(x + 8, BOTTOM - 8, f"npquant's step: {_power(found.step)}", 12, "ink2", halo=True)
    drawing.line(x - 14, _y(found.tolerance), x + 14, _y(found.tolerance), "ink", 2)
    words = f"refused above {_power(found.tolerance)}"
    drawing.text(x, _y(found.tolerance) - 8, words, 12, "ink", bold=True, halo=True, anchor="m")


def _axes(drawing: Drawing) -> None:
    drawing.text(0, 12, "relative difference between slope and gradient", 13, "ink", bold=True)
    for e in range(LEAST, MOST + 1, 2):
        drawing.line(LEFT, _y(10**e), RIGHT, _y(10**e), "grid", 1)
        drawing.text(LEFT - 8, _y(10**e) + 4, _power(10.0**e), 11, "mut", anchor="e")
    for e in range(0, -13, -2):
        drawing.text(_x(10**e), BOTTOM + 20, _power(10.0**e), 11, "mut", anchor="m")
    drawing.text(
        (LEFT + RIGHT) / 2, BOTTOM + 40, "step h of the difference quotient (smaller to the right)", 12, anchor="m"
    )


def _x(h: float) -> float:
    return LEFT + (0.5 - log10(h)) * (RIGHT - LEFT) / 12.5


def _y(share: float) -> float:
    return TOP + (MOST - log10(share)) * (BOTTOM - TOP) / (MOST - LEAST)


def _power(value: float) -> str:
    return "1" if value == 1 else f"{value:.0e}".replace("e-0", "e-").replace("-", MINUS)
