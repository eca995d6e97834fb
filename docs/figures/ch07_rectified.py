"""Chapter 7: the error that a neuron carries along its inputs, and what an error counts where an activation is flat.

Everything comes from the bundled network in float64: its second layer at 2 bits, behind an integer first one.

Legend: a curve is two arrays, positions and values; problem, a, s, d2 as in `npquant.compression.rounding.rectified`.
"""

from __future__ import annotations

from itertools import pairwise
from types import MappingProxyType
from typing import Final

import numpy as np
from label_heights import spread
from numpy.typing import NDArray
from plate import WIDTH, Plate

from npquant.compression.chain.integer_chain import LayerProblem, quantize_chain
from npquant.compression.chain.layer_codes import LayerCodes
from npquant.compression.chain.weight_codes import choose_weight_params, code_interval, weight_grid
from npquant.compression.rounding.rectified.activation_weights import activation_weights
from npquant.compression.rounding.rectified.layer import rectify_layer
from npquant.compression.rounding.rectified.layer_objective import LayerObjective, make_objective
from npquant.compression.rounding.rectified.network import error_reach, error_weights
from npquant.compression.rounding.rectified.quadratic_form import make_form
from npquant.compression.rounding.rectified.rounding_path import coordinate_pass_plain, expected_rise
from npquant.data.datasets import load_optdigits
from npquant.data.split import split_70_15_15
from npquant.kernels.qparams import QuantParams
from npquant.measure.evaluate import in_float64
from npquant.nn.activations import activate
from npquant.report.page.svg import Drawing, number
from npquant.report.page.ticks import round_ticks
from npquant.workflow.float_model import bundled_network

Float64 = NDArray[np.float64]
Curves = dict[str, tuple[Float64, Float64]]

BITS: Final = 2
WIDE_BITS: Final = 8
ROWS: Final = 1000
# Name of an activation, how a reader knows it, and between which pre-activations it is drawn.
ACTIVATIONS: Final = MappingProxyType(
    {"clipped_relu": ("Clipped ReLU", (-2.0, 4.0), 1), "sigmoid": ("Sigmoid", (-6.0, 6.0), 3)}
)
LEFT, RIGHT, TOP, BOTTOM = 40, 520, 34, 330
PANEL: Final = (12, 396)
PANEL_WIDTH: Final = 312
ABOVE: Final = (62, 132)
BELOW: Final = (196, 300)


def second_layer() -> tuple[LayerObjective, dict[int, float]]:
    """Return the problem of the second hidden layer, and how far its errors reach by bits (E35), the median neuron.

    Its inputs are what the integer first layer delivers.
    """
    digits = load_optdigits()
    rows = digits.x[split_70_15_15(digits.y, rng=0).train[:ROWS]].astype(np.float64)
    problems: list[LayerObjective] = []
    reaches: list[dict[int, float]] = []

    def rectify(given: LayerProblem) -> LayerCodes:
        d2 = error_weights(given, BITS)
        problems.append(make_objective(given.x, given.z, given.w, d2))
        reaches.append({bits: float(np.median(error_reach(given, bits))) for bits in (BITS, WIDE_BITS)})
        found = rectify_layer(given.x, given.z, given.w, d2, BITS)
        return LayerCodes(found.q, QuantParams(found.s, 0, *code_interval(BITS, found.upper)), found.bias)

    quantize_chain(in_float64(bundled_network()), rows, rectify)
    return problems[1], reaches[1]


def stepwise(problem: LayerObjective, a: Float64, codes: Float64, s: Float64) -> Float64:
    """Return the error after each input, shape (K + 1, N): the codes before it are integers, those behind it real."""
    size = np.arange(len(a))[:, np.newaxis]
    phi = [problem.phi(s * np.where(size < k, codes, a)) for k in range(len(a) + 1)]
    return np.sqrt(np.array(phi) / problem.mass)


