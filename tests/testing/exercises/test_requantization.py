"""A right answer written otherwise than npquant, and the wrong ones that the exercise is for."""

from collections.abc import Callable

import pytest

from npquant.testing.exercises import check


def by_shifting(acc: int, multiplier: int, shift: int, zero_point: int) -> int:
    """Add half and shift, in plain integers, then clamp."""
    right = 31 - shift
    code = ((acc * multiplier + (1 << (right - 1))) >> right) + zero_point
    return -128 if code < -128 else min(code, 127)


def without_rails(acc: int, multiplier: int, shift: int, zero_point: int) -> int:
    """The steps, wherever they end."""
    return ((acc * multiplier + (1 << (30 - shift))) >> (31 - shift)) + zero_point


def half_even(acc: int, multiplier: int, shift: int, zero_point: int) -> int:
    """Python's own rounding."""
    return max(-128, min(127, round(acc * multiplier / 2 ** (31 - shift)) + zero_point))


def zero_point_behind_the_rails(acc: int, multiplier: int, shift: int, zero_point: int) -> int:
    """Clamp, then add the zero point."""
    steps = (acc * multiplier + (1 << (30 - shift))) >> (31 - shift)
    return max(-128, min(127, steps)) + zero_point


def test_requantize_passes_the_rule_in_plain_integers() -> None:
    """R6, R10 by adding half a step and shifting is right."""
    assert check("requantize", by_shifting).right


@pytest.mark.parametrize(
    ("wrong", "due"),
    [
        (without_rails, "gives 128"),
        (half_even, "should give 1, and gives 0"),
        (zero_point_behind_the_rails, "gives 128"),
    ],
)
def test_requantize_kills_wrong_rules(wrong: Callable[[int, int, int, int], int], due: str) -> None:
    """Each wrong rule is shown a case, its smallest."""
    mark = check("requantize", wrong)
    assert not mark.right and due in mark.words, mark.words
