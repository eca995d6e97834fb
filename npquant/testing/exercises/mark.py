"""Hold a function against what is due, on drawn cases, and say where it first goes wrong.

Legend: answer the reader's function; given the arguments of one case; got what it makes of them; due what is right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

CASES: Final = 300


@dataclass(frozen=True, slots=True)
class Exercise:
    """Hold one exercise: `asks` is the signature and a sentence, `arguments` draws cases, `due` is the definition.

    `plain` are cases that are asked before any is drawn, in this order: those that a common mistake is best seen at.
    """

    name: str
    asks: str
    arguments: SearchStrategy[tuple[Any, ...]]
    due: Callable[..., Any]
    plain: tuple[tuple[Any, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """Hold what became of an answer: whether it is right, and the words to print."""

    right: bool
    words: str

    def __str__(self) -> str:
        """Return the words."""
        return self.words


class _Wrong(Exception):
    """Carry the words about a case out of Hypothesis, which makes the case small first."""


def mark(exercise: Exercise, answer: Callable[..., Any]) -> Mark:
    """Return what becomes of an answer: the smallest of the cases that were found to go wrong, or how many went well.

    The exercise's plain cases come first, so that the common mistakes get the same words everywhere.

    >>> from hypothesis import strategies as st
    >>> half = Exercise("half", "half(n): n / 2, rounded down", st.tuples(st.integers(-9, 9)), lambda n: n >> 1)
    >>> print(mark(half, lambda n: n // 2))
    right, on all cases drawn
    >>> print(mark(half, lambda n: int(n / 2)))
    (-1) should give -1, and gives 0
    """

    def judge(drawn: tuple[Any, ...]) -> None:
        due, shown = exercise.due(*drawn), f"({', '.join(map(_written, drawn))})"
        try:
            got = answer(*drawn)
        except Exception as error:
            raise _Wrong(f"{shown} should give {_written(due)}, and raises {type(error).__name__}: {error}") from None
        if not same(got, due):
            raise _Wrong(f"{shown} should give {_written(due)}, and gives {_written(got)}")

    @settings(
        max_examples=CASES, derandomize=True, database=None, deadline=None, report_multiple_bugs=False,
        phases=(Phase.explicit, Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(exercise.arguments)
    def law(drawn: tuple[Any, ...]) -> None:
        judge(drawn)

    try:
        for case in exercise.plain:
            judge(case)
        law()
    except _Wrong as wrong:
        return Mark(False, str(wrong))
    return Mark(True, "right, on all cases drawn")


def same(got: Any, due: Any) -> bool:
    """Say whether two results are equal: shape and every element; integers and floats alike, NaN equal to NaN.

    >>> same([1, 2], np.array([1, 2])), same(1.5, 1), same(None, 1)
    (True, False, False)
    """
    try:
        a, b = np.asarray(got), np.asarray(due)
    except ValueError:
        return False
    if a.shape != b.shape or a.dtype.kind not in "biuf":
        return False
    return bool(np.array_equal(a, b, equal_nan=True))


def _written(value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    return repr(value.tolist()) if isinstance(value, np.ndarray) else repr(value)
