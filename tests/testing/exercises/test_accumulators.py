"""A right answer written otherwise than npquant, and the wrong ones that the exercise is for."""

from collections.abc import Callable

import pytest

from npquant.testing.exercises import check


def by_trying_both_ends(w_q: list[int], b_q: int, zx: int) -> tuple[int, int]:
    """Grow both ends weight by weight, each by its better end of the inputs."""
    low = high = b_q
    for w in w_q:
        ends = sorted(w * (x - zx) for x in (-128, 127))
        low, high = low + ends[0], high + ends[1]
    return low, high


def by_magnitude(w_q: list[int], b_q: int, zx: int) -> tuple[int, int]:
    """The sum of magnitudes to both sides: true bounds, and not attained."""
    reach = 128 * sum(map(abs, w_q))
    return b_q - reach, b_q + reach


def without_the_zero_point(w_q: list[int], b_q: int, zx: int) -> tuple[int, int]:
    """Raw codes in place of centred ones."""
    return by_trying_both_ends(w_q, b_q, 0)


def all_inputs_alike(w_q: list[int], b_q: int, zx: int) -> tuple[int, int]:
    """Every input at the same end, whatever the sign of its weight."""
    low, high = sorted(sum(w_q) * (x - zx) for x in (-128, 127))
    return b_q + low, b_q + high


def test_accumulator_ends_passes_both_ends_tried() -> None:
    """C7 by growing an interval is right."""
    assert check("accumulator_ends", by_trying_both_ends).right


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (by_magnitude, "([1], 0, 0) should give (-128, 127), and gives (-128, 128)"),
        (without_the_zero_point, "([1], 0, 1) should give (-129, 126)"),
        (all_inputs_alike, "should give"),
    ],
)
def test_accumulator_ends_kills_wrong_rules(
    wrong: Callable[[list[int], int, int], tuple[int, int]], words: str
) -> None:
    """Each wrong rule is shown a case, its smallest."""
    mark = check("accumulator_ends", wrong)
    assert not mark.right and words in mark.words, mark.words
