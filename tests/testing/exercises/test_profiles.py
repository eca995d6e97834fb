"""Who rounds once where twice is due is shown a value that is no tie; two roundings in other words pass."""

import pytest

from npquant.testing.exercises import check


def halves_by_hand(acc: int, multiplier: int, right: int) -> int:
    """Round the high half by a remainder, and the shift by the magnitude."""
    high, rest = divmod(acc * multiplier, 2**31)
    high += rest >= 2**30
    whole, part = divmod(abs(high), 2**right)
    size = whole + int(2 * part >= 2**right)
    return int(size if high >= 0 else -size)


def once(acc: int, multiplier: int, right: int) -> int:
    """R6."""
    return (acc * multiplier + (1 << (30 + right))) >> (31 + right)


def up_both_times(acc: int, multiplier: int, right: int) -> int:
    """R19: the second rounding sends ties up."""
    return (((acc * multiplier + 2**30) >> 31) + (1 << (right - 1))) >> right


def test_two_roundings_pass() -> None:
    """R8 in other words."""
    assert check("two_roundings", halves_by_hand).right


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (once, "(1, 1073741824, 1) should give 1, and gives 0"),
        (up_both_times, "(-1, 1610612736, 1) should give -1, and gives 0"),
    ],
)
def test_wrong_roundings_are_shown_their_smallest_case(wrong: object, words: str) -> None:
    """A quarter becomes 1, and minus three eighths -1."""
    assert callable(wrong)
    assert str(check("two_roundings", wrong)) == words
