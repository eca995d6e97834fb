"""Laws of notes: they count what is there, and are silent where there is nothing to say."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis.extra.numpy import arrays

from npquant.data.labels import Targets
from npquant.data.notes import leak_note, row_digests, table_notes
from npquant.data.split import Split

HALVES = Targets(np.array([0, 1] * 3), ("a", "b"), "classes")


@given(arrays(np.int8, (6, 2), elements={"min_value": -1, "max_value": 1}))
def test_notes_count_identical_rows(x: Any) -> None:
    """Rows that stood before are counted, those with another label too; equal numbers are equal in every type."""
    seen: dict[Any, Any] = {}
    other = 0
    for row, y in zip(x.tolist(), HALVES.y.tolist(), strict=True):
        other += seen.setdefault(tuple(row), y) != y
    again = len(x) - len(seen)
    for typed in (x, -x.astype(np.float32)):  # -0.0 is 0.0
        lines = table_notes(typed, ("p", "q"), HALVES, row_digests(typed))
        counted = [line for line in lines if "identical" in line]
        assert (counted[0].split()[0] if counted else "0") == str(again)
        if other:
            assert f"{other} of them with another label" in counted[0]


@given(arrays(np.int8, (7, 1), elements={"min_value": 0, "max_value": 3}))
def test_leak_note_counts_test_rows_that_stand_in_training(x: Any) -> None:
    """A test row that equals a training row is counted; one that equals a validation row is not."""
    split = Split(np.arange(3), np.array([3]), np.array([4, 5, 6]))
    twice = sum(x[row, 0] in x[:3, 0] for row in split.test)
    found = leak_note(row_digests(x), split)
    assert (found[0].split()[0] if found else "0") == str(twice)


def test_notes_are_silent_where_there_is_nothing() -> None:
    """A table without constant columns or identical rows says its classes, and no more; of many classes the ends."""
    x = np.arange(12).reshape(6, 2)
    assert table_notes(x, ("p", "q"), HALVES, row_digests(x)) == ("Classes: 'a' 50.0 %, 'b' 50.0 %",)
    many = Targets(np.arange(60) % 30, tuple(map(str, range(30))), "classes")
    rows = np.arange(60)[:, None]
    (line,) = table_notes(rows, ("p",), many, row_digests(rows))
    assert line == "Classes: 30, from '0' 3.3 % to '0' 3.3 %"


def test_notes_name_constant_features_and_like_names() -> None:
    """Constant features are named, at most six; class names that a reader would take for one are shown in pairs."""
    x = np.ones((6, 8), np.uint8)
    lines = table_notes(x, tuple("abcdefgh"), Targets(HALVES.y, ("No", " no"), "classes"), row_digests(x))
    assert "8 of 8 features are constant: 'a', 'b', 'c', 'd', 'e', 'f' and 2 more" in lines
    assert "Class names differ only in case or blanks: 'No' and ' no'" in lines
