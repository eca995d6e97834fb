"""Draw docs/figures/rectified-walk.svg and rectified-weights.svg: a pass along a neuron's inputs, and what it forgives.

    python docs/figures/rectified.py [folder [suffix]]

Every number comes from npquant on the bundled digits and network. Matplotlib is needed to draw, and for nothing else.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.compression.chain.integer_chain import LayerProblem, quantize_chain
from npquant.compression.chain.layer_codes import LayerCodes
from npquant.compression.chain.weight_codes import choose_weight_params, code_interval, weight_grid
from npquant.compression.rounding.rectified.activation_weights import activation_weights
from npquant.compression.rounding.rectified.layer import rectify_layer
from npquant.compression.rounding.rectified.layer_objective import LayerObjective, make_objective
from npquant.compression.rounding.rectified.network import error_weights
from npquant.compression.rounding.rectified.quadratic_form import make_form
from npquant.compression.rounding.rectified.rounding_path import coordinate_pass_plain
from npquant.data.datasets import load_optdigits
from npquant.data.split import split_70_15_15
from npquant.kernels.qparams import QuantParams
from npquant.nn.activations import activate
from npquant.workflow.float_model import bundled_network

Float64 = NDArray[np.float64]
Curves = dict[str, tuple[Float64, Float64]]

FOLDER: Final = Path(__file__).parent
BITS: Final = 2
ROWS: Final = 1000
# Colours that the colour-blind tell apart (Okabe and Ito).
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#666666"
RANGE: Final = (-2.0, 3.0)
NAMES: Final = ("clipped_relu", "sigmoid")
# How far errors reach on either side of z.
REACHES: Final = {"weight": 0.05, "far": 1.0}


def layer() -> LayerObjective:
    """Return the problem of the second hidden layer: its inputs are what the integer first layer delivers."""
    model, digits = bundled_network(), load_optdigits()
    rows = digits.x[split_70_15_15(digits.y, rng=0).train[:ROWS]]
    problems: list[LayerObjective] = []

    def rectify(given: LayerProblem) -> LayerCodes:
        d2 = error_weights(given, BITS)
        problems.append(make_objective(given.x, given.z, given.w, d2))
        found = rectify_layer(given.x, given.z, given.w, d2, BITS)
        return LayerCodes(found.q, QuantParams(found.s, 0, *code_interval(BITS, found.upper)), found.bias)

    quantize_chain(model, rows, rectify)
    return problems[1]


def stepwise(problem: LayerObjective, a: Float64, codes: Float64, s: Float64) -> Float64:
    """Return the error after each input, shape (K + 1, N): the codes before it are integers, those behind it real."""
    size = np.arange(len(a))[:, np.newaxis]
    phi = [problem.phi(s * np.where(size < k, codes, a)) for k in range(len(a) + 1)]
    return np.sqrt(np.array(phi) / problem.mass)


def walk_curves() -> tuple[Curves, int, int]:
    """Return what the first figure shows, its neuron, and the number of neurons.

    The neuron is the middle one of all, by how much smaller the error of the pass is than that of nearest rounding.
    """
    problem = layer()
    v = make_form(problem).refit()
    s = np.asarray(choose_weight_params(v, BITS, granularity="per_channel", weight_scale="auto").scale, np.float64)
    a = np.clip(v / s, *weight_grid(BITS))
    nearest = stepwise(problem, a, np.rint(a), s)
    walked = stepwise(problem, a, coordinate_pass_plain(problem, a, np.floor(a), np.ceil(a), s), s)
    off = (a - np.floor(a)) * (np.ceil(a) - a)  # f (1 - f), and 0 on the grid
    rise = np.vstack([np.zeros(len(s)), np.cumsum(s**2 * problem.hessian_diagonal() * off, axis=0)])
    bound = np.sqrt((problem.phi(s * a) + rise) / problem.mass)
    ratio = walked[-1] / nearest[-1]
    n = int(np.argsort(ratio, kind="stable")[len(ratio) // 2])
    final = rectify_layer(problem.x, problem.z, problem.w, problem.d2, BITS)
    inputs = np.arange(len(a) + 1.0)
    curves = {
        "walk-nearest": (inputs, nearest[:, n]),
        "walk-rectified": (inputs, walked[:, n]),
        "walk-bound": (inputs, bound[:, n]),
        "walk-final": (inputs[-1:], np.sqrt(final.phi[n : n + 1] / problem.mass[n : n + 1])),
    }
    return curves, n, len(ratio)


def weight_curves() -> Curves:
    """Return what the second figure shows: activations and weights of errors, and where a layer's values lie."""
    curves: Curves = {}
    for name, ends in zip(NAMES, (RANGE, (-6.0, 6.0)), strict=True):
        z = np.linspace(*ends, 241)
        curves[f"value-{name}"] = z, np.asarray(activate(name, z[:, np.newaxis]), np.float64)[:, 0]
        for kind, reach in REACHES.items():
            curves[f"{kind}-{name}"] = z, activation_weights(name, z[np.newaxis], reach)[0]
    edges = np.linspace(*RANGE, 51)
    problem = layer()
    counts, _ = np.histogram(np.clip(problem.z + problem.z_mean, *RANGE), edges)
    curves["seen-clipped_relu"] = edges, np.append(counts / counts.max(), 0.0)
    return curves


