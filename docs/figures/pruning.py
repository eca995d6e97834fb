"""Draw docs/figures/pruning.svg: a dozen neurons before pruning, without the removable ones, and without one more.

    python docs/figures/pruning.py

Everything drawn comes from runs of `prune_neurons_with_report`. Matplotlib is needed to draw, and for nothing else; the
same version writes the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npquant.compression.pruning.neurons.pruning import prune_neurons_with_report
from npquant.compression.pruning.neurons.report import PruningReport
from npquant.nn.model import DenseLayer, FloatMLP

SVG: Final = Path(__file__).with_name("pruning.svg")
# Four removable neurons go at the first rate, and one that is only unimportant at the second.
RATES: Final = (4 / 8, 5 / 8)
# Colours that the colour-blind tell apart (Okabe and Ito).
COLOURS: Final = MappingProxyType(
    {"kept": "#ffffff", "zero": "#bbbbbb", "constant": "#56b4e9", "redundant": "#e69f00", "unimportant": "#cc79a7"}
)


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One drawing: a network, the numbers its hidden neurons had before pruning, and what is written below."""

    name: str
    net: FloatMLP
    numbers: tuple[int, ...]
    causes: tuple[str, ...]
    caption: str


def rows() -> NDArray[np.float64]:
    """Return the points of a 5 x 5 grid: all the inputs there are."""
    grid = np.arange(-2.0, 3.0)
    return np.array([[p, q] for p in grid for q in grid])


def network() -> FloatMLP:
    """Return 2 inputs, 8 ReLU neurons and 2 outputs, all weights small integers or quarters."""
    w = np.array([[1, 0, 1, 2, -1, 0, 1, -1], [0, 1, -1, 0, -1, 0, 1, 1]], float)
    b = np.array([1, 0, 0, 2, -5, 3, 0, 0], float)
    v = np.array([[2, -1], [-2, 3], [1, -2], [1, 1], [3, 2], [1, -1], [0, 0], [0.25, 0.25]])
    return FloatMLP((DenseLayer(w, b, "relu"), DenseLayer(v, np.zeros(2), "identity")))


def cause_of(report: PruningReport, neuron: int) -> str:
    """Return the cause by which a hidden neuron goes, or "kept"."""
    return report.layers[0].why(neuron).split(":")[0]


def panels() -> tuple[Panel, ...]:
    """Prune, and say what there is to draw."""
    net, x = network(), rows()
    everybody = tuple(range(8))
    size = float(np.abs(net.logits(x)).max())
    runs = [prune_neurons_with_report(net, x, rate) for rate in RATES]
    causes = tuple(cause_of(runs[-1][1], j) for j in everybody)
    drawn = [Panel("before", net, everybody, causes, f"before: {net.macs} multiplications a row")]
    for name, (small, report) in zip(("exact", "refitted"), runs, strict=True):
        kept = tuple(int(j) for j in report.layers[0].kept)
        change = float(np.abs(small.logits(x) - net.logits(x)).max())
        moved = (
            "every output as before, bit for bit"
            if change == 0
            else f"outputs up to {size:.0f} move by {change:.2f} or less"
        )
        left = tuple("kept" if name == "refitted" else causes[j] for j in kept)
        drawn.append(Panel(name, small, kept, left, f"rate {report.rates[0]:g}: {small.macs}; {moved}"))
    return tuple(drawn)


def draw() -> None:
    """Write the SVG."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"svg.hashsalt": "npquant", "svg.fonttype": "none", "font.family": "sans-serif"})
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.6))
    for axis, panel in zip(axes, panels(), strict=True):
        _draw_panel(axis, panel)
    shown = [name for name in COLOURS if name != "kept"]
    marks = [plt.Line2D([], [], marker="o", ls="", ms=9, mfc=COLOURS[c], mec="#222222", label=c) for c in shown]
    figure.legend(handles=marks, loc="upper center", ncol=4, frameon=False)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.1, top=0.9, wspace=0.02)
    figure.savefig(SVG, metadata={"Date": None, "Creator": None})
    text = SVG.read_text(encoding="utf-8")
    SVG.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", encoding="utf-8")


def _draw_panel(axis: Any, panel: Panel) -> None:
    """Draw one network; a neuron stays at its height, so that what went leaves a gap."""
    heights = ([4.5, 2.5], [7.0 - j for j in panel.numbers], [4.5, 2.5])
    for i, layer in enumerate(panel.net.layers):
        for k, n in np.argwhere(layer.w):
            weight = float(layer.w[k, n])
            ends = (heights[i][k], heights[i + 1][n])
            style = {"lw": 0.4 + 0.7 * abs(weight), "color": "#0072b2" if weight > 0 else "#d55e00", "alpha": 0.6}
            axis.plot((i, i + 1), ends, zorder=1, gid=f"{panel.name}-edge-{i}-{k}-{n}", **style)
    for i, column in enumerate(heights):
        for k, height in enumerate(column):
            hidden = i == 1
            cause = panel.causes[k] if hidden else "kept"
            number = panel.numbers[k] if hidden else k
            gid = f"{panel.name}-neuron-{number}-{cause}" if hidden else f"{panel.name}-end-{i}-{k}"
            style = {"ms": 21, "mfc": COLOURS[cause], "mec": "#222222", "zorder": 2, "gid": gid}
            axis.plot(i, height, "o", **style)
            label = f"{number}" if hidden else "xy"[i // 2] + f"{k}"
            axis.text(i, height, label, ha="center", va="center", zorder=3, fontsize=10)
    axis.set(xlim=(-0.35, 2.35), ylim=(-0.8, 7.6))
    axis.axis("off")
    axis.text(1, -0.75, panel.caption, ha="center", va="top", fontsize=10)


if __name__ == "__main__":
    draw()
