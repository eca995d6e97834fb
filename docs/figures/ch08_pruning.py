"""Chapter 8: eight neurons before pruning, without the four that cost nothing, and without one more.

Everything drawn comes from runs of `prune_neurons_with_report`: neurons, causes, weights and numbers.

Legend: x (R, 2) rows, h (R, 8) hidden outputs, y (R, 2) outputs; a panel is one network, `numbers` what its hidden
neurons were called before pruning, `causes` why each of the eight goes, or "kept".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from plate import WIDTH, Plate

from npquant.compression.pruning.neurons.pruning import prune_neurons_with_report
from npquant.compression.pruning.neurons.report import LayerPruning
from npquant.nn.model import DenseLayer, FloatMLP
from npquant.report.page.svg import Drawing

Float64 = NDArray[np.float64]

# Four removable neurons go at the first rate, and one that is only unimportant at the second.
RATES: Final = (4 / 8, 5 / 8)
NEURONS: Final = 8
RADIUS: Final = 14
HIDDEN: Final = tuple(74 + 38 * j for j in range(NEURONS))
ENDS: Final = (80, 160)
PANEL: Final = (0, 252, 504)
COLUMN: Final = (RADIUS + 1, 114, 213)
# A page's column is a little narrower than a figure: nothing but rules stands beyond.
ROOM: Final = 732
KEY: Final = HIDDEN[-1] + 50
TABLE: Final = KEY + 44
COUNTS: Final = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")
ORDINALS: Final = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Hold one network, the numbers of its hidden neurons, those that the next panel lacks, and two lines on top."""

    net: FloatMLP
    numbers: tuple[int, ...]
    next_to_go: tuple[int, ...]
    head: str
    below: str


def rows() -> Float64:
    """Return the points of a 5 x 5 grid: all the inputs there are."""
    grid = np.arange(-2.0, 3.0)
    return np.array([[p, q] for p in grid for q in grid])


def network() -> FloatMLP:
    """Return 2 inputs, 8 ReLU neurons and 2 outputs, all weights small integers or quarters."""
    w = np.array([[1, 0, 1, -1, 2, -1, 0, 1], [0, 1, -1, 1, 0, -1, 0, 1]], float)
    b = np.array([1, 0, 0, 0, 2, -5, 3, 0], float)
    v = np.array([[2, -1], [-2, 3], [1, -2], [0.25, 0.25], [1, 1], [3, 2], [1, -1], [0, 0]])
    return FloatMLP((DenseLayer(w, b, "relu"), DenseLayer(v, np.zeros(2), "identity")))


def evidence(layer: LayerPruning, neuron: int) -> tuple[str, str]:
    """Return the cause by which a neuron goes, or "kept", and what shows it, both in a word or two."""
    cause = layer.why(neuron).split(":")[0]
    if cause == "redundant":
        at = int(np.flatnonzero(layer.redundant == neuron)[0])
        return cause, f"{layer.factors[at]:g} × neuron {layer.twins[at]}"
    if neuron in layer.unheard:
        return cause, "nobody hears it"
    if neuron in layer.unfed:
        return cause, "hears nothing"
    return cause, {"zero": "never fires", "constant": "never varies", "unimportant": "missed least"}.get(cause, "")


def change_of(net: FloatMLP) -> tuple[float, float]:
    """Return the largest change of an output over all rows, and the largest output before."""
    before = np.asarray(network().logits(rows()), np.float64)
    return float(np.abs(net.logits(rows()) - before).max()), float(np.abs(before).max())


def panels() -> tuple[tuple[Panel, ...], LayerPruning]:
    """Prune at both rates; return the three networks, and what became of every neuron at the second rate."""
    net, everybody = network(), tuple(range(NEURONS))
    nets, kept = [net], [everybody]
    for rate in RATES:
        small, report = prune_neurons_with_report(net, rows(), rate, output="identity")
        nets.append(small)
        kept.append(tuple(int(j) for j in report.layers[0].kept))
    drawn = []
    for i, (each, numbers) in enumerate(zip(nets, kept, strict=True)):
        lost, left = NEURONS - len(numbers), kept[i + 1] if i + 1 < len(kept) else numbers
        heads = ("before", f"{COUNTS[lost]} gone", f"{COUNTS[lost]} gone")
        moved, size = change_of(each)
        same = "outputs as before, bit for bit" if moved == 0 else f"outputs up to {size:.0f} move by {moved:.2f}"
        below = "grey: those that go next" if i == 0 else same
        drawn.append(
            Panel(each, numbers, tuple(set(numbers) - set(left)), f"{heads[i]}: {each.macs} multiplications", below)
        )
    return tuple(drawn), report.layers[0]


def edges(panel: Panel) -> Iterator[tuple[int, int, int, float]]:
    """Give every weight that is not 0: its layer, where it comes from and goes to by the numbers drawn, its value."""
    for i, layer in enumerate(panel.net.layers):
        for k, n in np.argwhere(layer.w):
            ends = (int(k), panel.numbers[n]) if i == 0 else (panel.numbers[k], int(n))
            yield i, *ends, float(layer.w[k, n])


def place(panel: int, column: int, number: int) -> tuple[int, int]:
    """Return where a neuron's middle stands: columns are inputs, hidden neurons, outputs."""
    return PANEL[panel] + COLUMN[column], (HIDDEN if column == 1 else ENDS)[number]


