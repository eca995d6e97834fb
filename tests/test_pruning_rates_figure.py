"""The second drawing of chapter 8 has a dot for every number of rows that a run is right on."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

FIGURES = Path(__file__).parents[1] / "docs" / "figures"
DOT = re.compile(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="3.6" class="(\w+) s-bg"')


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    """Return the names of the script, which imports its neighbour plate.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FIGURES))
        return runpy.run_path(str(FIGURES / "ch08_rates.py"))


@pytest.fixture(scope="module")
def run(script: dict[str, Any]) -> tuple[dict[str, tuple[int, ...]], int]:
    """Prune anew: rows right by way and rate, and how many there are."""
    curves, count = script["rows_right"]()
    return curves, count


def dots_of(script: dict[str, Any], curves: Any, count: int) -> dict[str, list[tuple[float, float]]]:
    """Return where the dots of each colour belong, to a tenth of a pixel, the unit of the file."""
    dots: dict[str, list[tuple[float, float]]] = {}
    for way, curve in curves.items():
        at = [script["place"](rate, right, count) for rate, right in zip(script["RATES"], curve, strict=True)]
        dots[script["WAYS"][way][1]] = [(round(float(x), 1), round(float(y), 1)) for x, y in at]
    return dots


def test_drawing_shows_the_rows(script: dict[str, Any], run: Any) -> None:
    """Every dot of the committed file is a run's number of rows, by colour; one row more is another drawing."""
    svg = (FIGURES / "ch08-rates.svg").read_text(encoding="utf-8")
    drawn: dict[str, list[tuple[float, float]]] = {}
    for x, y, colour in DOT.findall(svg):
        drawn.setdefault(colour, []).append((float(x), float(y)))
    curves, count = run
    assert drawn == dots_of(script, curves, count)
    first, *rest = curves["bare"]
    assert drawn != dots_of(script, {**curves, "bare": (first - 1, *rest)}, count)


def test_refit_is_nowhere_worse_than_nothing_done(run: Any) -> None:
    """What the chapter says: the refit is right on more rows than the other ways where much goes."""
    curves, _ = run
    assert all(curves["refit"][-1] > curves[way][-1] for way in ("layerwise", "fold", "bare"))
    assert all(refit >= bare for refit, bare in zip(curves["refit"], curves["bare"], strict=True))


def test_most_spared_stops_at_the_first_rate_that_loses_too_much(script: dict[str, Any]) -> None:
    """One row of 100 may go; a later rate that happens to be right again does not count."""
    assert script["most_spared"]((90, 90, 89, 88, 90), 100) == 2
    assert script["most_spared"]((90, 91, 90), 100) == 2
    assert script["most_spared"]((90, 80), 100) == 0


def test_labels_keep_their_distance(script: dict[str, Any]) -> None:
    """Labels move up until they are apart, and keep their order; those apart stay."""
    assert script["spread"]([10, 100, 110], 40) == [10, 70, 110]
    assert script["spread"]([10, 60, 110], 40) == [10, 60, 110]
