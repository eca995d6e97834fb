"""The drawing of chapter 8 shows what a run of the code does: neurons, causes, weights and numbers."""

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npquant.compression.pruning.neurons.pruning import prune_neurons_with_report

FIGURES = Path(__file__).parents[1] / "docs" / "figures"
CAUSES = ("kept", "kept", "kept", "unimportant", "redundant", "zero", "constant", "zero")
LINE = re.compile(
    r'<line x1="([\d.]+)" y1="([\d.]+)" x2="([\d.]+)" y2="([\d.]+)" class="none s-(\w+)" stroke-width="(\S+)"'
)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return the names of the script, which imports its neighbour plate.py."""
    monkeypatch.syspath_prepend(str(FIGURES))
    return runpy.run_path(str(FIGURES / "ch08_pruning.py"))


def drawn_weights(svg: str, script: dict[str, Any]) -> set[tuple[int, ...]]:
    """Return (panel, layer, from, to, a hundred times the weight) of every line between two neurons of a drawing."""
    at = {
        script["place"](panel, column, number): (panel, column, number)
        for panel in range(3)
        for column, count in ((0, 2), (1, 8), (2, 2))
        for number in range(count)
    }
    found: set[tuple[int, ...]] = set()
    for x, y, to_x, to_y, colour, width in LINE.findall(svg):
        start, end = at.get((float(x), float(y))), at.get((float(to_x), float(to_y)))
        if start and end:
            size = round(100 * (float(width) - 0.8))
            found.add((start[0], start[1], start[2], end[2], size if colour == "blue" else -size))
    return found


def run_weights(panels: Any) -> set[tuple[int, ...]]:
    """Return the same of the networks themselves."""
    found: set[tuple[int, ...]] = set()
    for at, panel in enumerate(panels):
        for i, layer in enumerate(panel.net.layers):
            for k, n in np.argwhere(layer.w):
                names = (int(k), panel.numbers[n]) if i == 0 else (panel.numbers[k], int(n))
                found.add((at, i, *names, int(np.sign(layer.w[k, n])) * round(100 * abs(float(layer.w[k, n])))))
    return found


def test_drawing_shows_every_weight(script: dict[str, Any]) -> None:
    """Each line of the committed file is a weight of the run, by sign and size, and none is missing."""
    svg = (FIGURES / "ch08-pruning.svg").read_text(encoding="utf-8")
    weights = run_weights(script["panels"]()[0])
    assert drawn_weights(svg, script) == weights and len(weights) > 40


def test_drawing_law_kills_another_sign_and_another_size(script: dict[str, Any]) -> None:
    """A weight drawn in the other colour, and one drawn too thick, are not those of the run."""
    svg, weights = (FIGURES / "ch08-pruning.svg").read_text(encoding="utf-8"), run_weights(script["panels"]()[0])
    for wrong in (
        svg.replace("none s-blue", "none s-orange", 1),
        svg.replace('stroke-width="1.8"', 'stroke-width="2"', 1),
    ):
        assert drawn_weights(wrong, script) != weights


def test_drawing_says_causes_and_changes(script: dict[str, Any]) -> None:
    """Cause and evidence of every neuron that goes, and what the outputs do, stand in the committed file."""
    svg = (FIGURES / "ch08-pruning.svg").read_text(encoding="utf-8")
    panels, layer = script["panels"]()
    words = [word for j in range(8) for word in script["evidence"](layer, j) if word not in ("kept", "")]
    words += [words for panel in panels for words in (panel.head, panel.below)]
    assert len(words) == 16 and not [word for word in words if f">{word}</text>" not in svg]


def test_drawn_network_has_every_cause_and_loses_nothing_with_the_removable_ones(script: dict[str, Any]) -> None:
    """The first rate removes zero, constant and redundant neurons bit for bit; the second one unimportant neuron."""
    net, x = script["network"](), script["rows"]()
    for rate, unimportant in zip(script["RATES"], (0, 1), strict=True):
        small, report = prune_neurons_with_report(net, x, rate)
        assert dict(report.counts) == {
            "zero": 2,
            "constant": 1,
            "redundant": 1,
            "unimportant": unimportant,
            "kept": 4 - unimportant,
        }
        assert np.array_equal(small.logits(x), net.logits(x)) == (unimportant == 0)
    panels, layer = script["panels"]()
    assert [panel.numbers for panel in panels[1:]] == [(0, 1, 2, 3), (0, 1, 2)]
    assert tuple(script["evidence"](layer, j)[0] for j in range(8)) == CAUSES


def test_refit_fills_no_zero(script: dict[str, Any]) -> None:
    """S10: where the last panel has a line, the one before it has that line."""
    exact, refitted = (run_weights([panel]) for panel in script["panels"]()[0][1:])
    assert {one[1:4] for one in refitted} < {one[1:4] for one in exact}
