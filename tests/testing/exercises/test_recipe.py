"""The defects of the recipe are shown their smallest case; a right answer in other words passes."""

import math
from typing import Any

import pytest

from npquant.testing.exercises import check


def ranked(w: Any, count: Any) -> list[int]:
    """Take the smallest column again and again."""
    left = {n: sum(abs(row[n]) for row in w) for n in range(len(w[0]))}
    gone: list[int] = []
    while len(gone) < count:
        gone.append(min(left, key=lambda n: (left[n], n)))
        del left[gone[-1]]
    return gone


def half_up_but_one(n: int, rate: float) -> int:
    """Count in doubled neurons."""
    wanted = (math.floor(2 * n * rate) + 1) // 2
    return n - 1 if wanted >= n else wanted


def per_output(b: Any, s_x: Any, s_w: Any) -> list[int]:
    """Divide twice: no quotient but an exact one is a tie."""
    return [round(value / s_x / s) for value, s in zip(b, s_w, strict=True)]


@pytest.mark.parametrize(
    ("name", "answer"), [("least_important", ranked), ("pruned_count", half_up_but_one), ("bias_codes", per_output)]
)
def test_right_answer_passes(name: str, answer: Any) -> None:
    """What is right is so in any words."""
    assert str(check(name, answer)) == "right, on all cases drawn"


@pytest.mark.parametrize(
    ("name", "answer", "words"),
    [
        ("least_important", lambda w, count: list(range(count)), "([[1, 0]], 1) should give [1], and gives [0]"),
        (
            "least_important",
            lambda w, count: sorted(range(len(w)), key=lambda k: sum(map(abs, w[k])))[:count],
            "([[1, 0]], 1) should give [1], and gives [0]",
        ),
        ("pruned_count", lambda n, rate: round(rate * n), "(5, 0.5) should give 3, and gives 2"),
        ("pruned_count", lambda n, rate: min(int(rate * n), n - 1), "(5, 0.5) should give 3, and gives 2"),
        (
            "bias_codes",
            lambda b, s_x, s_w: [round(value / s_w[-1]) for value in b],
            "([0.25], 0.5, [0.5]) should give [1], and gives [0]",
        ),
        (
            "bias_codes",
            lambda b, s_x, s_w: [int(value / (s_x * s)) for value, s in zip(b, s_w, strict=True)],
            "([0.25], 0.5, [0.75]) should give [1], and gives [0]",
        ),
    ],
)
def test_wrong_answer_is_shown_its_smallest_case(name: str, answer: Any, words: str) -> None:
    """A mark is words that name one plain case."""
    mark = check(name, answer)
    assert not mark.right and str(mark) == words
