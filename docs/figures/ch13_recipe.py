"""Chapter 13: each mistake of the recipe alone, in a network of the bundled digits that is right without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from plate import WIDTH, Plate

from npquant import DenseLayer, FloatMLP, quantize_rectified, quantize_uniform
from npquant.compression.pruning.neurons.allocation import share_of_layer
from npquant.data.sets import Sets, load_sets
from npquant.measure.evaluate import in_float64
from npquant.report.page.svg import Drawing
from npquant.workflow.float_model import bundled_network

RATE = 0.3  # of the hidden neurons
GROUPS = {1: "Scales", 5: "Rounding", 9: "Before and after", 10: "Pruning, and rectified rounding"}
BAR, ROWS_WIDE, CALL = 276, 196, 534  # where bars begin, how long all rows are, where the calls stand


@dataclass(frozen=True)
class Mistake:
    """Hold one row: rows right with the mistake (None: no number comes out), rows right without it."""

    what: str
    right: int | None
    without: int
    call: str

    @property
    def silent(self) -> bool:
        """Whether no row is lost."""
        return self.right is not None and self.right >= self.without


def step(w: Any) -> Any:
    """The symmetric scale of 8 bits, one an output."""
    return np.abs(w).max(axis=0) / 127


def codes(w: Any, scale: Any) -> Any:
    """Codes to nearest, saturated."""
    return np.clip(np.rint(w / scale), -127, 127)


def rounded(layer: DenseLayer) -> DenseLayer:
    """Round a layer's weights to 8 bits, without a mistake."""
    return replace(layer, w=codes(layer.w, step(layer.w)) * step(layer.w))


def smallest_magnitude(layer: DenseLayer) -> DenseLayer:
    """Mistake 2."""
    # A weight of 0 gives a scale of 0; the smallest float32 stands for it.
    scale = np.maximum(np.abs(layer.w).min(axis=0) / 127, 2.0**-126)
    return replace(layer, w=codes(layer.w, scale) * scale)


def flipped(layer: DenseLayer) -> DenseLayer:
    """Mistake 3."""
    return replace(layer, w=rounded(layer).w * np.where(np.arange(layer.w.shape[1]) % 2, -1, 1))


def cast(layer: DenseLayer) -> DenseLayer:
    """Mistake 5."""
    return replace(layer, w=np.trunc(layer.w / step(layer.w)) * step(layer.w))


def bias_of_last(layer: DenseLayer, s_x: float) -> DenseLayer:
    """Mistake 6."""
    scale = step(layer.w)
    return replace(layer, w=rounded(layer).w, b=np.rint(layer.b / scale[-1]) * s_x * scale)


def no_units(layer: DenseLayer) -> DenseLayer:
    """Mistake 7: codes go on as they are."""
    return replace(layer, w=codes(layer.w, step(layer.w)), b=np.rint(layer.b / step(layer.w)))


def least(w: Any) -> Any:
    """The neurons that a share takes, least important first."""
    return np.argsort(np.abs(w).sum(axis=0), kind="stable")[: share_of_layer(w.shape[1], RATE)]


def first(w: Any) -> Any:
    """Mistake 10."""
    return np.arange(share_of_layer(w.shape[1], RATE))


def pruned(layers: list[DenseLayer], pick: Callable[[Any], Any]) -> list[DenseLayer]:
    """Take neurons out of each hidden layer."""
    for i in range(len(layers) - 1):
        gone = pick(layers[i].w)
        here, behind = layers[i], layers[i + 1]
        layers[i] = replace(here, w=np.delete(here.w, gone, axis=1), b=np.delete(here.b, gone))
        layers[i + 1] = replace(behind, w=np.delete(behind.w, gone, axis=0))
    return layers


def inputs_for_outputs(layers: list[DenseLayer]) -> list[DenseLayer]:
    """Mistake 13: weights of the inputs at those positions become 0."""
    for i, layer in enumerate(layers[:-1]):
        w = layer.w.copy()
        w[least(w)] = 0
        layers[i] = replace(layer, w=w)
    return layers


