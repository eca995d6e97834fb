"""The drawing of docs/pruning.md shows what a run of the code does: neurons, causes, weights and captions."""

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np

from npquant.compression.pruning.neurons.pruning import prune_neurons_with_report

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures"


def script() -> dict[str, Any]:
    """Return the names of the script; Matplotlib is loaded by `draw` alone."""
    return runpy.run_path(str(FIGURES / "pruning.py"))


def drawn(svg: str) -> set[str]:
    """Return the names of the neurons and weights in a drawing."""
    return set(re.findall(r'id="((?:before|exact|refitted)-[\w-]+)"', svg))


def facts(panels: Any) -> set[str]:
    """Return the names that the panels of a run should have."""
    found = set()
    for panel in panels:
        pairs = zip(panel.numbers, panel.causes, strict=True)
        found |= {f"{panel.name}-neuron-{number}-{cause}" for number, cause in pairs}
        for i, layer in enumerate(panel.net.layers):
            found |= {f"{panel.name}-edge-{i}-{k}-{n}" for k, n in np.argwhere(layer.w)}
        found |= {f"{panel.name}-end-{i}-{k}" for i in (0, 2) for k in (0, 1)}
    return found


def test_drawing_shows_the_run() -> None:
    """Every neuron, cause, weight and caption of the committed file is that of the run, and nothing is missing."""
    svg, panels = (FIGURES / "pruning.svg").read_text(encoding="utf-8"), script()["panels"]()
    assert drawn(svg) == facts(panels)
    for panel in panels:
        assert panel.caption in svg


def test_drawing_law_kills_another_cause() -> None:
    """A drawing that calls the redundant neuron unimportant is not that of the run."""
    svg, panels = (FIGURES / "pruning.svg").read_text(encoding="utf-8"), script()["panels"]()
    assert drawn(svg.replace("before-neuron-3-redundant", "before-neuron-3-unimportant")) != facts(panels)


def test_drawn_network_has_every_cause_and_loses_nothing_with_the_removable_ones() -> None:
    """The first rate removes zero, constant and redundant neurons bit for bit; the second one unimportant neuron."""
    names = script()
    net, x = names["network"](), names["rows"]()
    for rate, unimportant in zip(names["RATES"], (0, 1), strict=True):
        small, report = prune_neurons_with_report(net, x, rate)
        assert dict(report.counts) == {
            "zero": 2,
            "constant": 1,
            "redundant": 1,
            "unimportant": unimportant,
            "kept": 4 - unimportant,
        }
        assert np.array_equal(small.logits(x), net.logits(x)) == (unimportant == 0)
    before, exact, refitted = names["panels"]()
    assert [p.numbers for p in (exact, refitted)] == [(0, 1, 2, 7), (0, 1, 2)]
    assert dict(zip(before.numbers, before.causes, strict=True)) == {
        0: "kept",
        1: "kept",
        2: "kept",
        3: "redundant",
        4: "zero",
        5: "constant",
        6: "zero",
        7: "unimportant",
    }
