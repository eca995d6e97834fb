"""A right answer passes; a wrong one is shown its smallest case; the same answer gets the same mark."""

from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from npquant.testing.exercises import check, exercise_names
from npquant.testing.exercises.mark import Exercise, mark
from npquant.testing.exercises.table import EXERCISES


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_check_passes_the_definition_and_no_constant(exercise: Any) -> None:
    """What is due is right; a function that gives nothing, or one number, is not."""
    assert check(exercise.name, exercise.due).right
    assert not check(exercise.name, lambda *given: None).right
    assert not check(exercise.name, lambda *given: np.int64(0)).right


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_exercise_asks_for_its_own_signature(exercise: Any) -> None:
    """What is asked opens with the name and its arguments."""
    assert exercise.asks.startswith(f"{exercise.name}(")


def test_check_names_what_there_is() -> None:
    """A name that is none is an error that lists the names, each of which stands once."""
    with pytest.raises(ValueError, match="no exercise is named 'x'; there are quantize"):
        check("x", abs)
    assert len(set(exercise_names())) == len(exercise_names())


def test_check_reports_an_exception_as_a_case() -> None:
    """An answer that fails is told where, not stopped."""
    mark = check("quantize", lambda x, scale, zero_point: 1 / 0)
    assert not mark.right and "ZeroDivisionError" in mark.words


def test_mark_asks_plain_cases_first() -> None:
    """A mistake that a plain case shows is shown there, whatever else would be drawn."""
    exercise = Exercise("size", "size(n): |n|", st.tuples(st.integers()), abs, ((7,), (-2,)))
    assert mark(exercise, lambda n: 0).words == "(7) should give 7, and gives 0"
    assert mark(exercise, lambda n: n).words == "(-2) should give 2, and gives -2"