def line_of(panel: int, layer: int, k: int, n: int, weight: float) -> tuple[float, float, float, float, str, float]:
    """Return the line of a weight: its ends, its colour, which is its sign, and its width, which is its size."""
    colour = "blue" if weight > 0 else "orange"
    return *place(panel, layer, k), *place(panel, layer + 1, n), colour, round(0.8 + abs(weight), 2)


def says_to_first_output(panel: Panel) -> list[float | None]:
    """Return what each of the eight says to y0, None where it is gone, and the bias of y0 at the end."""
    last = panel.net.layers[-1]
    at = {number: float(last.w[k, 0]) for k, number in enumerate(panel.numbers)}
    return [*(at.get(j) for j in range(NEURONS)), float(last.b[0])]


def written(value: float | None) -> str:
    """Write a weight with at most two decimals; nothing where there is none."""
    return "" if value is None else f"{round(value, 2):g}".replace("-", "−")


def _network(drawing: Drawing, at: int, panel: Panel) -> None:
    drawing.text(PANEL[at], 14, panel.head, 14, "ink", bold=True)
    drawing.text(PANEL[at], 34, panel.below, 13)
    for edge in edges(panel):
        drawing.line(*line_of(at, *edge))
    for column, sign in ((0, "x"), (2, "y")):
        for k, index in enumerate("₀₁"):
            x, y = place(at, column, k)
            drawing.circle(x, y, RADIUS, "greyf")
            drawing.text(x, y + 5, sign + index, 13, "ink", anchor="m")
    for number in range(NEURONS):
        x, y = place(at, 1, number)
        goes = number in panel.next_to_go
        if number not in panel.numbers:
            drawing.circle(x, y, RADIUS, "bg", "rule", 1.5)
            continue
        drawing.circle(x, y, RADIUS, "panel" if goes else "bg", "ln" if goes else "ink2", 1.5 if goes else 2)
        drawing.text(x, y + 5, str(number), 13, "mut" if goes else "ink", bold=not goes, anchor="m")


def _causes(drawing: Drawing, at: int, gone: tuple[int, ...], layer: LayerPruning) -> None:
    for number in sorted(gone):
        x, y = place(at, 1, number)
        cause, shown = evidence(layer, number)
        drawing.text(x - RADIUS - 6, y + 5, cause, 12, "ink", bold=True, anchor="e")
        drawing.text(x + RADIUS + 6, y + 5, shown, 12, "ink2")


def _key(drawing: Drawing) -> None:
    for x, colour, words in ((0, "blue", "adds"), (92, "orange", "subtracts")):
        drawing.line(x, KEY - 4, x + 26, KEY - 4, colour, 3)
        drawing.text(x + 34, KEY, words, 13, "ink2")
    drawing.text(212, KEY, "thicker: larger weight", 13)
    drawing.text(PANEL[2] - 136, KEY, "empty circles: gone from the arrays", 13)


def _table(drawing: Drawing, shown: tuple[Panel, ...]) -> None:
    """Write what each neuron says to y0, a row a panel; bold where the row above says something else."""
    drawing.line(0, TABLE - 20, WIDTH, TABLE - 20, "rule")
    right = [248 + 56 * i for i in range(NEURONS)] + [ROOM - 12]
    drawing.text(0, TABLE, "weights into y₀, by neuron", 13, "ink", bold=True)
    drawing.text(ROOM, KEY, "bold: changed", 13, "ink", bold=True, anchor="e")
    for x, name in zip(right, (*map(str, range(NEURONS)), "bias"), strict=True):
        drawing.text(x, TABLE, name, 13, anchor="e")
    before: list[float | None] = says_to_first_output(shown[0])
    for i, panel in enumerate(shown):
        y, now = TABLE + 24 * (i + 1), says_to_first_output(panel)
        drawing.text(0, y, panel.head.split(":")[0], 13, "ink2")
        for x, value, old in zip(right, now, before, strict=True):
            moved = value != old
            drawing.text(x, y, written(value), 13, "ink" if moved else "ink2", bold=moved, anchor="e")
        before = now


def plates() -> tuple[Plate, ...]:
    """Draw the one figure of the chapter."""
    shown, layer = panels()
    drawing = Drawing(WIDTH, TABLE + 24 * len(shown) + 12)
    for at, panel in enumerate(shown):
        _network(drawing, at, panel)
        if at:
            _causes(drawing, at, shown[at - 1].next_to_go, layer)
    _key(drawing)
    _table(drawing, shown)
    free, (moved, size) = NEURONS - len(shown[1].numbers), change_of(shown[2].net)
    if change_of(shown[1].net)[0] or not moved:
        raise ValueError("the title says that the first ones cost nothing and that the next one costs something")
    counted = f"{COUNTS[free].capitalize()} of {COUNTS[NEURONS]} neurons cost nothing"
    title = f"{counted}, a {ORDINALS[free]} moves outputs by {100 * moved / size:.0f} %"
    sub = (
        "Two inputs, eight ReLU neurons, two outputs: before pruning, without the neurons that can go exactly, and "
        "without one more, for which the weights of the others were fitted anew."
    )
    causes = "; ".join(
        f"neuron {j}: {cause}, {words}"
        for j in range(NEURONS)
        for cause, words in [evidence(layer, j)]
        if cause != "kept"
    )
    firsts = "; ".join(
        f"{panel.head}: {', '.join(written(value) or 'gone' for value in says_to_first_output(panel))}"
        for panel in shown
    )
    label = f"Three drawings of one network. {causes}. Weights into y0 by neuron, the bias last. {firsts}."
    return (Plate("ch08-pruning", title, sub, label, drawing),)
