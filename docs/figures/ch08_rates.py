"""Chapter 8: test rows that the bundled network is right on, by pruning rate and by what makes up for what went."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from label_heights import spread
from plate import WIDTH, Plate

from npquant.compression.pruning.neurons.pruning import prune_neurons
from npquant.data.datasets import load_optdigits
from npquant.data.split import split_70_15_15
from npquant.measure.evaluate import in_float64
from npquant.report.page.svg import Drawing
from npquant.workflow.float_model import bundled_network

RATES: Final = tuple(i / 10 for i in range(10))
# What each does, in words, and its colour: the default blue, nothing done orange.
WAYS: Final = MappingProxyType(
    {
        "refit": ("all layers solved anew", "blue"),
        "layerwise": ("each next layer solved anew", "teal"),
        "fold": ("means folded into the bias", "plum"),
        "bare": ("nothing done about it", "orange"),
    }
)
# One row in a hundred lost is what the title asks for.
MOST_LOST: Final = 0.01
LEFT, RIGHT, TOP, BOTTOM = 40, 536, 30, 330
Curves = dict[str, tuple[int, ...]]


def rows_right() -> tuple[Curves, int]:
    """Return how many test rows each way is right on, by rate, and how many there are."""
    net, digits = in_float64(bundled_network()), load_optdigits()
    split = split_70_15_15(digits.y, rng=0)
    x, y, rows = digits.x[split.test], digits.y[split.test], digits.x[split.train]
    right = {
        way: tuple(int((prune_neurons(net, rows, rate, compensation=way).predict(x) == y).sum()) for rate in RATES)
        for way in WAYS
    }
    return right, len(y)


def place(rate: float, right: float, count: int) -> tuple[float, float]:
    """Return where a number of rows stands on the plane."""
    return LEFT + (RIGHT - LEFT) * rate / RATES[-1], BOTTOM - (BOTTOM - TOP) * right / count


def most_spared(curve: tuple[int, ...], count: int) -> int:
    """Return the last rate, by its place, up to which a way loses no more rows than `MOST_LOST` of all."""
    spared = [curve[0] - right <= MOST_LOST * count for right in curve]
    return (spared.index(False) if False in spared else len(spared)) - 1


def plates() -> tuple[Plate, ...]:
    """Draw the one figure."""
    curves, count = rows_right()
    drawing = Drawing(WIDTH, BOTTOM + 56)
    for right in range(0, count, 50):
        y = place(0, right, count)[1]
        drawing.line(LEFT, y, RIGHT, y, "rule" if right == 0 else "grid")
        drawing.text(LEFT - 8, y + 4, str(right), 11, anchor="e")
    drawing.text(0, 12, f"test rows that are right, of {count}", 13, "ink", bold=True)
    for rate in RATES:
        drawing.text(place(rate, 0, count)[0], BOTTOM + 18, f"{rate:.1f}", 11, anchor="m")
    drawing.text(
        (LEFT + RIGHT) / 2, BOTTOM + 42, "rate: share of each hidden layer's neurons that went", 13, anchor="m"
    )
    ends = [place(RATES[-1], curve[-1], count)[1] for curve in curves.values()]
    for (way, curve), y in reversed(list(zip(curves.items(), spread(ends, 40), strict=True))):
        words, colour = WAYS[way]
        points = [place(rate, right, count) for rate, right in zip(RATES, curve, strict=True)]
        drawing.path("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points), "", colour, 2.8 if way == "refit" else 2)
        for point in points:
            drawing.circle(*point, 3.6, colour, "bg")
        drawing.text(RIGHT + 14, y - 4, f"{way}: {curve[-1]}", 14, colour, bold=True)
        drawing.text(RIGHT + 14, y + 14, words, 13, "ink2")
    at = most_spared(curves["refit"], count)
    lost = curves["refit"][0] - curves["refit"][at]
    rows = "no row" if lost <= 0 else "one row" if lost == 1 else f"{lost} rows"
    title = f"Refitted, {100 * RATES[at]:.0f} % of the hidden neurons go for {rows} of {count}"
    neurons = "-".join(map(str, bundled_network().neurons))
    sub = f"The bundled digits network (64-{neurons}) pruned at ten rates by the criterion obs, without any training."
    told = "; ".join(f"{way} {', '.join(map(str, curve))}" for way, curve in curves.items())
    label = f"Test rows of {count} that are right at rates 0.0 to 0.9, for four compensations: {told}."
    return (Plate("ch08-rates", title, sub, label, drawing),)
