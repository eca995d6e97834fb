"""The drawings of chapter 7 show what a run of the code gives: every curve is its numbers."""

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Curves = dict[str, tuple[Float64, Float64]]
FIGURES = Path(__file__).parents[1] / "docs" / "figures"
# Curves that share their axes, each by what it is drawn with; of several paths drawn alike, its place among them.
WALK = {
    "bound": ('s-blue" stroke-width="1.5" stroke-dasharray', 0),
    "nearest": ('s-orange" stroke-width="2.4"', 0),
    "rectified": ('s-blue" stroke-width="2.8"', 0),
}
PANELS = {
    "ch07-walk": [WALK],
    "ch07-saturation": [
        {"value-clipped_relu": ('s-ink2" stroke-width="2.2"', 0)},
        {"value-sigmoid": ('s-ink2" stroke-width="2.2"', 1)},
        {
            "2-bits-clipped_relu": ('s-blue" stroke-width="2.8"', 0),
            "8-bits-clipped_relu": ('s-ink2" stroke-width="1.5" stroke-dasharray', 0),
        },
        {
            "2-bits-sigmoid": ('s-blue" stroke-width="2.8"', 1),
            "8-bits-sigmoid": ('s-ink2" stroke-width="1.5" stroke-dasharray', 1),
        },
    ],
}


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    """Return the names of the script, which imports its neighbours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FIGURES))
        return runpy.run_path(str(FIGURES / "ch07_rectified.py"))


@pytest.fixture(scope="module")
def curves(script: dict[str, Any]) -> Curves:
    """Compute the numbers anew."""
    problem, reaches = script["second_layer"]()
    return {**script["walk_curves"](problem)[0], **script["saturation_curves"](problem, reaches)}


def drawn(svg: str, paint: str, place: int) -> Float64:
    """Return the points of a curve in a drawing, pixels, shape (P, 2)."""
    path = re.findall(rf'<path d="M([^"]*)" class="none {re.escape(paint)}', svg)[place]
    return np.array([[float(v) for v in pair.split()] for pair in path.split("L")])


def root_mean_square(errors: Float64) -> float:
    return float(np.sqrt(np.square(errors).mean()))


def law_drawing_shows_the_numbers(svg: str, panel: dict[str, tuple[str, int]], curves: Curves) -> None:
    """One scale an axis takes all curves of a panel to their pixels.

    A file has one decimal: a pixel is 0.05 off at most, so the root mean square is 0.05 at most at the true scale, and
    at the one of least squares no more than that.
    """
    pixels = np.vstack([drawn(svg, *panel[name]) for name in panel])
    numbers = np.vstack([np.stack(curves[name], axis=1) for name in panel])
    assert pixels.shape == numbers.shape
    for axis in (0, 1):
        slope, offset = np.polyfit(numbers[:, axis], pixels[:, axis], 1)
        assert root_mean_square(slope * numbers[:, axis] + offset - pixels[:, axis]) <= 0.05
        assert abs(slope) > 1


@pytest.mark.parametrize(("figure", "panel"), [(figure, panel) for figure in PANELS for panel in PANELS[figure]])
def test_drawing_shows_the_numbers(figure: str, panel: dict[str, tuple[str, int]], curves: Curves) -> None:
    """The committed file is what the script would draw."""
    law_drawing_shows_the_numbers((FIGURES / f"{figure}.svg").read_text(encoding="utf-8"), panel, curves)


def test_drawing_shows_where_sums_lie(curves: Curves) -> None:
    """The steps of the histogram have the heights of its shares: one scale takes each to its pixel."""
    svg = (FIGURES / "ch07-saturation.svg").read_text(encoding="utf-8")
    steps = re.search(r'<path d="M[\d.]+ [\d.]+((?:V[\d.]+H[\d.]+)+)V[\d.]+Z" class="greyf"', svg)
    assert steps
    heights = np.array([float(v) for v in re.findall(r"V([\d.]+)", steps[1])])
    shares = curves["seen"][1][:-1]
    slope, offset = np.polyfit(shares, heights, 1)
    assert len(heights) == len(shares) and slope < -1
    assert root_mean_square(slope * shares + offset - heights) <= 0.05


def test_drawing_law_kills(curves: Curves) -> None:
    """A curve that is one part in a hundred higher, and one drawn under another's name, are caught."""
    svg = (FIGURES / "ch07-walk.svg").read_text(encoding="utf-8")
    x, y = curves["rectified"]
    for wrong in ((x, y * 1.01), curves["nearest"]):
        with pytest.raises(AssertionError):
            law_drawing_shows_the_numbers(svg, WALK, {**curves, "rectified": wrong})


def test_drawing_tells_what_the_page_says(script: dict[str, Any], curves: Curves) -> None:
    """The walk stays within its bound at every input, and ends below nearest rounding; later walks end lower still."""
    bound, nearest, walked = (curves[name][1] for name in ("bound", "nearest", "rectified"))
    assert (walked <= bound).all() and walked[-1] < nearest[-1]
    assert curves["final"][1][0] <= walked[-1]


def test_walk_title_follows_the_lines(script: dict[str, Any], curves: Curves) -> None:
    """Each title is said where its sentence is true, and nowhere else."""

    def title(start: float, nearest: float, walked: float) -> str:
        ends = {"nearest": [start, nearest], "rectified": [start, walked]}
        return str(script["walk_title"]({name: (np.arange(2.0), np.array(each)) for name, each in ends.items()}))

    assert title(0.2, 0.3, 0.2) == "Nearest drifts, rectified does not"
    assert title(0.2, 0.3, 0.21) == "Rounded to nearest the error ends at 0.30, rectified at 0.21"
    assert title(0.2, 0.22, 0.19) == "Rounded to nearest the error ends at 0.22, rectified at 0.19"
    assert title(0.2, 0.2, 0.2) == "On this neuron nearest rounding is no worse: 0.20 beside 0.20"
    assert script["walk_title"](curves) in (FIGURES / "ch07-walk.svg").read_text(encoding="utf-8")
