"""A right answer written otherwise than npquant, and the wrong ones that the exercise is for."""

from collections.abc import Callable

import pytest

from npquant.testing.exercises import check


def by_remainder(x: int, shift: int) -> int:
    """Divide the magnitude, look at what is left, and put the sign back."""
    whole, rest = divmod(abs(x), 1 << shift)
    whole += 2 * rest >= 1 << shift
    return -whole if x < 0 else whole


def add_half_and_shift(x: int, shift: int) -> int:
    """Half up: wrong for ties of negatives."""
    return (x + (1 << shift >> 1)) >> shift


def divide_floats(x: int, shift: int) -> int:
    """Python's round of a float: half to even, and only 53 bits."""
    return round(x / 2**shift)


def add_half_to_a_float(x: int, shift: int) -> int:
    """What C programs write: right for ties, wrong where a float64 cannot hold x."""
    v = x / 2**shift
    return int(v + 0.5) if v > 0 else int(v - 0.5)


def test_half_away_passes_division_with_remainder() -> None:
    """Rounding the magnitude and putting the sign back is right."""
    assert check("half_away", by_remainder).right


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (add_half_and_shift, "(-1, 1) should give -1, and gives 0"),
        (divide_floats, "should give"),
        (add_half_to_a_float, "should give"),
    ],
)
def test_half_away_kills_wrong_rules(wrong: Callable[[int, int], int], words: str) -> None:
    """Each wrong rule is shown a case."""
    mark = check("half_away", wrong)
    assert not mark.right and words in mark.words, mark.words
