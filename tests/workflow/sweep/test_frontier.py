"""The frontier: exactly the settings that no other one beats."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npquant.workflow.sweep.frontier import Point, frontier_lines, frontier_of, points_of


def point(n_bytes: int, validation: int) -> Point:
    """A point at a place of the plane."""
    return Point((("bits", n_bytes), ("method", "uniform")), 1, 0.0, validation, 0.0, 0.0, None, 0.0, n_bytes, 0.0)


def beats(one: Point, other: Point) -> bool:
    """As good or better in both, and better in one."""
    return (
        one.bytes <= other.bytes
        and one.validation >= other.validation
        and (one.bytes, one.validation) != (other.bytes, other.validation)
    )


PLACES = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6)), max_size=12)


@given(PLACES)
def test_frontier_of_is_what_none_beats(places: list[tuple[int, int]]) -> None:
    """The places on the frontier are those that no other place beats, the smallest first, each once."""
    points = [point(*place) for place in places]
    found = [(one.bytes, one.validation) for one in frontier_of(points)]
    wanted = {(one.bytes, one.validation) for one in points if not any(beats(other, one) for other in points)}
    assert set(found) == wanted and len(found) == len(wanted) and found == sorted(found)


def record(bits: int, seed: int, correct: int, error: str | None = None) -> dict[str, Any]:
    """A record of a hundred rows."""
    rows = {"validation": {"rows": 100, "correct": correct}, "test": {"rows": 100, "correct": correct}}
    perfect = {name: {"rows": 100, "correct": 100} for name in rows}
    return {
        "cell": {"bits": bits, "hidden": [8], "method": "uniform", "seed": seed},
        "before": {"bytes": 1000, "macs": 10, **perfect},
        "after": {"bytes": 10 * bits, "macs": 10, **rows},
        "kl": {"validation": 0.1, "test": 0.1},
        "error": error,
    }


def test_points_of_are_means_over_seeds() -> None:
    """A setting's figures are means, its loss paired by seed; a setting with a failed cell has none."""
    records = [record(4, 0, 90), record(4, 1, 94), record(2, 0, 80), {**record(2, 1, 0), "error": "no"}]
    (found,) = points_of(records)
    assert (found.seeds, found.validation, found.lost, found.bytes) == (2, 92.0, 8.0, 40.0)
    assert found.lost_error == pytest.approx(2.0, rel=1e-15)  # sqrt((2^2 + 2^2) / 1 / 2)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_frontier_lines_fit(width: int) -> None:
    """No line is wider than the terminal."""
    lines = frontier_lines(points_of([record(bits, 0, 10 * bits) for bits in (2, 4, 8)]), width)
    assert max(map(len, lines)) <= width and lines[0].startswith("Frontier: 3 of 3 settings")


def test_frontier_lines_of_nothing() -> None:
    """Where every setting failed, that is said."""
    assert frontier_lines([], 80) == ["No setting has all its cells: there is no frontier."]