def walk_curves(problem: LayerObjective) -> tuple[Curves, int]:
    """Return what the first figure shows, and the number of neurons.

    The neuron is the middle one of all, by how much smaller the error of the pass is than that of nearest rounding.
    """
    v = make_form(problem).refit()
    s = np.asarray(choose_weight_params(v, BITS, granularity="per_channel", weight_scale="auto").scale, np.float64)
    a = np.clip(v / s, *weight_grid(BITS))
    nearest = stepwise(problem, a, np.rint(a), s)
    walked = stepwise(problem, a, coordinate_pass_plain(problem, a, np.floor(a), np.ceil(a), s), s)
    h = problem.hessian_diagonal()
    rise = np.array([expected_rise(a[:k], s, h[:k]) for k in range(len(a) + 1)])
    bound = np.sqrt((problem.phi(s * a) + rise) / problem.mass)
    ratio = walked[-1] / nearest[-1]
    n = int(np.argsort(ratio, kind="stable")[len(ratio) // 2])
    final = rectify_layer(problem.x, problem.z, problem.w, problem.d2, BITS)
    inputs = np.arange(len(a) + 1.0)
    curves = {
        "bound": (inputs, bound[:, n]),
        "nearest": (inputs, nearest[:, n]),
        "rectified": (inputs, walked[:, n]),
        "final": (inputs[-1:], np.sqrt(final.phi[n : n + 1] / problem.mass[n : n + 1])),
    }
    return curves, len(ratio)


def saturation_curves(problem: LayerObjective, reaches: dict[int, float]) -> Curves:
    """Return what the second figure shows: activations, what errors count for, and where a layer's sums lie."""
    curves: Curves = {}
    for name, (_, ends, _) in ACTIVATIONS.items():
        z = np.linspace(*ends, 121)
        curves[f"value-{name}"] = z, np.asarray(activate(name, z[:, np.newaxis]), np.float64)[:, 0]
        for bits, reach in reaches.items():
            curves[f"{bits}-bits-{name}"] = z, activation_weights(name, z[np.newaxis], reach)[0]
    low, high = ACTIVATIONS["clipped_relu"][1]
    edges = np.linspace(low, high, 51)
    counts, _ = np.histogram(np.clip(problem.z + problem.z_mean, low, high), edges)
    curves["seen"] = edges, np.append(0.9 * counts / counts.max(), 0.0)
    return curves


def walk_title(curves: Curves) -> str:
    """Say what the lines do: nearest rounding drifts where it ends a tenth above its start; the walk stays below it."""
    start, nearest, walked = curves["nearest"][1][0], curves["nearest"][1][-1], curves["rectified"][1][-1]
    if nearest > 1.1 * start and walked <= start:
        return "Nearest drifts, rectified does not"
    if walked < nearest:
        return f"Rounded to nearest the error ends at {nearest:.2f}, rectified at {walked:.2f}"
    return f"On this neuron nearest rounding is no worse: {nearest:.2f} beside {walked:.2f}"


def walk_place(inputs: int, most: float, k: float, value: float) -> tuple[float, float]:
    """Return where an error after k of so many inputs stands, the upper end of the axis being `most`."""
    return LEFT + (RIGHT - LEFT) * k / inputs, BOTTOM - (BOTTOM - TOP) * value / most


def walk(problem: LayerObjective) -> Plate:
    """Draw the first figure."""
    curves, neurons = walk_curves(problem)
    inputs = len(curves["bound"][0]) - 1
    ticks = round_ticks(0, 1.05 * curves["bound"][1].max(), 6)
    most = ticks[-1] + ticks[1]
    drawing = Drawing(WIDTH, BOTTOM + 56)
    drawing.text(
        0, 12, "error of the neuron's sum: root mean square, each row by what it counts (E1)", 13, "ink", bold=True
    )
    for tick in ticks:
        y = walk_place(inputs, most, 0, tick)[1]
        drawing.line(LEFT, y, RIGHT, y, "grid" if tick else "rule")
        drawing.text(LEFT - 8, y + 4, f"{tick:g}", 11, anchor="e")
    for k in range(0, inputs + 1, inputs // 4):
        drawing.text(walk_place(inputs, most, k, 0)[0], BOTTOM + 18, str(k), 11, anchor="m")
    drawing.text((LEFT + RIGHT) / 2, BOTTOM + 42, "inputs whose weights are integers by now", 13, anchor="m")
    lines = (
        ("bound", "blue", 1.5, "5 4", "bound of the rectified line", "known before the walk (E13)"),
        ("nearest", "orange", 2.4, "", "each weight to nearest", "errors add up as they come"),
        ("rectified", "blue", 2.8, "", "rectified", "each weight answers to the error"),
        ("final", "teal", 0, "", "at the end", "other scales, pairs of codes"),
    )
    points = {
        name: [walk_place(inputs, most, k, value) for k, value in zip(*curve, strict=True)]
        for name, curve in curves.items()
    }
    heights = spread([points[name][-1][1] for name, *_ in lines], 42)
    for (name, colour, width, dash, words, below), y in zip(lines, heights, strict=True):
        end, value = points[name][-1], curves[name][1][-1]
        if width:
            drawing.path("M" + "L".join(f"{number(x)} {number(at)}" for x, at in points[name]), "", colour, width, dash)
        else:
            drawing.circle(*end, 5, colour, "bg")
        if abs(y - end[1]) > 4:
            drawing.line(end[0] + 5, end[1], end[0] + 14, y, colour)
        drawing.text(RIGHT + 18, y - 1, f"{value:.2f} {words}", 13, colour, bold=name != "bound")
        drawing.text(RIGHT + 18, y + 16, below, 12, "ink2")
    start = curves["rectified"][1][0]
    lowest = max(y for name in ("rectified", "nearest") for _, y in points[name])
    drawing.text(
        LEFT + 6, lowest + 22, f"{start:.2f} at the start: real weights within the grid", 12, "ink2", halo=True
    )
    told = "; ".join(f"{name} ends at {curve[1][-1]:.2f}" for name, curve in curves.items())
    chosen = f"the middle of {neurons} by gain"
    sub = f"One neuron of the second layer ({chosen}), {BITS}-bit weights, its {inputs} inputs in turn."
    label = f"Error along {inputs} inputs from {start:.2f}: {told}. The rectified line stays below its bound."
    return Plate("ch07-walk", walk_title(curves), sub, label, drawing)


def saturation_place(panel: int, name: str, ends: tuple[int, int], z: float, value: float) -> tuple[float, float]:
    """Return where a value in [0, 1] at a pre-activation stands, between the heights `ends` of a panel."""
    low, high = ACTIVATIONS[name][1]
    return PANEL[panel] + PANEL_WIDTH * (z - low) / (high - low), ends[1] - (ends[1] - ends[0]) * value


def _curve(panel: int, name: str, ends: tuple[int, int], curve: tuple[Float64, Float64]) -> str:
    points = [saturation_place(panel, name, ends, z, value) for z, value in zip(*curve, strict=True)]
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)


def _sums(drawing: Drawing, edges: Float64, seen: Float64) -> None:
    """Fill where the sums of the layer lie, behind what is drawn after it."""
    bottom = number(BELOW[1])
    corners = [saturation_place(0, "clipped_relu", BELOW, z, value) for z, value in zip(edges, seen, strict=True)]
    steps = "".join(f"V{number(y)}H{number(x)}" for (_, y), (x, _) in pairwise(corners))
    drawing.path(f"M{number(corners[0][0])} {bottom}{steps}V{bottom}Z", "greyf")


def saturation(problem: LayerObjective, reaches: dict[int, float]) -> Plate:
    """Draw the second figure."""
    curves = saturation_curves(problem, reaches)
    drawing = Drawing(WIDTH, BELOW[1] + 62)
    _sums(drawing, *curves["seen"])
    least = float(curves[f"{BITS}-bits-clipped_relu"][1].min())
    for panel, (name, (called, (low, high), step)) in enumerate(ACTIVATIONS.items()):
        left, right = PANEL[panel], PANEL[panel] + PANEL_WIDTH
        drawing.text(left, 14, called, 14, "ink", bold=True)
        drawing.text(left, ABOVE[0] - 14, "output", 13)
        drawing.text(left, BELOW[0] - 14, "what a squared error of the sum counts", 13)
        for y, stroke in ((ABOVE[0], "grid"), (ABOVE[1], "rule"), (BELOW[0], "grid"), (BELOW[1], "rule")):
            drawing.line(left, y, right, y, stroke)
        for y, one in ((ABOVE[0], "1"), (ABOVE[1], "0"), (BELOW[0], "1"), (BELOW[1], "0")):
            drawing.text(right + 8, y + 4, one, 11)
        drawing.path(_curve(panel, name, ABOVE, curves[f"value-{name}"]), "", "ink2", 2.2)
        drawing.path(_curve(panel, name, BELOW, curves[f"{WIDE_BITS}-bits-{name}"]), "", "ink2", 1.5, "5 4")
        drawing.path(_curve(panel, name, BELOW, curves[f"{BITS}-bits-{name}"]), "", "blue", 2.8)
        for z in range(int(low), int(high) + 1, step):
            x = saturation_place(panel, name, BELOW, z, 0)[0]
            drawing.text(x, BELOW[1] + 18, str(z).replace("-", "−"), 11, anchor="m")
        drawing.text((left + right) / 2, BELOW[1] + 42, "sum of the neuron, before its activation", 13, anchor="m")
    x = saturation_place(0, "clipped_relu", BELOW, 2.0, 0)[0]
    for y, bits, fill in ((18, BITS, "blue"), (56, WIDE_BITS, "ink2")):
        bold = bits == BITS
        drawing.text(x, BELOW[0] + y, f"{bits} bits: errors", 12, fill, bold=bold, halo=True)
        drawing.text(x, BELOW[0] + y + 15, f"reach {reaches[bits]:.2f}", 12, fill, bold=bold, halo=True)
    drawing.text(PANEL[0], BELOW[0] + 18, "grey: where this", 12, "ink2", halo=True)
    drawing.text(PANEL[0], BELOW[0] + 34, "layer's sums lie", 12, "ink2", halo=True)
    z = problem.z + problem.z_mean
    flat = float(((z < 0) | (z > 1)).mean())
    if least > 0.1 or reaches[BITS] <= reaches[WIDE_BITS]:
        raise ValueError("the title says that errors out of reach of the slope count little, and at few bits reach far")
    sub = (
        f"What a squared error counts (E1): the mean of the squared derivative within its reach. In the second layer "
        f"of the digits network {100 * flat:.0f} % of the sums lie where the clipped ReLU is flat."
    )
    told = ", ".join(f"at {bits} bits errors reach {reach:.2f}" for bits, reach in reaches.items())
    label = (
        f"Above: clipped ReLU and sigmoid. Below: what a squared error of the sum counts, 1/{1 / least:.0f} far out; "
        f"{told}. A histogram of the layer's sums, {100 * flat:.0f} % of them outside 0 to 1."
    )
    return Plate("ch07-saturation", "Errors that cannot reach the slope are forgiven", sub, label, drawing)


def plates() -> tuple[Plate, ...]:
    """Draw both figures of the chapter."""
    problem, reaches = second_layer()
    return walk(problem), saturation(problem, reaches)
