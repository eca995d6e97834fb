"""The exercises of chapter 8: right answers pass, the first attempts that everybody writes do not."""

from typing import Any

import numpy as np
import pytest

from npquant.testing.exercises import check


def fold_by_sums(v: Any, b: Any, j: int, c: float) -> Any:
    """Feed the next layer what neuron j gives, all others silent."""
    return b + np.eye(len(v))[j] * c @ v


def merge_by_matrix(v: Any, i: int, j: int, c: float) -> Any:
    """Write S3 as one product: row i of the identity takes c times row j, and row j is left out."""
    taken = np.eye(len(v))
    taken[i, j] = c
    return (taken @ v)[np.arange(len(v)) != j]


def merge_after_deleting(v: Any, i: int, j: int, c: float) -> Any:
    """Index i in an array that has lost a row before it."""
    left = np.delete(v, j, axis=0)
    left[i] += c * v[j]
    return left


def merge_without_factor(v: Any, i: int, j: int, c: float) -> Any:
    """Forget that the twin is c times as loud."""
    left = v.copy()
    left[i] += v[j]
    return np.delete(left, j, axis=0)


def test_fold_constant_passes_another_way_to_say_it() -> None:
    """S2 as a product is right."""
    assert check("fold_constant", fold_by_sums).right


def test_merge_twins_passes_another_way_to_say_it() -> None:
    """S3 as a product is right."""
    assert check("merge_twins", merge_by_matrix).right


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("fold_constant", lambda v, b, j, c: b),
        ("fold_constant", lambda v, b, j, c: b + v[j]),
        ("fold_constant", lambda v, b, j, c: b + c * v[:, 0]),
        ("merge_twins", merge_after_deleting),
        ("merge_twins", merge_without_factor),
        ("merge_twins", lambda v, i, j, c: np.delete(v, j, axis=0)),
    ],
)
def test_check_kills_first_attempts(name: str, wrong: Any) -> None:
    """A bias or constant forgotten, a wrong axis; an index that moved, the factor or the twin forgotten."""
    assert not check(name, wrong).right