def mistakes(sets: Sets) -> list[Mistake]:
    """Count for each mistake; what does not change the numbers has the count of the network without it."""
    floating, (x, y) = in_float64(bundled_network()), sets.validation

    def right(layers: Any) -> int:
        return int((FloatMLP(tuple(layers)).predict(x) == y).sum())

    layers = floating.layers
    plain = right(map(rounded, layers))
    smaller = right(pruned([*map(rounded, layers)], least))
    bits2 = [
        int((method(floating, sets.x_calibration, 2).predict(x) == y).sum())
        for method in (quantize_uniform, quantize_rectified)
    ]
    biases = [bias_of_last(layer, s_x) for layer, s_x in zip(layers, (1, 1 / 255, 1 / 255), strict=True)]
    row = partial(Mistake, without=plain)
    return [
        row("a value over a position", None, call="QuantParams"),
        row("the largest weight is not used", right(map(smallest_magnitude, layers)), call="sqnr_db"),
        row("every second sign turned", right(map(flipped, layers)), call="QuantParams"),
        row("scales zipped with inputs", None, call="linear"),
        row("a cast in place of rounding", right(map(cast, layers)), call='check("quantize")'),
        row("one channel's scale for all biases", right(biases), call="identify"),
        row("no scale of input and output", right(map(no_units, layers)), call="linear"),
        row("integers in float parameters", plain, call="linear"),
        Mistake("quantize is never called", right(layers), right(layers), "compare"),
        Mistake(
            "a ranking of ones", right(pruned([*map(rounded, layers)], first)), smaller, 'check("least_important")'
        ),
        Mistake("a higher rate removes less", plain, smaller, 'check("pruned_count")'),
        Mistake("zeros go into a copy", plain, smaller, "nonzero_weights"),
        Mistake("inputs taken for outputs", right(inputs_for_outputs([*map(rounded, layers)])), smaller, "DenseLayer"),
        Mistake("the text has it the wrong way round", smaller, smaller, "NothingPrunedWarning"),
        Mistake("masked neurons stay", smaller, smaller, "prune_neurons_with_report"),
        Mistake("rectified rounding is missing", bits2[0], bits2[1], "layer_sqnr"),
    ]


def draw_row(drawing: Drawing, y: float, number: int, found: Mistake, rows: int) -> None:
    """Draw one mistake: its bar, a tick where the network without it ends, and the call that catches it."""
    drawing.text(22, y + 13, str(number), 13, "mut", anchor="e")
    drawing.text(32, y + 13, found.what, 13, "ink2")
    end = BAR + ROWS_WIDE * (found.right or 0) / rows
    drawing.rect(BAR, y, end - BAR, 18, "greyf" if found.silent else "orange")
    tick = BAR + ROWS_WIDE * found.without / rows
    drawing.line(tick, y - 3, tick, y + 21, "ink", 2)
    if found.right is None:
        drawing.text(BAR + 8, y + 13, "no number comes out", 12, "orange", bold=True)
    else:
        drawing.text(BAR + ROWS_WIDE + 14, y + 13, str(found.right), 13, "mut" if found.silent else "orange", bold=True)
    drawing.text(CALL, y + 13, found.call, 12, "blue", mono=True)


def plates() -> tuple[Plate, ...]:
    """Draw the sixteen."""
    sets = load_sets(None, seed=0)
    found, rows = mistakes(sets), len(sets.validation[1])
    silent = sum(one.silent for one in found)
    assert silent == 8 and sum(one.right is None for one in found) == 2
    drawing = Drawing(WIDTH, 16 + 16 * 28 + 4 * 28 + 32)
    for x, words in ((BAR, f"rows right, of {rows}"), (CALL, "what catches it")):
        drawing.text(x, 12, words, 13, "ink", bold=True)
    y = 4.0
    for number, one in enumerate(found, 1):
        if number in GROUPS:
            drawing.text(0, y + 20 - 12 * (number == 1), GROUPS[number], 13, "ink", bold=True)
            y += 28 - 8 * (number == 1)
        draw_row(drawing, y, number, one, rows)
        y += 28
    drawing.text(BAR, y + 16, "upright mark: the same network without the mistake", 12, "mut")
    listed = "; ".join(
        f"{n} {one.what}: {'no number' if one.right is None else one.right} of {rows}, {one.without} without it"
        for n, one in enumerate(found, 1)
    )
    return (
        Plate(
            "ch13-recipe",
            "Eight of sixteen mistakes cost no digit: only a check sees them",
            "Each mistake alone, in the bundled network at 8 bits (the last at 2): validation rows still right.",
            f"Sixteen bars: rows right with one mistake. {listed}.",
            drawing,
        ),
    )
