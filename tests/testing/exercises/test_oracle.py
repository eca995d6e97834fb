"""A bias that is solved for puts a sum on a tie; one that is negative, or lies beside the tie, is shown its case."""

from typing import Any

import pytest

from npquant.testing.exercises import check


def searched(total: int, shift: int) -> int:
    """Try one bias after the other."""
    bias = 0
    while 2 * ((total + bias) % 2**shift) != 2**shift:
        bias += 1
    return bias


def test_bias_on_a_tie_passes() -> None:
    """A search finds what a remainder solves."""
    assert check("bias_on_a_tie", searched).right


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda total, shift: 2 ** (shift - 1) - total % 2**shift, "(3, 2) should give 3, and gives -1"),
        (lambda total, shift: -total % 2**shift, "(0, 1) should give 1, and gives 0"),
    ],
)
def test_wrong_bias_is_shown_its_smallest_case(wrong: Any, words: str) -> None:
    """A negative bias, and one that lands on a whole step."""
    assert str(check("bias_on_a_tie", wrong)) == words
