"""The picture of a comparison: its finding is in its data, and it is the same bytes again."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from npquant.workflow.compare.picture import comparison_svg, finding
from npquant.workflow.compare.run import MethodComparison
from npquant.workflow.compare.trial import Row, Score

SVG = "{http://www.w3.org/2000/svg}"


def comparison(factors: dict[str, float], seeds: int = 3) -> MethodComparison:
    """Methods with KL as so many times the first one's, at 2 bits; a factor of 1 wobbles around it."""
    rows = [
        Row(method, 2, seed, Score(96.0), Score(95.0), 0.01 * factor * (1 + 0.001 * seed), 1, 0, 0.1)
        for method, factor in {"first": 1.0, **factors}.items()
        for seed in range(seeds)
    ]
    wobbling = [
        replace(row, divergence=row.divergence * (2 if row.seed % 2 else 0.5)) if factors.get(row.method) == 1 else row
        for row in rows
    ]
    names = ("first", *factors)
    return MethodComparison("set", "classes", (8, 4, 2), "relu", names, (2,), tuple(range(seeds)), tuple(wobbling))


@pytest.mark.parametrize(
    ("factors", "said"),
    [
        ({"a": 2.0, "b": 3.0}, "first is ahead of every other method, at every width"),
        ({"a": 0.5, "b": 0.3}, "first is behind every other method, at every width"),
        ({"a": 1.0}, "No method is told apart from first"),
        ({"a": 2.0, "b": 0.5, "c": 1.0}, "Of 3 comparisons first is ahead in 1, behind in 1, not told apart in 1"),
    ],
)
def test_title_is_what_the_pairs_show(factors: dict[str, float], said: str) -> None:
    """The title counts what the intervals show, losses too."""
    assert finding(comparison(factors)) == said


def test_title_of_one_seed_claims_nothing() -> None:
    """Of one seed the title says what was lower there."""
    assert finding(comparison({"a": 2.0, "b": 0.5}, 1)) == "On one seed first has the lower KL in 1 of 2 comparisons"


@pytest.mark.parametrize("seeds", [1, 2, 5])
def test_picture_holds_every_method_and_seed(seeds: int) -> None:
    """A line a method with its ratio in words, a ring a seed and a disc for the mean, inside the frame."""
    found = comparison({"near": 1.0, "far & <away>": 4000.0, "a_name_that_is_much_too_long_for_its_column": 0.5}, seeds)
    drawn = comparison_svg(found)
    root = ElementTree.fromstring(drawn)
    words = " ".join(text.text or "" for text in root.iter(f"{SVG}text"))
    assert "far & <away>" in words and "near" in words and "a_name_that_is" in words and "4,000" in words
    discs = list(root.iter(f"{SVG}circle"))
    assert len(discs) == 3 * (seeds + 1)
    assert all(0 < float(disc.attrib["cx"]) < 760 for disc in discs)
    assert all(0 <= float(line.attrib[end]) <= 760 for line in root.iter(f"{SVG}line") for end in ("x1", "x2"))
    assert drawn == comparison_svg(found)


def test_picture_has_both_grounds_and_words_for_those_who_cannot_see() -> None:
    """Light and dark colours, and a description with every ratio."""
    drawn = comparison_svg(comparison({"a": 2.0})).decode("utf-8")
    assert "prefers-color-scheme:dark" in drawn and "<desc>" in drawn and "2 bits, a: 2.00 (2.00 to 2.00)" in drawn
