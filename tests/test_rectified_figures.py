"""The drawings of docs/rectified.md show what a run of the code gives: every curve is its numbers."""

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
FIGURES = Path(__file__).parents[1] / "docs" / "figures"
PANELS = {
    "walk": [("walk-bound", "walk-nearest", "walk-rectified", "walk-final")],
    "weights": [
        ("value-clipped_relu",),
        ("value-sigmoid",),
        ("weight-clipped_relu", "far-clipped_relu"),
        ("weight-sigmoid", "far-sigmoid"),
    ],
}


@pytest.fixture(scope="module")
def curves() -> dict[str, tuple[Float64, Float64]]:
    """Compute the numbers anew; Matplotlib is loaded by `draw` alone."""
    script: dict[str, Any] = runpy.run_path(str(FIGURES / "rectified.py"))
    return {**script["walk_curves"]()[0], **script["weight_curves"]()}


def drawn(svg: str, name: str) -> Float64:
    """Return the points of a curve in a drawing, pixels, shape (P, 2): of its path, or of its one marker."""
    group = re.search(rf'<g id="{name}">(.*?)</g>\s*(?:</g>|<g id)', svg, re.DOTALL)
    assert group, name
    marker = re.search(r'<use [^>]*x="([\d.]+)" y="([\d.]+)"', group[1])
    if marker:
        return np.array([[float(marker[1]), float(marker[2])]])
    path = re.search(r'<path d="([^"]*)"', group[1])
    assert path, name
    return np.array([[float(v) for v in pair] for pair in re.findall(r"[ML] ([\d.-]+) ([\d.-]+)", path[1])])


def law_drawing_shows_the_numbers(svg: str, names: tuple[str, ...], curves: dict[str, tuple[Float64, Float64]]) -> None:
    """One scale an axis takes all curves of a panel to their pixels, which are printed to 1e-6."""
    pixels = np.vstack([drawn(svg, name) for name in names])
    numbers = np.vstack([np.stack(curves[name], axis=1) for name in names])
    assert pixels.shape == numbers.shape
    for axis in (0, 1):
        slope, offset = np.polyfit(numbers[:, axis], pixels[:, axis], 1)
        assert np.abs(slope * numbers[:, axis] + offset - pixels[:, axis]).max() < 0.01
        assert abs(slope) > 1


@pytest.mark.parametrize(("figure", "panel"), [(figure, panel) for figure in PANELS for panel in PANELS[figure]])
def test_drawing_shows_the_numbers(
    figure: str, panel: tuple[str, ...], curves: dict[str, tuple[Float64, Float64]]
) -> None:
    """The committed file is what the script would draw."""
    svg = (FIGURES / f"rectified-{figure}.svg").read_text(encoding="utf-8")
    law_drawing_shows_the_numbers(svg, panel, curves)


def test_drawing_shows_where_values_lie(curves: dict[str, tuple[Float64, Float64]]) -> None:
    """The steps of the histogram have the heights of its shares."""
    svg = (FIGURES / "rectified-weights.svg").read_text(encoding="utf-8")
    height = np.unique(drawn(svg, "seen-clipped_relu")[:, 1].round(3))
    want = np.unique((curves["seen-clipped_relu"][1]).round(9))[::-1]
    slope, offset = np.polyfit(want, height, 1)
    assert len(height) == len(want) and np.abs(slope * want + offset - height).max() < 0.01


def test_drawing_law_kills(curves: dict[str, tuple[Float64, Float64]]) -> None:
    """A curve that is one part in a hundred higher, and one drawn under another's name, are caught."""
    svg, names = (FIGURES / "rectified-walk.svg").read_text(encoding="utf-8"), PANELS["walk"][0]
    x, y = curves["walk-rectified"]
    for wrong in ((x, y * 1.01), curves["walk-nearest"]):
        with pytest.raises(AssertionError):
            law_drawing_shows_the_numbers(svg, names, {**curves, "walk-rectified": wrong})


def test_drawing_tells_what_the_page_says(curves: dict[str, tuple[Float64, Float64]]) -> None:
    """The walk stays within its bound at every input, and ends below nearest rounding; later walks end lower still."""
    bound, nearest, walked = (curves[f"walk-{name}"][1] for name in ("bound", "nearest", "rectified"))
    assert (walked <= bound).all() and walked[-1] < nearest[-1]
    assert curves["walk-final"][1][0] <= walked[-1]