def draw(folder: Path = FOLDER, suffix: str = "svg") -> None:
    """Write both figures."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"svg.hashsalt": "npquant", "svg.fonttype": "none", "path.simplify": False, "font.size": 11})
    plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
    for name, figure in (("walk", _draw_walk(plt)), ("weights", _draw_weights(plt))):
        path = folder / f"rectified-{name}.{suffix}"
        figure.savefig(path, metadata={"Date": None, "Creator": None} if suffix == "svg" else None, dpi=90)
        if suffix == "svg":
            text = path.read_text(encoding="utf-8")
            path.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", encoding="utf-8")


def _draw_walk(plt: Any) -> Any:
    """Draw the error of one neuron as its weights become integers, one after another."""
    curves, neuron, _ = walk_curves()
    figure, axis = plt.subplots(figsize=(8, 4.4), layout="constrained")
    style = {
        "walk-bound": ("--", GREY, "bound (E13): known beforehand"),
        "walk-nearest": ("-", ORANGE, "every weight to nearest"),
        "walk-rectified": ("-", BLUE, "rectified: each weight down or up, against the error carried"),
    }
    for gid, (dashes, colour, label) in style.items():
        axis.plot(*curves[gid], dashes, color=colour, lw=2, label=label, gid=gid)
    axis.plot(*curves["walk-final"], "o", color=GREEN, ms=9, label="after later passes and scales", gid="walk-final")
    inputs, bound = curves["walk-bound"]
    axis.set(xlabel="inputs whose weights are integers by now", xlim=(0, len(inputs)), ylim=(0, 1.4 * bound[-1]))
    axis.set_ylabel("root mean square error\nof the pre-activation, weighted")
    axis.set_title(f"The error that neuron {neuron} carries along its inputs ({BITS} bits)", loc="left")
    axis.legend(frameon=False, loc="upper left")
    return figure


def _draw_weights(plt: Any) -> Any:
    """Draw activations above the weights that they give to errors."""
    curves = weight_curves()
    figure, axes = plt.subplots(2, 2, figsize=(9, 5), sharex="col", sharey="row", layout="constrained")
    for column, name in zip(axes.T, NAMES, strict=True):
        column[0].plot(*curves[f"value-{name}"], color=GREY, lw=2, gid=f"value-{name}")
        column[0].set_title(name.replace("_relu", " ReLU").replace("sig", "Sig").replace("cli", "Cli"), loc="left")
        column[1].plot(*curves[f"weight-{name}"], color=BLUE, lw=2, gid=f"weight-{name}")
        column[1].plot(*curves[f"far-{name}"], "--", color=GREEN, lw=2, gid=f"far-{name}")
        column[1].set(xlabel="pre-activation z", ylim=(0, 1.05))
    edges, seen = curves["seen-clipped_relu"]
    axes[1, 0].step(edges, seen, where="post", color=ORANGE, lw=1.2, gid="seen-clipped_relu")
    axes[1, 0].fill_between(edges, seen, step="post", color=ORANGE, alpha=0.25, lw=0)
    axes[1, 0].text(-1.95, 0.76, "where the\nvalues of a\nlayer lie", color=ORANGE, fontsize=10)
    axes[1, 0].text(1.25, 0.9, f"weight e: errors reach {REACHES['weight']}", color=BLUE, fontsize=10)
    axes[1, 0].text(1.75, 0.4, f"errors reach {REACHES['far']:g}", color=GREEN, fontsize=10)
    axes[1, 1].text(2.9, 0.1, "saturated: 1/100", color=BLUE, fontsize=10)
    axes[0, 0].set_ylabel("output")
    axes[1, 0].set_ylabel("what an error counts")
    return figure


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER, "png" if len(sys.argv) > 2 else "svg")
