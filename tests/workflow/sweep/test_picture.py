"""The picture of a frontier: a mark a setting, a ring for what none beats, the same bytes again."""

from xml.etree import ElementTree

import pytest

from npquant.workflow.sweep.frontier import Point, frontier_of
from npquant.workflow.sweep.picture import frontier_svg

SVG = "{http://www.w3.org/2000/svg}"


def points(methods: int, seeds: int = 1) -> list[Point]:
    """Three widths a method, each method a little better and larger than the one before."""
    found = []
    for at in range(methods):
        for bits in (2, 3, 4):
            setting, right = (("bits", bits), ("method", f"method_{at}")), 80.0 + 4 * bits + at / 10
            found.append(Point(setting, seeds, 98.0, right, 0.0, 0.0, None, 0.1, 1000.0 * bits + 10 * at, 0.0))
    return found


@pytest.mark.parametrize("methods", [1, 5, 8])
def test_picture_holds_every_setting(methods: int) -> None:
    """Each method is named, each point of the frontier is ringed, and every mark lies inside the frame."""
    found = points(methods)
    drawn = frontier_svg(found)
    root = ElementTree.fromstring(drawn)
    words = [text.text for text in root.iter(f"{SVG}text")]
    assert all(f"method_{at}" in words for at in range(methods)) and "float" in words
    circles = list(root.iter(f"{SVG}circle"))
    assert sum(circle.attrib["r"] == "8" for circle in circles) == len(frontier_of(found))
    assert all(0 < float(circle.attrib["cx"]) < 760 for circle in circles)
    assert drawn == frontier_svg(found) and b"prefers-color-scheme:dark" in drawn


def test_title_is_the_frontier() -> None:
    """The title counts what none beats, and says what the smallest and the best of them are."""
    text = frontier_svg(points(1, 3)).decode("utf-8")
    assert "3 of 3 settings are beaten by none: from 88.0 % in 2,000 bytes to 96.0 % in 4,000 bytes" in text
    assert "means over 3 seeds" in text


def test_marks_of_eight_methods_differ() -> None:
    """No two of eight methods have hue and shape alike: the key, read mark by mark, has eight kinds."""
    root = ElementTree.fromstring(frontier_svg(points(8)))
    (plane,) = root.iter(f"{SVG}svg") if root.tag != f"{SVG}svg" else list(root.iter(f"{SVG}svg"))[1:]
    kinds, marks = set(), list(plane)
    for mark, name in zip(marks[:16:2], marks[1:16:2], strict=True):
        assert (name.text or "").startswith("method_")
        kinds.add((mark.tag, mark.attrib["class"], "z" in mark.attrib.get("d", "z")))
    assert len(kinds) == 8
